package agent

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/agent/source/file"
	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// encoderWindow is the window of the batch encoder: more than a batch is long, and little memory.
const encoderWindow = 256 << 10

// collectAt is the growth of the heap in percent after which garbage is collected, unless the environment says
// otherwise. What lives on the heap is mostly what is known of each file, and there may be very many; what is thrown
// away is little beside it.
const collectAt = 40

// nameForm is what an agent's name may look like.
var nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Config says what an agent reads and whom it serves.
type Config struct {
	// Server is the base URL of the server.
	Server string
	// EnrolTokenFile is the file of the enrolment token; needed only until the agent is enrolled.
	EnrolTokenFile string
	// EnrolToken is the enrolment token itself; when it is set no file is read.
	EnrolToken string
	// Data is the folder of the agent's key, checkpoint and journals; it is made with mode 0700.
	Data string
	// Name is the agent's unique name, Labels what selectors match.
	Name   string
	Labels map[string]string
	// Files is what may be read; nothing else ever is.
	Files []file.Spec
	// MaxSession bounds the length of a session at this agent; 0 means wire.MaxTimeout.
	MaxSession time.Duration
	// MaxRate bounds the events a second of one session; 0 means no bound.
	MaxRate int
	// SyncJournal makes the journals survive the death of the machine, at the price of one fsync a batch.
	SyncJournal bool
	// MetricsInterval is how often counts are reported; 0 means wire.MetricsInterval.
	MetricsInterval time.Duration
	// Version is told to the server.
	Version string
	// Log is the agent's own log; nil discards it.
	Log *slog.Logger
}

// Agent is one member of the fleet.
type Agent struct {
	cfg     Config
	host    string
	files   source.Source
	encoder *zstd.Encoder
	trouble *trouble
	linked  chan struct{} // capacity one, never closed: there is a new connection
}

// New checks the configuration and makes the data folder. It starts nothing.
func New(cfg Config) (*Agent, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxSession == 0 {
		cfg.MaxSession = wire.MaxTimeout
	}
	if cfg.MetricsInterval == 0 {
		cfg.MetricsInterval = wire.MetricsInterval
	}
	files, err := file.New(file.Options{Specs: cfg.Files, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("read host name: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(cfg.Data, sessionFolder), 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(encoderWindow), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("make encoder: %w", err)
	}
	return &Agent{
		cfg: cfg, host: host, files: files, encoder: encoder, trouble: newTrouble(), linked: make(chan struct{}, 1),
	}, nil
}

// check says what is wrong with c.
func (c *Config) check() error {
	switch {
	case c.Server == "":
		return wire.Invalid("server", "must be the base URL of a server, such as https://spile.example.org")
	case c.Data == "":
		return wire.Invalid("data", "must name a folder for the agent's key")
	case !nameForm.MatchString(c.Name):
		return wire.Invalid("name", "%q: must be 1 to 128 letters, digits, dots, dashes or underscores", c.Name)
	case len(c.Files) == 0:
		return wire.Invalid("files", "must name at least one file or glob")
	case c.MaxSession < 0 || c.MaxSession > wire.MaxTimeout:
		return wire.Invalid("max_session", "%v: must be between 1s and %v", c.MaxSession, wire.MaxTimeout)
	case c.MaxRate < 0:
		return wire.Invalid("max_rate", "%d: must not be negative", c.MaxRate)
	}
	return nil
}

// Run enrols the agent if it is not yet, and works until ctx ends. It then returns nil; an error means that going on
// is of no use, as when the name is taken (a *wire.Error is in the chain).
func (a *Agent) Run(ctx context.Context) error {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(collectAt))
	}
	lock, err := a.claim()
	if err != nil {
		return err
	}
	defer func() { _ = lock.Close() }()
	id, err := a.identify(ctx)
	if err != nil || ctx.Err() != nil {
		return err
	}
	sessions := newSessions(a)
	counter := a.newCounter()
	link := uplink.NewLink(uplink.LinkOptions{
		Server: a.cfg.Server, Key: id.Key, AgentID: id.AgentID, Log: a.cfg.Log,
		Hello: func() wire.Hello {
			return wire.Hello{
				Name: a.cfg.Name, Version: a.cfg.Version, Labels: a.cfg.Labels, Sources: counter.sources(),
				Problem: a.trouble.text(),
			}
		},
	}, sessions)
	sessions.link, sessions.agentID = link, id.AgentID
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.files.Run(ctx) })
	group.Go(func() error { return link.Run(ctx) })
	group.Go(func() error { return sessions.run(ctx) })
	group.Go(func() error { return counter.run(ctx) })
	group.Go(func() error { return a.report(ctx, link, counter) })
	err = group.Wait()
	counter.finish()
	return err
}

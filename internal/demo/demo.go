// Package demo is a whole fleet in one process, for a first look: a real server and a real agent on this machine, which
// follows the logs of a small built-in shop and any files that the caller names. Everything lies in a temporary folder
// that is gone afterwards.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/spilelog/spile/agent"
	"github.com/spilelog/spile/agent/source/file"
	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/internal/demo/shop"
	"github.com/spilelog/spile/server"
	"github.com/spilelog/spile/wire"
)

const (
	// defaultListen is the address when none is given.
	defaultListen = "127.0.0.1:7800"
	// agentName is the name of the one agent.
	agentName = "demo"
	// joinTimeout is how long the agent may take to join, joinPoll how often that is looked at.
	joinTimeout = 15 * time.Second
	joinPoll    = 20 * time.Millisecond
	// metricsInterval is short, so that the page has something to show at the first look.
	metricsInterval = 5 * time.Second
)

// Config is what a demonstration needs. The zero value of each field is its default.
type Config struct {
	// Files are paths or globs that the agent follows beside the shop's logs.
	Files []string
	// Listen is the address; a taken port gives way to the next free one. Empty means 127.0.0.1:7800.
	Listen string
	// Stdin is where Enter asks for a new login; nil means that nobody asks.
	Stdin io.Reader
	// Stdout gets what there is to try, Stderr notices; nil discards.
	Stdout, Stderr io.Writer
	// Version is told by server and agent.
	Version string
	// Executable is the path of the running program; empty means that of the process.
	Executable string
	// Log is the log of server and agent; nil discards it.
	Log *slog.Logger
}

// fill puts the defaults in.
func (c *Config) fill() error {
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	if c.Stderr == nil {
		c.Stderr = io.Discard
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Executable == "" {
		path, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find executable: %w", err)
		}
		c.Executable = path
	}
	return nil
}

// Run runs the demonstration until ctx ends, and returns nil then. The temporary folder is removed in any case.
func Run(ctx context.Context, cfg Config) (err error) {
	if err := cfg.fill(); err != nil {
		return err
	}
	specs, err := fileSpecs(cfg.Files)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "spile-demo-")
	if err != nil {
		return fmt.Errorf("make folder of the demonstration: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &demo{cfg: cfg, dir: dir}
	for _, s := range shop.Sources(d.logs()) {
		specs = append(specs, file.Spec{Source: s.Name, Glob: s.Glob})
	}
	return d.run(ctx, specs)
}

// demo is one demonstration.
type demo struct {
	cfg Config
	dir string
	srv *server.Server
}

// logs is the folder of the shop.
func (d *demo) logs() string { return filepath.Join(d.dir, "logs") }

// run starts the parts, each on a goroutine that the group waits for; the first that fails ends the others.
func (d *demo) run(ctx context.Context, specs []file.Spec) (err error) {
	if err := os.Mkdir(d.logs(), 0o755); err != nil {
		return fmt.Errorf("make folder of the logs: %w", err)
	}
	market, err := shop.New(shop.Config{Dir: d.logs()})
	if err != nil {
		return fmt.Errorf("open shop: %w", err)
	}
	defer func() { err = errors.Join(err, market.Close()) }()
	listen, err := d.address(ctx)
	if err != nil {
		return err
	}
	d.srv, err = server.New(ctx, server.Config{
		Listen: listen, Data: filepath.Join(d.dir, "server"), Version: d.cfg.Version, Log: d.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("make server: %w", err)
	}
	defer func() { err = errors.Join(err, d.srv.Close()) }()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.srv.Run(ctx) })
	group.Go(func() error { return market.Run(ctx) })
	group.Go(func() error { return d.follow(ctx, specs) })
	group.Go(func() error { return d.present(ctx) })
	return group.Wait()
}

// follow runs the agent.
func (d *demo) follow(ctx context.Context, specs []file.Spec) error {
	a, err := agent.New(agent.Config{
		Server: d.srv.URL(), EnrolTokenFile: d.srv.EnrolTokenFile(), Data: filepath.Join(d.dir, "agent"),
		Name: agentName, Labels: map[string]string{"env": "demo"}, Files: specs,
		MetricsInterval: metricsInterval, Version: d.cfg.Version, Log: d.cfg.Log,
	})
	if err != nil {
		return fmt.Errorf("make agent: %w", err)
	}
	return a.Run(ctx)
}

// present waits for the agent to join, prints what there is to try, and then a new login for each line on Stdin.
func (d *demo) present(ctx context.Context) error {
	// Without the agent there is nothing to try. When the demonstration ended first, what ended it is told elsewhere.
	if err := d.joined(ctx); err != nil {
		return unlessDone(ctx, err)
	}
	text := try{
		executable: command(d.cfg.Executable), server: d.srv.URL(), tokenFile: d.srv.AdminTokenFile(),
		logs: d.logs(), files: d.cfg.Files,
	}
	if _, err := io.WriteString(d.cfg.Stdout, text.render(d.srv.NewLogin())); err != nil {
		return fmt.Errorf("print what to try: %w", err)
	}
	return d.prompt(ctx)
}

// unlessDone is err, or nil when ctx has ended, which then is the cause.
func unlessDone(ctx context.Context, err error) error {
	select {
	case <-ctx.Done():
		return nil
	default:
		return err
	}
}

// joined waits until the agent is online.
func (d *demo) joined(ctx context.Context) error {
	token, err := os.ReadFile(d.srv.AdminTokenFile())
	if err != nil {
		return fmt.Errorf("read token: %w", err)
	}
	calls, err := client.New(client.Options{BaseURL: d.srv.URL(), Token: strings.TrimSpace(string(token))})
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	tick := time.NewTicker(joinPoll)
	defer tick.Stop()
	for {
		if a, err := calls.Agent(ctx, agentName); err == nil && a.Status == wire.AgentOnline {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the agent to join: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

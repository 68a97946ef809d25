package pipetest

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spilelog/spile/agent"
	"github.com/spilelog/spile/agent/source/file"
	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/server"
	"github.com/spilelog/spile/wire"
)

const (
	// patience bounds a wait; what is waited for comes far sooner or never.
	patience = 90 * time.Second
	// poll is how often a condition is looked at.
	poll = 2 * time.Millisecond
	// agentName is the name of the one agent.
	agentName = "edge"
)

// fataler is what the parts need of a test.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// until waits until cond holds and says whether it came to that.
func until(cond func() bool) bool {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !cond() {
		select {
		case <-limit.C:
			return cond()
		case <-tick.C:
		}
	}
	return true
}

// life is one process of an agent or a server, as far as one process can hold two: what it knew is gone when it ends.
type life struct {
	stop context.CancelFunc
	done chan error // closed after Run's error
}

// live runs run until the life ends.
func live(run func(context.Context) error) *life {
	ctx, stop := context.WithCancel(context.Background())
	l := &life{stop: stop, done: make(chan error, 1)}
	go func() {
		l.done <- run(ctx)
		close(l.done)
	}()
	return l
}

// end stops the life and waits for it.
func (l *life) end() error {
	l.stop()
	return <-l.done
}

// fleet is a server and an agent that die and return.
type fleet struct {
	t    fataler
	dir  string
	logs string

	mu      sync.Mutex
	address string // of the server, empty while it is dead

	server    *life
	agent     *life
	agentLife int
	road      *road // the agent's way
	client    *client.Client
	token     string
}

// newFleet starts a server; no agent.
func newFleet(t fataler) *fleet {
	t.Helper()
	dir, err := os.MkdirTemp("", "spile-pipe-")
	if err != nil {
		t.Fatalf("fleet: %v", err)
	}
	f := &fleet{t: t, dir: dir, logs: filepath.Join(dir, "logs")}
	if err := os.Mkdir(f.logs, 0o755); err != nil {
		t.Fatalf("fleet: %v", err)
	}
	f.road = newRoad(t, f.target)
	f.startServer()
	return f
}

// close ends everything.
func (f *fleet) close() {
	f.killAgent()
	f.killServer()
	f.road.close()
	_ = os.RemoveAll(f.dir)
}

// target is the server's address.
func (f *fleet) target() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.address
}

// setTarget sets the server's address.
func (f *fleet) setTarget(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.address = address
}

// startServer starts a server with the folder of the one before.
func (f *fleet) startServer() {
	f.t.Helper()
	s, err := server.New(context.Background(), server.Config{
		Listen: "127.0.0.1:0", Data: filepath.Join(f.dir, "server"),
	})
	if err != nil {
		f.t.Fatalf("fleet: %v", err)
	}
	token, err := os.ReadFile(s.AdminTokenFile())
	if err != nil {
		f.t.Fatalf("fleet: %v", err)
	}
	f.token = strings.TrimSpace(string(token))
	f.client = f.clientAt(s.URL())
	f.server = live(func(ctx context.Context) error {
		err := s.Run(ctx)
		if late := s.Close(); err == nil {
			err = late
		}
		return err
	})
	f.setTarget(strings.TrimPrefix(s.URL(), "http://"))
}

// clientAt makes a client for a road or a server.
func (f *fleet) clientAt(url string) *client.Client {
	f.t.Helper()
	c, err := client.New(client.Options{BaseURL: url, Token: f.token})
	if err != nil {
		f.t.Fatalf("fleet: %v", err)
	}
	return c
}

// killServer ends the server without a word to anybody: the roads must be cut before. What it had on disk stays.
func (f *fleet) killServer() {
	if f.server == nil {
		return
	}
	f.setTarget("")
	f.road.cut(false)
	if err := f.server.end(); err != nil {
		f.t.Errorf("server: %v", err)
	}
	f.server = nil
}

// agentData is the data folder of the agent's present life.
func (f *fleet) agentData() string { return filepath.Join(f.dir, fmt.Sprintf("agent-%d", f.agentLife)) }

// startAgent starts the agent.
func (f *fleet) startAgent() {
	f.t.Helper()
	a, err := agent.New(agent.Config{
		Server: f.road.url(), EnrolTokenFile: filepath.Join(f.dir, "server", "enrol.token"), Data: f.agentData(),
		Name: agentName, Files: []file.Spec{{Source: "app", Glob: filepath.Join(f.logs, "*.log")}},
	})
	if err != nil {
		f.t.Fatalf("fleet: %v", err)
	}
	f.agent = live(a.Run)
}

// killAgent ends the agent as a kill does: nothing that it does from the moment of the cut on is seen by anybody. Its
// next life goes on from a copy of its folder that was made before it could put anything in order.
func (f *fleet) killAgent() {
	f.t.Helper()
	if f.agent == nil {
		return
	}
	f.road.cut(true)
	old := f.agentData()
	f.agentLife++
	if err := copyFolder(old, f.agentData()); err != nil {
		f.t.Fatalf("fleet: %v", err)
	}
	if err := f.agent.end(); err != nil {
		f.t.Errorf("agent: %v", err)
	}
	f.agent = nil
	f.road.heal()
}

// copyFolder copies a folder as it is at this moment. Files that come or go meanwhile are as in a folder of a process
// that died a moment sooner or later.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		data, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o600)
	})
}

// online waits until the server sees the agent.
func (f *fleet) online(t fataler) {
	t.Helper()
	seen := until(func() bool {
		a, err := f.client.Agent(context.Background(), agentName)
		return err == nil && a.Status == wire.AgentOnline
	})
	if !seen {
		t.Fatalf("the agent is not online")
	}
}

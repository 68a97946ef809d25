package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// TestKill kills viewer, agent and server, in turn and together, while a file is written. In complete mode the file is
// the buffer, so nothing may be missing that no gap announces, and nothing may come twice.
func TestKill(t *testing.T) {
	const (
		rounds  = 20
		perPart = 500
	)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgent("edge-1", "app="+log)
	timeout := 3600
	id := f.session(wire.StartRequest{AgentID: "edge-1", Mode: wire.ModeComplete, TimeoutSeconds: &timeout})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	stream := f.watch(ctx, id)
	written := 1
	led := newLedger(t, 1+(rounds+1)*2*perPart)
	led.seen[0] = 1
	write := func() {
		appendLines(t, log, written, written+perPart)
		written += perPart
	}
	other := f.startTail(id)
	for round := range rounds {
		write()
		led.readSome(ctx, stream, written-perPart/2)
		switch round % 5 {
		case 0:
			other.kill()
			after := stream.Cursor()
			_ = stream.Close()
			var err error
			stream, err = f.client.Stream(ctx, id, client.StreamOptions{AllEvents: true, After: after, MaxOffline: patience})
			if err != nil {
				t.Fatal(err)
			}
		case 1:
			agent.kill()
		case 2:
			f.server.kill()
		case 3:
			agent.kill()
			f.server.kill()
		case 4:
			agent.kill()
			f.server.kill()
			other.kill()
		}
		write()
		if round%5 >= 2 {
			f.startServer()
		}
		if round%5 == 1 || round%5 >= 3 {
			agent = f.startAgent("edge-1", "app="+log)
		}
		if round%5 == 0 || round%5 == 4 {
			other = f.startTail(id)
		}
	}
	write()
	led.seen = led.seen[:written]
	for led.order < written-1 {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("at line %d of %d: %v", led.order, written, err)
		}
		led.take(frame)
	}
	missing := uint64(len(led.missing()))
	if led.doubled > 0 || missing != led.gapped {
		t.Errorf("%d doubled, %d missing, %d announced; want none doubled and all missing announced",
			led.doubled, missing, led.gapped)
	}
	t.Logf("%d lines, %d rounds: %d missing, %d announced, %d doubled", written, rounds, missing, led.gapped, led.doubled)
	other.kill()
	f.until("the killed viewers are gone", func() bool {
		one, err := f.client.Session(ctx, id)
		return err == nil && one.Viewers == 1
	})
	if _, err := f.client.Stop(ctx, id); err != nil {
		t.Fatal(err)
	}
	f.until("no session's journal stays", func() bool {
		names, _ := filepath.Glob(filepath.Join(f.dir, "edge-1", "sessions", "*"))
		return len(names) == 0
	})
	f.until("no file of the session stays open", func() bool { return openFiles(t, agent, ".journal") == 0 })
}

// startTail runs a viewer as a process of its own.
func (f *fleet) startTail(id string) *process {
	f.t.Helper()
	return start(f.t, "tail", "--session", id, "--server", f.url(),
		"--token-file", filepath.Join(f.dir, "server", "admin.token"), "-o", "json")
}

// readSome books frames until line n or a later one came.
func (l *ledger) readSome(ctx context.Context, s *client.Stream, n int) {
	l.t.Helper()
	for l.order < n {
		frame, err := s.Next(ctx)
		if err != nil {
			l.t.Fatalf("at line %d: %v", l.order, err)
		}
		l.take(frame)
	}
}

// openFiles counts the files with the given ending that a process holds open.
func openFiles(t *testing.T, p *process, ending string) int {
	t.Helper()
	links, err := filepath.Glob(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "fd", "*"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && filepath.Ext(target) == ending {
			n++
		}
	}
	return n
}

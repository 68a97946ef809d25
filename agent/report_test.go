package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/spilelog/spile/agent/source/file"
)

// heardLog is a log that tells when a message comes.
type heardLog struct {
	slog.Handler
	message string
	heard   chan struct{}
}

// Handle passes the record on.
func (h heardLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.message {
		select {
		case h.heard <- struct{}{}:
		default:
		}
	}
	return h.Handler.Handle(ctx, r)
}

// TestChangeWhileTheLinkIsMadeIsTold has sources appear when the agent has introduced itself and was not welcomed yet:
// they are not in the introduction, there is no connection to tell them on, and nothing changes later.
func TestChangeWhileTheLinkIsMadeIsTold(t *testing.T) {
	const files = 3 // more than one, since an attempt may also be for what was there at the start
	b := newBench(t)
	heard := make(chan struct{}, 1)
	plain := slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})
	b.cfg.Log = slog.New(heardLog{plain, "status_not_delivered", heard})
	b.cfg.Files = []file.Spec{{Glob: filepath.Join(filepath.Dir(b.log), "*.log")}}
	b.server.welcome = make(chan struct{})
	b.start()
	receive(t, "hello", b.server.hellos)
	for n := range files {
		b.log = filepath.Join(filepath.Dir(b.log), fmt.Sprintf("other-%d.log", n))
		b.write("a line\n")
		receive(t, "attempt to tell", heard)
	}
	close(b.server.welcome)
	for len(receive(t, "status", b.server.states).Sources) < 1+files {
		continue
	}
}

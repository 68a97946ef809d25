package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTroubleIsTold blocks the way of the checkpoint, and clears it: the server hears of both, and of the first also
// from an agent that comes anew.
func TestTroubleIsTold(t *testing.T) {
	b := newBench(t)
	b.cfg.MetricsInterval = 20 * time.Millisecond // a report that is taken is followed by a checkpoint
	blocked := filepath.Join(b.cfg.Data, "counter.checkpoint", "in-the-way")
	if err := os.MkdirAll(blocked, 0o700); err != nil {
		t.Fatal(err)
	}
	problem := func(has func(string) bool) {
		t.Helper()
		for !has(receive(t, "status", b.server.states).Problem) {
		}
	}
	b.start()
	problem(func(text string) bool { return strings.HasPrefix(text, "checkpoint cannot be written: ") })
	b.server.cut()
	hello := receive(t, "hello", b.server.hellos)
	for hello.Problem == "" { // the first one knew of nothing yet
		hello = receive(t, "hello", b.server.hellos)
	}
	if err := os.RemoveAll(filepath.Dir(blocked)); err != nil {
		t.Fatal(err)
	}
	b.write("a line that is counted\n")
	problem(func(text string) bool { return text == "" })
}

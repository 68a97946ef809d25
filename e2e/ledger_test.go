package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// ledger holds what a viewer got of numbered lines: line N reads "line N of the test, <padding>".
type ledger struct {
	t    *testing.T
	seen []uint8
	// next is the number of the next event by epoch; frames must come without a hole that no gap announces.
	next    map[uint64]uint64
	order   int // the highest line so far
	swapped int // lines that came after a higher one
	doubled int
	gapped  uint64 // events announced as lost
	bytes   uint64 // bytes announced as lost
	blind   int    // gaps that say at least
	closing *wire.Control
}

// newLedger makes a ledger for n lines.
func newLedger(t *testing.T, n int) *ledger {
	return &ledger{t: t, seen: make([]uint8, n), next: map[uint64]uint64{}, order: -1}
}

// lineText is line n of a test.
func lineText(n int) string {
	return fmt.Sprintf("line %08d of the test, padded to a usual length of a line .....\n", n)
}

// take books one frame.
func (l *ledger) take(f client.Frame) {
	l.t.Helper()
	if f.Log != nil {
		l.log(f.Log)
		return
	}
	switch c := f.Control; {
	case c.Event == wire.EventGap && c.Unit == wire.UnitBytes:
		l.bytes += c.Count
		if c.AtLeast {
			l.blind++
		}
	case c.Event == wire.EventGap:
		if want := l.expect(c.Epoch); want != 0 && c.From != want {
			l.t.Fatalf("gap from %d to %d (%s), but the next event is %d", c.From, c.To, c.Reason, want)
		}
		if c.Count != c.To-c.From+1 {
			l.t.Fatalf("gap from %d to %d counts %d", c.From, c.To, c.Count)
		}
		l.gapped += c.Count
		l.next[c.Epoch] = c.To + 1
	case c.Event == wire.EventSessionEnded:
		l.closing = c
	}
}

// expect is the number of the next event in an epoch, 0 before the first.
func (l *ledger) expect(epoch uint64) uint64 { return l.next[epoch] }

// log books one event.
func (l *ledger) log(log *wire.Log) {
	l.t.Helper()
	if want := l.expect(log.Epoch); want != 0 && log.Seq != want {
		l.t.Fatalf("event %d of epoch %d, want %d: a hole that no gap announced", log.Seq, log.Epoch, want)
	}
	l.next[log.Epoch] = log.Seq + 1
	var n int
	if _, err := fmt.Sscanf(log.Message, "line %d", &n); err != nil || n >= len(l.seen) {
		return
	}
	if l.seen[n] > 0 {
		l.doubled++
	} else {
		l.seen[n] = 1
	}
	if n < l.order {
		l.swapped++
	}
	l.order = max(l.order, n)
}

// missing lists the lines that did not come.
func (l *ledger) missing() []int {
	var out []int
	for n, s := range l.seen {
		if s == 0 {
			out = append(out, n)
		}
	}
	return out
}

// finish stops the session, reads it to its end and checks the accounts.
func (l *ledger) finish(ctx context.Context, f *fleet, stream *client.Stream, id string) {
	l.t.Helper()
	if _, err := f.client.Stop(ctx, id); err != nil {
		l.t.Fatal(err)
	}
	for l.closing == nil {
		frame, err := stream.Next(ctx)
		if err != nil {
			l.t.Fatal(err)
		}
		l.take(frame)
	}
	l.accounts()
}

// accounts checks that the equations of the end frame close.
func (l *ledger) accounts() {
	l.t.Helper()
	if l.closing == nil || l.closing.Accounts == nil {
		l.t.Fatal("no end frame with accounts")
	}
	for id, a := range l.closing.Accounts.Agents {
		if !a.Closes() {
			l.t.Errorf("agent %s: %+v does not close", id, a)
		}
	}
	for id, v := range l.closing.Accounts.Viewer {
		if !v.Closes() {
			l.t.Errorf("viewer of %s: %+v does not close", id, v)
		}
	}
}

// appendLines writes lines from to to-1 to path.
func appendLines(t *testing.T, path string, from, to int) {
	t.Helper()
	if err := writeLines(path, from, to); err != nil {
		t.Fatal(err)
	}
}

// writeLines writes lines from to to-1 to path, a hundred in one write.
func writeLines(path string, from, to int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	var buf []byte
	for n := from; n < to; n++ {
		buf = append(buf, lineText(n)...)
		if n%100 == 99 || n == to-1 {
			if _, err := file.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}

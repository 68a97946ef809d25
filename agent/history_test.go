package agent_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// pastLines are lines from to to-1, written a second apart, the last of them just now.
func pastLines(from, to, all int) string {
	var b strings.Builder
	now := time.Now().Add(-time.Duration(all) * time.Second)
	for n := from; n < to; n++ {
		fmt.Fprintf(&b, "%s line %d of the past\n", now.Add(time.Duration(n)*time.Second).UTC().Format(time.RFC3339), n)
	}
	return b.String()
}

// writeGzip writes a compressed file.
func writeGzip(t *testing.T, path, text string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// newPast makes an agent whose file has a history of so many lines: two thirds of it rotated, one compressed.
func newPast(t *testing.T, all int) *bench {
	t.Helper()
	b := newBench(t)
	if err := os.Remove(b.log); err != nil {
		t.Fatal(err)
	}
	writeGzip(t, b.log+".2.gz", pastLines(0, all/3, all))
	if err := os.WriteFile(b.log+".1", []byte(pastLines(all/3, 2*all/3, all)), 0o644); err != nil {
		t.Fatal(err)
	}
	b.write(pastLines(2*all/3, all, all))
	return b
}

func TestHistoryEndComesOnceAtItsPlace(t *testing.T) {
	const all = 3_000
	tests := []struct {
		name        string
		since, tail int
		want        int
	}{
		{name: "since", since: all + 60, want: all},
		{name: "tail", tail: 2_500, want: 2_500},
		{name: "both", since: all + 60, tail: 10, want: 10},
		{name: "empty", since: 1, tail: 0, want: 0},
	}
	for _, tt := range tests {
		for _, mode := range []wire.Mode{wire.ModeLive, wire.ModeComplete} {
			t.Run(tt.name+"-"+string(mode), func(t *testing.T) {
				b := newPast(t, all)
				if tt.want == 0 {
					for _, end := range []string{"", ".1", ".2.gz"} {
						_ = os.Remove(b.log + end)
					}
					b.write(pastLines(0, 100, 5_000))
				}
				b.start()
				d := desire("sess_a", wire.Filters{})
				d.SinceMS, d.Tail, d.Mode = int64(tt.since)*1000, tt.tail, mode
				b.server.want(d)
				b.report(wire.ReportHistoryEnd)
				if got := len(b.server.frames); got != tt.want {
					t.Fatalf("%d events before the end of history, want %d", got, tt.want)
				}
				for n := all - tt.want; n < all && tt.want > 0; n++ {
					if log := receive(t, "frame", b.server.frames); !strings.Contains(log.Message, fmt.Sprintf("line %d ", n)) {
						t.Fatalf("event %d is %q, want line %d", log.Seq, log.Message, n)
					}
				}
				b.write("and what came later\n")
				if log := receive(t, "frame", b.server.frames); log.Message != "and what came later" {
					t.Errorf("message %q", log.Message)
				}
				b.server.want()
				for {
					r := receive(t, "report", b.server.reports)
					if r.State == wire.ReportHistoryEnd {
						t.Error("a second end of history")
					}
					if r.State == wire.ReportClosed {
						break
					}
				}
			})
		}
	}
}

// TestHistoryGoesOnAfterRestart stops the agent in the middle of its history, with batches that nobody acknowledged,
// and compresses meanwhile what they were made of.
func TestHistoryGoesOnAfterRestart(t *testing.T) {
	const all = 30_000
	b := newPast(t, all)
	b.server.credit, b.server.ack = 2<<20, false
	b.start()
	d := desire("sess_a", wire.Filters{})
	d.SinceMS = (all + 600) * 1000
	b.server.want(d)
	b.report(wire.ReportOpen)
	var seq uint64
	take := func() {
		log := receive(t, "frame", b.server.frames)
		if log.Seq <= seq {
			return
		}
		if want := fmt.Sprintf("line %d ", seq); log.Seq != seq+1 || !strings.Contains(log.Message, want) {
			t.Fatalf("event %d is %q, want event %d, %s", log.Seq, log.Message, seq+1, want)
		}
		seq = log.Seq
	}
	for seq < 2_000 {
		take()
	}
	for round := range 4 {
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		switch round {
		case 0: // a rotation that compresses what is read just now or comes next
			for _, move := range [][2]string{{".2.gz", ".3.gz"}, {".1", ".2"}, {"", ".1"}} {
				if err := os.Rename(b.log+move[0], b.log+move[1]); err != nil {
					t.Fatal(err)
				}
			}
			text, err := os.ReadFile(b.log + ".2")
			if err != nil {
				t.Fatal(err)
			}
			writeGzip(t, b.log+".2.gz", string(text))
			if err := os.Remove(b.log + ".2"); err != nil {
				t.Fatal(err)
			}
			b.write("")
		case 3:
			b.server.mu.Lock()
			b.server.credit, b.server.ack = wire.WindowBytes, true
			b.server.mu.Unlock()
		}
		b.server.mu.Lock()
		b.server.items = 0
		b.server.mu.Unlock()
		b.start()
	}
	for seq < all {
		take()
	}
	b.report(wire.ReportHistoryEnd)
	if n := len(b.server.gaps); n > 0 {
		t.Errorf("%d gaps, the first %+v", n, <-b.server.gaps)
	}
}

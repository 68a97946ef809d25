package file

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// stale is a writer that does not append.
type stale struct {
	*rig
	f    *os.File
	next int
	len  int64 // what it wrote so far
}

// lines writes so many lines and returns their bytes.
func (w *stale) lines(n int) int64 {
	w.t.Helper()
	text := numbered(w.next, w.next+n)
	if _, err := w.f.WriteString(text); err != nil {
		w.t.Fatal(err)
	}
	w.next += n
	w.len += int64(len(text))
	return int64(len(text))
}

// newStale makes a set whose polls never come, and a file that was just written and read to its end.
func newStale(t *testing.T) (*stale, source.Reader, *taken) {
	r := &rig{t: t, dir: t.TempDir(), poll: time.Hour}
	r.start("*.log")
	f, err := os.Create(r.path("app.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	w := &stale{rig: r, f: f}
	w.lines(100)
	rd := r.open(source.Start{Resume: []source.Position{}})
	k := &taken{}
	collect(t, rd, k, atLeast(100))
	return w, rd, k
}

// TestHoleTellsWhatIsLost has a file written until it is cut: what is lost is what its writer wrote beyond the copy, by
// the hole that it leaves.
func TestHoleTellsWhatIsLost(t *testing.T) {
	tests := []struct {
		name         string
		copied, lost int // lines before the copy, and between copy and cut
		looks        bool
	}{
		{"nothing-in-one-look", 7, 0, false},
		{"nothing", 7, 0, true},
		{"lines-in-one-look", 7, 3, false},
		{"lines", 7, 3, true},
		{"lines-and-nothing-before-the-copy", 0, 5, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, rd, k := newStale(t)
			w.set.mu.Lock()
			w.lines(tt.copied)
			w.copyTo("app.log", "app.log.1")
			lost := w.lines(tt.lost)
			w.truncate("app.log")
			if tt.looks {
				w.set.mu.Unlock()
				w.set.scan()
				collect(t, rd, k, atLeast(100+tt.copied))
				drain(t, rd, k)
				if len(k.gaps) > 0 {
					t.Fatalf("gaps %+v before anybody can know", k.gaps)
				}
				w.set.mu.Lock()
			}
			hole := w.len
			w.lines(10)
			w.set.mu.Unlock()
			collect(t, rd, k, atLeast(110+tt.copied))
			var want []source.Gap
			if lost > 0 {
				want = append(want, source.Gap{Bytes: lost, Reason: wire.ReasonTruncated})
			}
			want = append(want, source.Gap{Bytes: hole, Reason: wire.ReasonHole})
			for i := range want {
				want[i].Source, want[i].Path = "app", w.path("app.log")
			}
			if diff := cmp.Diff(want, k.gaps); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestHoleOfAnOverwriteTellsWhatIsLost has no copy.
func TestHoleOfAnOverwriteTellsWhatIsLost(t *testing.T) {
	w, rd, k := newStale(t)
	w.set.mu.Lock()
	lost := w.lines(40)
	w.truncate("app.log")
	w.lines(10)
	w.set.mu.Unlock()
	collect(t, rd, k, atLeast(110))
	if len(k.gaps) != 2 || k.gaps[0].Bytes != lost || k.gaps[0].AtLeast {
		t.Errorf("gaps %+v, want first %d bytes, exactly", k.gaps, lost)
	}
}

// TestDoubtEnds has a file that is not written again: what may be lost is told all the same.
func TestDoubtEnds(t *testing.T) {
	r := newRig(t)
	r.write("app.log", numbered(0, 100))
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(100))
	r.set.mu.Lock()
	r.write("app.log", numbered(100, 110))
	r.copyTo("app.log", "app.log.1")
	r.truncate("app.log")
	r.set.mu.Unlock()
	collect(t, rd, &k, func(k *taken) bool { return len(k.lines) == 110 && len(k.gaps) == 1 })
	if g := k.gaps[0]; g.Bytes != 0 || !g.AtLeast {
		t.Errorf("gap %+v", g)
	}
}

// TestGapComesBeforeTheNextLife has a file that is appended to after the cut, which tells nothing.
func TestGapComesBeforeTheNextLife(t *testing.T) {
	r := &rig{t: t, dir: t.TempDir(), poll: time.Hour}
	r.start("*.log")
	r.write("app.log", numbered(0, 100))
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(100))
	r.truncate("app.log")
	r.set.scan()
	drain(t, rd, &k)
	if len(k.gaps) > 0 {
		t.Fatalf("gaps %+v before the file is written again", k.gaps)
	}
	r.write("app.log", numbered(100, 110))
	collect(t, rd, &k, func(k *taken) bool { return len(k.lines) > 100 || len(k.gaps) > 0 })
	if len(k.lines) > 100 || len(k.gaps) != 1 || !k.gaps[0].AtLeast {
		t.Errorf("%d lines, gaps %+v; want the gap first", len(k.lines), k.gaps)
	}
	collect(t, rd, &k, atLeast(110))
}

// TestSmallLivesAreRemembered overwrites a small file, each time after the tracker saw it, and before anybody reads.
func TestSmallLivesAreRemembered(t *testing.T) {
	r := &rig{t: t, dir: t.TempDir(), poll: time.Hour}
	r.start("*.log")
	r.write("app.log", numbered(0, 2))
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(2))
	n := 2
	for range 5 {
		r.write("app.log", numbered(n, n+10))
		n += 10
		r.set.scan()
		r.truncate("app.log")
	}
	r.set.scan()
	r.write("app.log", numbered(n, n+10))
	collect(t, rd, &k, atLeast(n+10))
	wantNumbered(t, k.lines, n+10)
	for _, g := range k.gaps {
		if g.Bytes != 0 || !g.AtLeast {
			t.Errorf("gap %+v, of what was seen", g)
		}
	}
}

// TestHoleBehindSeveralLives has lives between what was seen and what is live, whose bytes are in copies of their own.
func TestHoleBehindSeveralLives(t *testing.T) {
	w, rd, k := newStale(t)
	n := 100
	w.set.mu.Lock()
	for range 3 {
		w.lines(20)
		n += 20
		w.shift("app.log")
		w.copyTo("app.log", "app.log.1")
		w.truncate("app.log")
	}
	w.lines(20)
	n += 20
	w.set.mu.Unlock()
	collect(t, rd, k, atLeast(n))
	wantNumbered(t, k.lines, n)
	for _, g := range k.gaps {
		if g.Reason != wire.ReasonHole && g.Bytes > 0 {
			t.Errorf("gap %+v, of what is in a copy", g)
		}
	}
}

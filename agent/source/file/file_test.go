package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/agent/source"
)

// deadline bounds every wait of these tests.
const deadline = 30 * time.Second

// rig is a set that runs on a folder of its own.
type rig struct {
	// poll is the poll of the set; 0 means 10 ms.
	poll time.Duration
	t    testing.TB
	dir  string
	set  *Set
	stop func()
	// maxOpen is for the sets, the usual one where it is 0; wide says that each folder counts as a wide one.
	maxOpen int
	wide    bool
}

func newRig(t testing.TB, globs ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	if len(globs) == 0 {
		globs = []string{"*.log"}
	}
	r.start(globs...)
	return r
}

// start makes a new set, as a new process would.
func (r *rig) start(globs ...string) {
	r.t.Helper()
	var specs []Spec
	for _, g := range globs {
		specs = append(specs, Spec{Glob: filepath.Join(r.dir, g)})
	}
	set, err := New(Options{
		Specs: specs, Poll: cmp.Or(r.poll, 10*time.Millisecond), RotateWait: 200 * time.Millisecond,
		MaxOpen: r.maxOpen,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if r.wide {
		set.narrow = 0
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- set.Run(ctx) }()
	r.set = set
	stopped := false
	r.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			r.t.Errorf("run: %v", err)
		}
	}
	r.t.Cleanup(r.stop)
}

func (r *rig) open(start source.Start) source.Reader {
	r.t.Helper()
	until := time.Now().Add(deadline)
	for {
		rd, err := r.set.Open(context.Background(), start)
		if err == nil {
			r.t.Cleanup(func() { _ = rd.Close() })
			return rd
		}
		if !errors.Is(err, errNotRunning) || time.Now().After(until) {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) path(name string) string { return filepath.Join(r.dir, name) }

func (r *rig) write(name, text string) {
	r.t.Helper()
	f, err := os.OpenFile(r.path(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// taken is what a reader returned.
type taken struct {
	lines []string
	gaps  []source.Gap
	cut   []int64
}

// collect reads until enough says so.
func collect(t testing.TB, rd source.Reader, into *taken, enough func(*taken) bool) {
	t.Helper()
	timeout := time.After(deadline)
	for !enough(into) {
		b, err := rd.Next()
		if errors.Is(err, source.ErrDry) {
			select {
			case <-rd.Ready():
			case <-timeout:
				t.Fatalf("too slow: %d lines, gaps %v, last %.200q", len(into.lines), into.gaps, last(into.lines))
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		into.take(b)
	}
}

func (k *taken) take(b *source.Block) {
	if b.Gap != nil {
		k.gaps = append(k.gaps, *b.Gap)
	}
	if len(b.Data) == 0 {
		return
	}
	if b.CutFrom > 0 {
		k.cut = append(k.cut, b.CutFrom)
	}
	k.lines = append(k.lines, strings.Split(strings.TrimSuffix(string(b.Data), "\n"), "\n")...)
}

func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

func atLeast(n int) func(*taken) bool { return func(k *taken) bool { return len(k.lines) >= n } }

func numbered(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "line %07d of a log that is written by a test\n", i)
	}
	return b.String()
}

// wantNumbered checks that lines are those from 0 to n in their order.
func wantNumbered(t testing.TB, lines []string, n int) {
	t.Helper()
	want := strings.Split(strings.TrimSuffix(numbered(0, n), "\n"), "\n")
	for i := range min(len(want), len(lines)) {
		if want[i] != lines[i] {
			t.Fatalf("line %d is %q, want %q", i, lines[i], want[i])
		}
	}
	if len(lines) != n {
		t.Fatalf("got %d lines, want %d", len(lines), n)
	}
}

func TestAppend(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "before\n")
	rd := r.open(source.Start{})
	var k taken
	r.write("app.log", numbered(0, 10))
	collect(t, rd, &k, atLeast(10))
	r.write("other.log", numbered(10, 11))
	collect(t, rd, &k, atLeast(11))
	wantNumbered(t, k.lines, 11)
}

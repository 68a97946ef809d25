package callsite

import (
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLookup(t *testing.T) {
	var c Cache
	pc, file, line, _ := runtime.Caller(0)
	want := Site{
		Namespace: "github.com/spilelog/spile/internal/callsite",
		At:        fmt.Sprintf("github.com/spilelog/spile/internal/callsite.TestLookup:%d", line),
		Function:  "github.com/spilelog/spile/internal/callsite.TestLookup",
		File:      file,
		Line:      line,
	}
	for range 2 { // The second answer is remembered.
		if diff := cmp.Diff(want, c.Lookup(pc)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
	if filepath.Base(file) != "callsite_test.go" {
		t.Errorf("the test looked at %s", file)
	}
}

func TestLookupOutsideTheProgram(t *testing.T) {
	var c Cache
	for _, pc := range []uintptr{0, 1, ^uintptr(0)} {
		if got := c.Lookup(pc); got != (Site{}) {
			t.Errorf("site of %#x is %+v", pc, got)
		}
	}
}

func TestLookupAllocatesNothing(t *testing.T) {
	var c Cache
	pc, _, _, _ := runtime.Caller(0)
	c.Lookup(pc)
	if n := testing.AllocsPerRun(100, func() { c.Lookup(pc) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// counters are many program counters of this program, most of them within one line of another.
func counters(n int) []uintptr {
	pc, _, _, _ := runtime.Caller(0)
	out := make([]uintptr, n)
	for i := range out {
		out[i] = pc + uintptr(i)
	}
	return out
}

// TestFullCache looks up more counters than there is room for: all are right, and the one looked up last is held.
func TestFullCache(t *testing.T) {
	var c Cache
	for _, pc := range counters(4 * slots) {
		got := c.Lookup(pc)
		if frame, _ := runtime.CallersFrames([]uintptr{pc}).Next(); got.Function != frame.Function || got.Line != frame.Line {
			t.Fatalf("site of %#x is %+v, want %s:%d", pc, got, frame.Function, frame.Line)
		}
		if n := testing.AllocsPerRun(1, func() { c.Lookup(pc) }); n != 0 {
			t.Fatalf("site of %#x is not held", pc)
		}
	}
}

// TestHammer looks up from many goroutines, in a cache that is too small for all.
func TestHammer(t *testing.T) {
	pcs := counters(2 * slots)
	want := make([]int, len(pcs))
	for i, pc := range pcs {
		frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
		want[i] = frame.Line
	}
	var c Cache
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range pcs {
				i = (i*(2*g+1) + g) % len(pcs)
				if got := c.Lookup(pcs[i]); got.Line != want[i] {
					t.Errorf("line of %#x is %d, want %d", pcs[i], got.Line, want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkLookup(b *testing.B) {
	var c Cache
	pc, _, _, _ := runtime.Caller(0)
	b.ReportAllocs()
	for b.Loop() {
		c.Lookup(pc)
	}
}

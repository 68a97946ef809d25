package namespace

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/event"
)

// pattern is a pattern that is right.
func pattern(t testing.TB, text string) Pattern {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		t.Fatalf("pattern %q: %v", text, err)
	}
	return p
}

// listed is what All yields.
func listed(b *Bindings) []string {
	var out []string
	for text, level := range b.All() {
		out = append(out, fmt.Sprintf("%s=%v", text, level))
	}
	return out
}

func TestNoBindings(t *testing.T) {
	var b *Bindings
	if _, ok := b.Level("A"); ok {
		t.Error("nil gives a level")
	}
	if b.Lowest() != math.MaxInt || listed(b) != nil {
		t.Errorf("nil has the lowest level %d and the bindings %v", b.Lowest(), listed(b))
	}
	if next, found := b.Without(pattern(t, "A")); next != nil || found {
		t.Errorf("without a pattern nil is %v, %t", next, found)
	}
}

func TestBindings(t *testing.T) {
	first := (*Bindings)(nil).With(pattern(t, "A::*"), event.Warning)
	second := first.With(pattern(t, "B.C"), event.Debug).With(pattern(t, "A::**"), event.Error)
	third := second.With(pattern(t, "::A/*"), event.Trace)
	fourth, found := third.Without(pattern(t, "/B/C/"))
	if !found {
		t.Error("another spelling of the pattern was not found")
	}
	if same, found := fourth.Without(pattern(t, "B.C")); same != fourth || found {
		t.Error("what is not bound was removed")
	}
	fifth, _ := fourth.Without(pattern(t, "A::**"))
	none, found := fifth.Without(pattern(t, "A::*"))
	if none != nil || !found {
		t.Errorf("without the last there are %v, %t", listed(none), found)
	}
	tests := []struct {
		name     string
		bindings *Bindings
		want     []string
		lowest   event.Level
		level    event.Level // of A::X
	}{
		{"first", first, []string{"A::*=warning"}, event.Warning, event.Warning},
		{"others-added", second, []string{"A::*=warning", "B.C=debug", "A::**=error"}, event.Debug, event.Warning},
		{"bound-again", third, []string{"B.C=debug", "A::**=error", "::A/*=trace"}, event.Trace, event.Trace},
		{"removed", fourth, []string{"A::**=error", "::A/*=trace"}, event.Trace, event.Trace},
		{"removed-next", fifth, []string{"::A/*=trace"}, event.Trace, event.Trace},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, listed(tt.bindings)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if got := tt.bindings.Lowest(); got != tt.lowest {
				t.Errorf("lowest is %v, want %v", got, tt.lowest)
			}
			for range 2 { // The second answer is remembered.
				if got, ok := tt.bindings.Level("A::X"); got != tt.level || !ok {
					t.Errorf("level is %v, %t, want %v", got, ok, tt.level)
				}
				if _, ok := tt.bindings.Level("Z"); ok {
					t.Error("a namespace that no pattern matches has a level")
				}
			}
		})
	}
}

func TestAllStops(t *testing.T) {
	b := (*Bindings)(nil).With(pattern(t, "A"), 0).With(pattern(t, "B"), 0)
	for text := range b.All() {
		if text != "A" {
			t.Errorf("went on to %s", text)
		}
		break
	}
}

// TestLastBoundWinsTies also binds the winner again, which makes it the last.
func TestLastBoundWinsTies(t *testing.T) {
	x, y := pattern(t, "A::X::**"), pattern(t, "A::**::Y")
	b := (*Bindings)(nil).With(x, event.Debug).With(y, event.Error)
	if got, _ := b.Level("A::X::Y"); got != event.Error {
		t.Errorf("level is %v, want that of the last bound", got)
	}
	if got, _ := b.With(x, event.Debug).Level("A::X::Y"); got != event.Debug {
		t.Errorf("level is %v, want that of the one bound again", got)
	}
}

// TestPublishedExample is the one in the manual of Crystal's Logit, which its code does not keep.
func TestPublishedExample(t *testing.T) {
	all, one := pattern(t, "MyApp::Database::*"), pattern(t, "MyApp::Database::QueryBuilder")
	orders := map[string]*Bindings{
		"wide-first":   (*Bindings)(nil).With(all, event.Warning).With(one, event.Debug),
		"narrow-first": (*Bindings)(nil).With(one, event.Debug).With(all, event.Warning),
	}
	for name, b := range orders {
		t.Run(name, func(t *testing.T) {
			if got, _ := b.Level("MyApp::Database::QueryBuilder"); got != event.Debug {
				t.Errorf("QueryBuilder has %v, want debug", got)
			}
			if got, _ := b.Level("MyApp::Database::Pool"); got != event.Warning {
				t.Errorf("Pool has %v, want warning", got)
			}
			if _, ok := b.Level("MyApp::Database"); ok {
				t.Error("Database itself is bound")
			}
		})
	}
}

// TestOrderOfBinding: for any two patterns that do not tie, it does not matter.
func TestOrderOfBinding(t *testing.T) {
	texts := rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B", one, many}), 1, 6)
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B", "C"}), 0, 7)
	rapid.Check(t, func(t *rapid.T) {
		p := compile(strings.Join(texts.Draw(t, "first"), "::"), everySeparator)
		q := compile(strings.Join(texts.Draw(t, "second"), "::"), everySeparator)
		name := strings.Join(names.Draw(t, "name"), ".")
		pq, ok := (*Bindings)(nil).With(p, event.Debug).With(q, event.Error).Level(name)
		qp, okToo := (*Bindings)(nil).With(q, event.Error).With(p, event.Debug).Level(name)
		if ok != okToo || ok != (p.Match(name) || q.Match(name)) {
			t.Fatalf("bound is %t and %t", ok, okToo)
		}
		if p.rank.Compare(q.rank) != 0 && pq != qp {
			t.Fatalf("level of %s is %v or %v, by the order of binding %s and %s", name, pq, qp, p, q)
		}
		if p.rank.Compare(q.rank) == 0 && !p.same(q) && p.Match(name) && q.Match(name) && (pq != event.Error || qp != event.Debug) {
			t.Fatalf("level of %s is %v or %v, not that of the last bound", name, pq, qp)
		}
	})
}

func TestLevelAllocatesNothing(t *testing.T) {
	b := (*Bindings)(nil).With(pattern(t, "github.com/acme/**"), event.Debug).With(pattern(t, "A::*"), event.Error)
	for _, name := range []string{"github.com/acme/shop/db.Pool", "A::B", "nobody/bound/this", ""} {
		b.Level(name)
		if n := testing.AllocsPerRun(100, func() { b.Level(name) }); n != 0 {
			t.Errorf("%q: %v allocations, want none", name, n)
		}
	}
	p := pattern(t, "**::a::**::b::*")
	if n := testing.AllocsPerRun(100, func() { p.Match("a.b.a.b.c/d") }); n != 0 {
		t.Errorf("match: %v allocations, want none", n)
	}
}

// TestNamesInABuffer asks with names whose memory is used again, as that of a line of a file is.
func TestNamesInABuffer(t *testing.T) {
	b := (*Bindings)(nil).With(pattern(t, "A::X"), event.Debug)
	buf := []byte("A::X")
	b.Level(unsafe.String(unsafe.SliceData(buf), len(buf)))
	copy(buf, "A::Y")
	if got, ok := b.Level("A::X"); got != event.Debug || !ok {
		t.Errorf("level is %v, %t", got, ok)
	}
	for a := range b.known.table().answers {
		if a := b.known.table().answers[a].Load(); a != nil && a.namespace != "A::X" {
			t.Errorf("remembers %q", a.namespace)
		}
	}
}

// TestCacheIsBounded asks about a million namespaces, some of them long, and looks at what that left behind.
func TestCacheIsBounded(t *testing.T) {
	b := (*Bindings)(nil).With(pattern(t, "n::*"), event.Debug)
	before := heap()
	for i := range 1_000_000 {
		name := fmt.Sprintf("n::%d", i)
		if i%1000 == 0 {
			name += strings.Repeat("x", 100_000)
		}
		if got, ok := b.Level(name); got != event.Debug || !ok {
			t.Fatalf("level of %.20s is %v, %t", name, got, ok)
		}
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("keeps %d bytes", grown)
	}
	runtime.KeepAlive(b)
}

// heap is the memory in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestHammer asks and changes at once; every answer is that of the bindings that were asked.
func TestHammer(t *testing.T) {
	patterns := []Pattern{pattern(t, "a.**"), pattern(t, "a.*.c"), pattern(t, "**.c"), pattern(t, "a.b.c")}
	var current atomic.Pointer[Bindings]
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 3000 {
				p := patterns[(i+g)%len(patterns)]
				next := current.Load().With(p, event.Level(i))
				if i%3 == 0 {
					next, _ = next.Without(p)
				}
				current.Store(next)
			}
		})
		wg.Go(func() {
			for i := range 20000 {
				b := current.Load()
				name := fmt.Sprintf("a.%d.c", i*(g+1)%3000)
				got, ok := b.Level(name)
				if b == nil {
					continue
				}
				if want, wantOK := b.decide(name); got != want || ok != wantOK {
					t.Errorf("level of %s is %v, %t, want %v, %t", name, got, ok, want, wantOK)
					return
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkLevel(b *testing.B) {
	bindings := (*Bindings)(nil).With(pattern(b, "github.com/acme/**"), event.Debug)
	b.ReportAllocs()
	for b.Loop() {
		bindings.Level("github.com/acme/shop/db.Pool")
	}
}

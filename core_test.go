package spile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/namespace"
)

// reference is a backend as a test knows it: what was set, and nothing derived from it.
type reference struct {
	probe    *probe
	level    slog.Level
	changing *slog.LevelVar // not nil if the backend has it for its level
	bindings []Binding
}

// bound is the level that the bindings give, worked out from scratch.
func (r *reference) bound(name string) (slog.Level, bool) {
	var b *namespace.Bindings
	for _, x := range r.bindings {
		p, err := namespace.Parse(x.Pattern)
		if err != nil {
			panic(err)
		}
		b = b.With(p, event.Level(x.Level))
	}
	level, ok := b.Level(name)
	return slog.Level(level), ok
}

// takes says whether the backend takes a record.
func (r *reference) takes(level slog.Level, name string) bool {
	if bound, ok := r.bound(name); ok {
		return level >= bound
	}
	return level >= r.level
}

// could says whether it could take one of any namespace.
func (r *reference) could(level slog.Level) bool {
	return level >= r.level || slices.ContainsFunc(r.bindings, func(b Binding) bool { return level >= b.Level })
}

// setLevel is what a caller and a test do to change a level.
func (r *reference) setLevel(level slog.Level, byItself bool) {
	r.level = level
	switch {
	case !byItself:
		r.changing = nil
		r.probe.SetLevel(level)
	case r.changing != nil:
		r.changing.Set(level)
	default:
		r.changing = &slog.LevelVar{}
		r.changing.Set(level)
		r.probe.SetLevel(r.changing)
	}
}

// bind is Bind for the list of a test.
func (r *reference) bind(b Binding) {
	r.bindings = append(slices.DeleteFunc(r.bindings, func(x Binding) bool { return x.Pattern == b.Pattern }), b)
}

// world is a handler, its backends in their order, and loggers made along the way.
type world struct {
	t        *rapid.T
	h        *Handler
	backends []*reference
	gone     []*reference
	loggers  map[string][]*slog.Logger // by the namespace carried
	named    int
}

var (
	anyLevel   = rapid.SampledFrom([]slog.Level{-8, -4, 0, 2, 4, 8, 14, LevelOff})
	anyPattern = rapid.SampledFrom([]string{"A", "A::*", "A::**", "A::B", "*::B", "**"})
	anyName    = rapid.SampledFrom([]string{"", "A", "A::B", "A::C", "A::B::C", "B"})
)

// pick is one of the backends, nil if there is none.
func (w *world) pick() *reference {
	if len(w.backends) == 0 {
		return nil
	}
	return w.backends[rapid.IntRange(0, len(w.backends)-1).Draw(w.t, "backend")]
}

// step does one thing to the world.
func (w *world) step() {
	r := w.pick()
	what := rapid.IntRange(0, 8).Draw(w.t, "step")
	if what > 2 && r == nil {
		what = 0
	}
	switch what {
	case 0: // A new backend.
		w.named++
		r = &reference{probe: newProbe(fmt.Sprint("b", w.named), nil)}
		r.setLevel(anyLevel.Draw(w.t, "level"), rapid.Bool().Draw(w.t, "changing"))
		w.add(r)
	case 1: // One that was removed comes back.
		if len(w.gone) > 0 {
			r, w.gone = w.gone[0], w.gone[1:]
			w.add(r)
		}
	case 2: // A logger is derived.
		name := anyName.Draw(w.t, "carried")
		from := slog.New(w.h)
		if name != "" {
			from = from.With(Namespace(name), slog.Int("k", 1))
		}
		w.loggers[name] = append(w.loggers[name], from.WithGroup("g"))
	case 3:
		if w.h.Remove(r.probe.Name()) != Backend(r.probe) {
			w.t.Fatalf("%s is not found", r.probe.Name())
		}
		w.backends = slices.DeleteFunc(w.backends, func(x *reference) bool { return x == r })
		w.gone = append(w.gone, r)
	case 4, 5:
		r.setLevel(anyLevel.Draw(w.t, "level"), rapid.Bool().Draw(w.t, "changing"))
	case 6:
		b := Binding{Pattern: anyPattern.Draw(w.t, "pattern"), Level: anyLevel.Draw(w.t, "bound")}
		w.must(r.probe.Bind(b.Pattern, b.Level))
		r.bind(b)
	case 7:
		pattern := anyPattern.Draw(w.t, "pattern")
		before := len(r.bindings)
		r.bindings = slices.DeleteFunc(r.bindings, func(x Binding) bool { return x.Pattern == pattern })
		if r.probe.Unbind(pattern) != (len(r.bindings) < before) {
			w.t.Fatalf("unbind %s said the wrong thing", pattern)
		}
	case 8:
		var list []Binding
		r.bindings = nil
		for range rapid.IntRange(0, 3).Draw(w.t, "bindings") {
			b := Binding{Pattern: anyPattern.Draw(w.t, "pattern"), Level: anyLevel.Draw(w.t, "bound")}
			list = append(list, b)
			r.bind(b)
		}
		w.must(r.probe.SetBindings(list))
	}
}

func (w *world) add(r *reference) {
	w.must(w.h.Add(r.probe))
	w.backends = append(w.backends, r)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// check compares every logger with what the backends should say, from scratch.
func (w *world) check() {
	level := rapid.SampledFrom([]slog.Level{-9, -8, -5, -4, -1, 0, 2, 3, 4, 8, 14, 20}).Draw(w.t, "at")
	given := anyName.Draw(w.t, "given")
	for carried, loggers := range w.loggers {
		for _, l := range loggers {
			enabled := slices.ContainsFunc(w.backends, func(r *reference) bool {
				if carried == "" {
					return r.could(level)
				}
				return r.takes(level, carried)
			})
			if got := l.Enabled(context.Background(), level); got != enabled {
				w.t.Fatalf("enabled of a logger of %q at %d: got %t, want %t", carried, level, got, enabled)
			}
			w.deliver(l, level, carried, given)
		}
	}
}

// deliver gives the handler a record and looks who got it.
func (w *world) deliver(l *slog.Logger, level slog.Level, carried, given string) {
	r := slog.NewRecord(time.Now(), level, "m", 0)
	name := carried
	if given != "" {
		r.AddAttrs(Namespace(given))
		name = given
	}
	w.must(l.Handler().Handle(context.Background(), r))
	for _, b := range w.backends {
		if got, want := len(b.probe.texts()), b.takes(level, name); (got == 1) != want || got > 1 {
			w.t.Fatalf("%s got %d records of %q at %d, want %t", b.probe.Name(), got, name, level, want)
		}
	}
	for _, b := range w.gone {
		if got := b.probe.texts(); got != nil {
			w.t.Fatalf("%s was removed and got %q", b.probe.Name(), got)
		}
	}
}

// TestAnyInterleaving holds that, whatever was done in whatever order, Enabled is what the settings say, and Handle
// gives each record to exactly those that take it.
func TestAnyInterleaving(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, h: New(), loggers: map[string][]*slog.Logger{}}
		w.loggers[""] = []*slog.Logger{slog.New(w.h)}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			w.step()
			w.check()
		}
		if got := len(w.h.Backends()); got != len(w.backends) {
			t.Fatalf("%d backends, want %d", got, len(w.backends))
		}
	})
}

// TestBackendOfTwoHandlers holds that each of them hears of a change, and only as long as it has the backend.
func TestBackendOfTwoHandlers(t *testing.T) {
	p := newProbe("p", nil)
	one, two := New(p), New(p)
	p.SetLevel(slog.LevelDebug)
	for _, h := range []*Handler{one, two} {
		if !h.Enabled(t.Context(), slog.LevelDebug) {
			t.Error("a handler did not hear of the change")
		}
	}
	one.Remove("p")
	if got := len(p.watchers); got != 1 {
		t.Errorf("%d handlers are told of changes, want 1", got)
	}
	if one.Enabled(t.Context(), LevelOff-1) || !two.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("removed from the wrong one")
	}
}

// hammered is a backend that checks what it gets. Everything of an event must be of one record.
type hammered struct {
	*Base
	torn, got atomic.Int64
}

func (b *hammered) Log(_ context.Context, e *event.Event) error {
	b.got.Add(1)
	v, _ := e.Metadata.Get("g.a.n")
	w, _ := e.Metadata.Get("n")
	if v.Text() == "" || v.Text() != w.Text() || e.Message != "m" {
		b.torn.Add(1)
	}
	if e.Level >= event.Error {
		return errProbe
	}
	return nil
}

// TestHammer does everything at once; it is meant for the race detector.
func TestHammer(t *testing.T) {
	const rounds = 300
	steady := &hammered{Base: NewBase("steady", BaseOptions{Level: slog.LevelDebug})}
	h := New(steady)
	root := slog.New(h)
	var wg sync.WaitGroup
	run := func(do func(i int)) {
		wg.Go(func() {
			for i := range rounds {
				do(i)
			}
		})
	}
	for worker := range 3 {
		run(func(i int) {
			n := fmt.Sprint(worker, "-", i)
			ctx := WithMetadata(context.Background(), slog.String("n", n))
			v := Lazy(func() slog.Value { return slog.GroupValue(slog.String("n", n)) })
			root.With("w", worker).WithGroup("g").With("a", v).WarnContext(ctx, "m")
			root.WithGroup("g").With(Namespace("A::B")).InfoContext(ctx, "m", slog.Group("a", "n", n))
			root.WithGroup("g").ErrorContext(ctx, "m", "a", v)
		})
		run(func(i int) {
			name := fmt.Sprint("guest", worker)
			guest := &hammered{Base: NewBase(name, BaseOptions{Level: &slog.LevelVar{}})}
			if err := h.Add(guest); err != nil {
				t.Error(err)
			}
			if err := h.Rename(name, name+"-renamed"); err != nil {
				t.Error(err)
			}
			if h.Remove(name+"-renamed") != Backend(guest) || guest.torn.Load() != 0 {
				t.Error("the guest is lost, or got a torn record")
			}
		})
	}
	run(func(i int) {
		if err := steady.Bind("A::*", slog.Level(i%3)); err != nil {
			t.Error(err)
		}
		steady.SetLevel(slog.Level(-4 + i%4))
		if err := steady.SetBindings([]Binding{{"B", slog.LevelError}}); err != nil {
			t.Error(err)
		}
		steady.Unbind("B")
		steady.SetFormatter(nil)
	})
	run(func(int) {
		h.OnError(func(string, error) {})
		h.Backends()
		h.Backend("steady").Settings().Bindings()
		if err := errors.Join(h.Flush(context.Background()), h.Close(context.Background())); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	if got, want := steady.got.Load(), int64(3*rounds*2); got < want || steady.torn.Load() > 0 {
		t.Errorf("got %d records, want at least %d; %d were torn", got, want, steady.torn.Load())
	}
	if got, want := steady.Failed(), uint64(3*rounds); got != want {
		t.Errorf("counted %d lost records, want %d", got, want)
	}
}

// TestChangeIsSeenAtOnce holds that a call after a change goes by it, in every goroutine that learned of it.
func TestChangeIsSeenAtOnce(t *testing.T) {
	p := newProbe("p", slog.LevelInfo)
	logger := slog.New(New(p)).With("k", 1)
	ready, done := make(chan slog.Level), make(chan bool)
	go func() {
		defer close(done)
		for level := range ready {
			done <- logger.Enabled(context.Background(), level) && !logger.Enabled(context.Background(), level-1)
		}
	}()
	for i := range 1000 {
		level := slog.Level(i%7 - 3)
		p.SetLevel(level)
		ready <- level
		if !<-done {
			t.Fatalf("after %d changes: the level %v is not what counts", i, level)
		}
	}
	close(ready)
	<-done
}

func TestForgottenHandlersAreNotKept(t *testing.T) {
	b := newProbe("b", nil)
	gone := make(chan struct{})
	runtime.AddCleanup(New(b).core, func(gone chan struct{}) { close(gone) }, gone)
	runtime.GC()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Fatal("a backend keeps a handler that the program has forgotten")
	}
	h := New(b) // One that is not forgotten still hears of changes.
	b.SetLevel(slog.LevelDebug)
	if n := len(b.watchers); n != 1 || !h.Enabled(t.Context(), slog.LevelDebug) {
		t.Errorf("%d watchers, and the handler did not hear of the change", n)
	}
}

package spile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
)

// wrapper is a handler of somebody else around ours.
type wrapper struct{ slog.Handler }

func (w wrapper) WithAttrs(attrs []slog.Attr) slog.Handler {
	return wrapper{w.Handler.WithAttrs(attrs)}
}
func (w wrapper) WithGroup(name string) slog.Handler { return wrapper{w.Handler.WithGroup(name)} }

// restless adds and removes a backend at every step of a logger's life.
type restless struct {
	slog.Handler
	root *Handler
}

func (r restless) churn() {
	if err := r.root.Add(newProbe("guest", slog.LevelDebug)); err != nil {
		panic(err)
	}
	r.root.Remove("guest")
}

func (r restless) Handle(ctx context.Context, rec slog.Record) error {
	r.churn()
	return r.Handler.Handle(ctx, rec)
}

func (r restless) WithAttrs(attrs []slog.Attr) slog.Handler {
	r.churn()
	return restless{r.Handler.WithAttrs(attrs), r.root}
}

func (r restless) WithGroup(name string) slog.Handler {
	r.churn()
	return restless{r.Handler.WithGroup(name), r.root}
}

func TestSlogtest(t *testing.T) {
	tests := []struct {
		name string
		make func(p *probe) slog.Handler
	}{
		{"plain", func(p *probe) slog.Handler { return New(p) }},
		{"wrapped", func(p *probe) slog.Handler { return wrapper{New(p)} }},
		{"within-multi", func(p *probe) slog.Handler { return slog.NewMultiHandler(New(p), New(newProbe("other", nil))) }},
		{"second-of-two", func(p *probe) slog.Handler { return New(newProbe("first", nil), p) }},
		{"beside-a-failing-one", func(p *probe) slog.Handler {
			bad := newProbe("bad", nil)
			bad.fail = func() error { panic("no") }
			return New(bad, p)
		}},
		{"added-late", func(p *probe) slog.Handler {
			h := New()
			if err := h.Add(p); err != nil {
				t.Fatal(err)
			}
			return h
		}},
		{"removed-and-added-again", func(p *probe) slog.Handler {
			h := New(p, newProbe("other", nil))
			if h.Remove("probe") == nil {
				t.Fatal("not found")
			}
			if err := h.Add(p); err != nil {
				t.Fatal(err)
			}
			return h
		}},
		{"others-come-and-go", func(p *probe) slog.Handler {
			h := New(p)
			return restless{h, h}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p *probe
			slogtest.Run(t, func(*testing.T) slog.Handler {
				p = newProbe("probe", nil)
				return tt.make(p)
			}, func(t *testing.T) map[string]any {
				got := p.records(t)
				if len(got) != 1 {
					t.Fatalf("got %d records, want 1", len(got))
				}
				return got[0]
			})
		})
	}
}

func TestEachBackendGoesByItsOwnLevel(t *testing.T) {
	quiet, loud := newProbe("quiet", slog.LevelError), newProbe("loud", slog.LevelDebug)
	logger := slog.New(New(quiet, loud))
	for _, level := range []slog.Level{-8, slog.LevelDebug, slog.LevelInfo, slog.LevelError} {
		logger.Log(t.Context(), level, "m")
	}
	got := [2]int{len(quiet.texts()), len(loud.texts())}
	if want := [2]int{1, 3}; got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if logger.Enabled(t.Context(), slog.LevelDebug-1) || !logger.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("the threshold is not the lowest level")
	}
}

func TestDerivedLoggersSeeLaterBackends(t *testing.T) {
	h := New()
	before := slog.New(h).With("a", 1).WithGroup("g").With("b", 2)
	if before.Enabled(t.Context(), slog.LevelError) {
		t.Error("enabled without a backend")
	}
	p := newProbe("late", nil)
	if err := h.Add(p); err != nil {
		t.Fatal(err)
	}
	before.Info("m", "c", 3)
	if got, want := p.fields(t), `{"a":1,"g":{"b":2,"c":3}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if h.Remove("late") != Backend(p) {
		t.Error("remove gave something else")
	}
	before.Info("m")
	if got := p.texts(); got != nil || before.Enabled(t.Context(), slog.LevelError) {
		t.Errorf("removed, yet got %q", got)
	}
}

func TestNames(t *testing.T) {
	a, b := newProbe("a", nil), newProbe("b", nil)
	h := New(a, b)
	check := func(what string, err error, want string) {
		t.Helper()
		if got := fmt.Sprint(err); got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	check("same name", h.Add(newProbe("a", nil)), `add backend "a": the name is in use`)
	check("rename nobody", h.Rename("x", "y"), `rename backend "x": there is none of that name`)
	check("rename to one in use", h.Rename("a", "b"), `rename backend "a": the name "b" is in use`)
	check("rename to itself", h.Rename("a", "a"), "<nil>")
	check("rename", h.Rename("a", "c"), "<nil>")
	if h.Remove("a") != nil || h.Remove("nobody") != nil {
		t.Error("removed a backend that is not there")
	}
	if h.Backend("c") != Backend(a) || h.Backend("a") != nil || a.Name() != "c" {
		t.Error("the new name does not find it")
	}
	if got := h.Backends(); !slices.Equal(got, []Backend{a, b}) {
		t.Errorf("backends: got %v", got)
	}
	slog.New(h).Info("m")
	if len(a.texts()) != 1 || len(b.texts()) != 1 {
		t.Error("removing what is not there muted somebody")
	}
	defer func() {
		if p := recover(); p != `spile.New: add backend "n": the name is in use` {
			t.Errorf("got panic %v", p)
		}
	}()
	New(newProbe("n", nil), newProbe("n", nil))
}

// mute is an error, and a value to panic with, that panics when it is asked for a text.
type mute struct{}

func (mute) Error() string { panic(mute{}) }

func TestOneFailingBackendStopsNobody(t *testing.T) {
	fails := map[string]func() error{
		"error":            func() error { return errProbe },
		"panic":            func() error { panic("boom") },
		"panic-error":      func() error { panic(errProbe) },
		"panic-of-runtime": func() error { return []error{}[len(t.Name())] },
		"error-of-no-text": func() error { return mute{} },
		"panic-of-no-text": func() error { panic(mute{}) },
	}
	for name, fail := range fails {
		t.Run(name, func(t *testing.T) {
			first, bad, last := newProbe("first", nil), newProbe("bad", nil), newProbe("last", nil)
			bad.fail = fail
			h := New(first, bad, last)
			var told []string
			h.OnError(func(backend string, err error) { told = append(told, backend+": "+err.Error()) })
			r := slog.NewRecord(time.Now(), slog.LevelInfo, "m", 0)
			err := h.Handle(t.Context(), r)
			if err == nil || !strings.HasPrefix(err.Error(), "log to bad: ") {
				t.Errorf("got error %v", err)
			}
			if name == "error" && !errors.Is(err, errProbe) {
				t.Errorf("error %v is not what the backend said", err)
			}
			if len(told) != 1 || told[0] != "bad: "+err.Error() {
				t.Errorf("told %q", told)
			}
			if len(first.texts()) != 1 || len(last.texts()) != 1 {
				t.Error("the others did not get the record")
			}
			if got := [3]uint64{first.Failed(), bad.Failed(), last.Failed()}; got != [3]uint64{0, 1, 0} {
				t.Errorf("failed: got %v", got)
			}
			h.OnError(nil)
			slog.New(h).Info("m")
			if len(told) != 1 || bad.Failed() != 2 {
				t.Errorf("after OnError(nil): told %q, failed %d", told, bad.Failed())
			}
		})
	}
}

func TestPanickingReporterStopsNobody(t *testing.T) {
	bad, last := newProbe("bad", nil), newProbe("last", nil)
	bad.fail = func() error { return errProbe }
	h := New(bad, last)
	h.OnError(func(string, error) { panic("reporter") })
	err := h.Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, "m", 0))
	if !errors.Is(err, errProbe) || !strings.Contains(err.Error(), "report a lost record: panic: reporter") {
		t.Errorf("got %v", err)
	}
	if len(last.texts()) != 1 {
		t.Error("the other did not get the record")
	}
}

func TestReporterThatPanicsWithNoText(t *testing.T) {
	bad := newProbe("bad", nil)
	bad.fail = func() error { return errProbe }
	h := New(bad)
	h.OnError(func(string, error) { panic(mute{}) })
	slog.New(h).Info("m") // Nothing of that may reach the caller.
	if bad.Failed() != 1 {
		t.Errorf("failed: got %d", bad.Failed())
	}
}

// ending is a backend whose Flush and Close do what they are told.
type ending struct {
	*probe
	end  func() error
	ends []string
}

func (b *ending) Flush(context.Context) error { b.ends = append(b.ends, "flush"); return b.end() }
func (b *ending) Close(context.Context) error { b.ends = append(b.ends, "close"); return b.end() }

func TestFlushAndCloseReachAll(t *testing.T) {
	bad := &ending{newProbe("bad", nil), func() error { return errProbe }, nil}
	worse := &ending{newProbe("worse", nil), func() error { panic("boom") }, nil}
	good := &ending{newProbe("good", nil), func() error { return nil }, nil}
	h := New(bad, worse, good)
	for _, tt := range []struct {
		verb string
		do   func(context.Context) error
	}{{"flush", h.Flush}, {"close", h.Close}} {
		err := tt.do(t.Context())
		want := tt.verb + " backend bad: disk on fire\n" + tt.verb + " backend worse: panic: boom"
		if err == nil || err.Error() != want || !errors.Is(err, errProbe) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if diff := cmp.Diff([]string{"flush", "close"}, good.ends); diff != "" {
		t.Errorf("the last one (-want +got)\n%s", diff)
	}
}

// picky is a Chooser.
type picky struct {
	*probe
	lowest func(namespace string, carried event.Metadata) event.Level
}

func (p *picky) Lowest(ns string, carried event.Metadata) event.Level { return p.lowest(ns, carried) }

func TestChooser(t *testing.T) {
	want := "42"
	p := &picky{probe: newProbe("picky", slog.LevelDebug)}
	p.lowest = func(_ string, carried event.Metadata) event.Level {
		if v, ok := carried.Get("req.id"); ok && v.Text() != want {
			return event.Level(LevelOff)
		}
		return event.Debug
	}
	root := slog.New(New(p))
	in := func(id any, rest ...any) *slog.Logger {
		return root.WithGroup("req").With(append([]any{"id", id}, rest...)...)
	}
	loggers := []*slog.Logger{
		root, in("42"), in("7"), in("7").With("x", 1).WithGroup("deep"),
		in(Lazy(func() slog.Value { return slog.StringValue("7") })),
		in(Lazy(func() slog.Value { return slog.StringValue("42") }), "id", "7"),
	}
	check := func(what string, want ...bool) {
		t.Helper()
		var got []bool
		for _, l := range loggers {
			got = append(got, l.Enabled(t.Context(), slog.LevelDebug))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
	check("42", true, true, false, false, true, true)
	want = "7"
	check("changed, not yet told", true, true, false, false, true, true)
	p.Touch()
	check("7", true, false, true, true, true, true)
	p.SetLevel(slog.LevelInfo)
	check("level above", false, false, false, false, false, false)
	level := &slog.LevelVar{}
	level.Set(slog.LevelDebug)
	p.SetLevel(level)
	check("level that changes", true, false, true, true, true, true)
	level.Set(slog.LevelInfo)
	check("level that changed", false, false, false, false, false, false)
	p.lowest = func(string, event.Metadata) event.Level { panic("no choice") }
	p.SetLevel(slog.LevelDebug)
	check("panic", true, true, true, true, true, true)
}

func TestLevelThatChangesByItself(t *testing.T) {
	level := &slog.LevelVar{}
	p := newProbe("p", level)
	if err := p.Bind("db.**", slog.LevelError); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(New(p))
	bound := logger.With(Namespace("db.Pool"))
	for _, now := range []slog.Level{slog.LevelDebug, slog.LevelWarn, -8, LevelOff} {
		level.Set(now)
		for l := slog.Level(-8); l <= 16; l++ {
			// A binding counts for every namespace as long as none is known.
			if got, want := logger.Enabled(t.Context(), l), l >= min(now, slog.LevelError); got != want {
				t.Errorf("at %v, %v: got %t, want %t", now, l, got, want)
			}
			if got, want := bound.Enabled(t.Context(), l), l >= slog.LevelError; got != want {
				t.Errorf("bound, at %v, %v: got %t, want %t", now, l, got, want)
			}
		}
	}
}

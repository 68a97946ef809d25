package spile

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/event"
)

// Callers of all sorts. Each logs once; the namespace is that of the place where the call stands.
type (
	pool             struct{}
	genericOf[T any] struct{}
)

func (pool) byValue(l *slog.Logger)         { l.Info("m") }
func (*pool) byPointer(l *slog.Logger)      { l.Info("m") }
func (*pool) inClosure(l *slog.Logger)      { func() { l.Info("m") }() }
func (*genericOf[T]) method(l *slog.Logger) { l.Info("m") }
func generic[T any](l *slog.Logger)         { l.Info("m") }
func function(l *slog.Logger)               { l.Info("m") }

// source gives the namespace of the one record that call logs.
func source(t *testing.T, h *Handler, call func(*slog.Logger)) string {
	t.Helper()
	got := "none"
	watcher := newSeen(func(e *event.Event) { got = e.Source })
	if err := h.Add(watcher); err != nil {
		t.Fatal(err)
	}
	defer h.Remove("seen")
	call(slog.New(h))
	return got
}

func TestNamespace(t *testing.T) {
	const here = "github.com/spilelog/spile"
	tests := []struct {
		name string
		call func(*slog.Logger)
		want string
	}{
		{"function", function, here},
		{"closure", func(l *slog.Logger) { l.Info("m") }, here},
		{"closure-in-closure", func(l *slog.Logger) { func() { func() { l.Info("m") }() }() }, here},
		{"generic", generic[map[string]int], here},
		{"value-method", pool{}.byValue, here + ".pool"},
		{"pointer-method", (&pool{}).byPointer, here + ".pool"},
		{"closure-in-method", (&pool{}).inClosure, here + ".pool"},
		{"method-of-generic", (&genericOf[[]string]{}).method, here + ".genericOf"},
		{"call", func(l *slog.Logger) { l.Info("m", Namespace("a.b")) }, "a.b"},
		{"last-of-call", func(l *slog.Logger) { l.Info("m", Namespace("a"), slog.Int("k", 1), Namespace("b")) }, "b"},
		{"carried", func(l *slog.Logger) { l.With(slog.Int("k", 1), Namespace("a"), slog.Int("l", 2)).Info("m") }, "a"},
		{"last-carried", func(l *slog.Logger) { l.With(Namespace("a")).With(Namespace("b")).Info("m") }, "b"},
		{"call-before-carried", func(l *slog.Logger) { l.With(Namespace("a")).Info("m", Namespace("b")) }, "b"},
		{"carried-in-group", func(l *slog.Logger) { l.WithGroup("g").With(Namespace("a")).WithGroup("h").Info("m") }, "a"},
		{"call-in-group", func(l *slog.Logger) { l.WithGroup("g").Info("m", Namespace("a")) }, "a"},
		{"given-back", func(l *slog.Logger) { l.With(Namespace("a")).With(Namespace("")).Info("m") }, here},
		{"given-back-in-call", func(l *slog.Logger) { l.With(Namespace("a")).Info("m", Namespace("")) }, here},
		{"ordinary-attribute", func(l *slog.Logger) { l.Info("m", "namespace", "a") }, here},
		{"no-caller", func(l *slog.Logger) {
			_ = l.Handler().Handle(t.Context(), slog.NewRecord(time.Now(), slog.LevelInfo, "m", 0))
		}, ""},
	}
	h := New()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // The second answer is remembered.
				if got := source(t, h, tt.call); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			}
		})
	}
}

func TestNamespaceIsNoMetadata(t *testing.T) {
	p := newProbe("p", nil)
	logger := slog.New(New(p)).With(slog.Int("a", 1), Namespace("x"), slog.Int("b", 2)).WithGroup("g").With(Namespace("y"))
	logger.Info("m", Namespace("z"))
	if got, want := p.fields(t), `{"a":1,"b":2}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	logger.Info("m", "namespace", "text")
	if got, want := p.fields(t), `{"a":1,"b":2,"g":{"namespace":"text"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNamespaceInOtherHandlers(t *testing.T) {
	var text, json bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", Namespace("a.b"))
	slog.New(slog.NewJSONHandler(&json, nil)).Info("m", Namespace("a.b"))
	if got := text.String(); !strings.HasSuffix(got, " namespace=a.b\n") {
		t.Errorf("got %s", got)
	}
	if got := json.String(); !strings.HasSuffix(got, `,"namespace":"a.b"}`+"\n") {
		t.Errorf("got %s", got)
	}
}

// TestLogitExample is the example in the documentation of Crystal Logit, which does not work there.
func TestLogitExample(t *testing.T) {
	pools := Binding{Pattern: "MyApp::Database::*", Level: slog.LevelWarn}
	builder := Binding{Pattern: "MyApp::Database::QueryBuilder", Level: slog.LevelDebug}
	for name, order := range map[string][]Binding{
		"general-first": {pools, builder}, "special-first": {builder, pools},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProbe("p", nil)
			logger := slog.New(New(p))
			for _, b := range order {
				if err := p.Bind(b.Pattern, b.Level); err != nil {
					t.Fatal(err)
				}
			}
			for namespace, want := range map[string]slog.Level{
				"MyApp::Database::QueryBuilder": slog.LevelDebug, "MyApp::Database::Pool": slog.LevelWarn,
				"MyApp::Database": slog.LevelInfo, "MyApp::Database::Pool::Idle": slog.LevelInfo,
			} {
				for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
					logger.Log(t.Context(), level, "m", Namespace(namespace))
					if got := len(p.texts()) == 1; got != (level >= want) {
						t.Errorf("%s at %v: logged %t", namespace, level, got)
					}
					logger.With(Namespace(namespace)).Log(t.Context(), level, "m")
					if got := len(p.texts()) == 1; got != (level >= want) {
						t.Errorf("%s carried, at %v: logged %t", namespace, level, got)
					}
				}
			}
		})
	}
}

func TestBindErrors(t *testing.T) {
	b := NewBase("b", BaseOptions{})
	if err := b.Bind("A::B", slog.LevelDebug); err != nil {
		t.Fatal(err)
	}
	if err := b.Bind("", slog.LevelDebug); err == nil || !strings.HasPrefix(err.Error(), `bind "": `) {
		t.Errorf("got %v", err)
	}
	if err := b.SetBindings([]Binding{{"C", slog.LevelDebug}, {"A::B*", slog.LevelDebug}}); err == nil {
		t.Error("no error")
	}
	if got := b.Bindings(); len(got) != 1 || got[0] != (Binding{"A::B", slog.LevelDebug}) {
		t.Errorf("an error changed the bindings: %v", got)
	}
	if b.Unbind("") || b.Unbind("A::C") || !b.Unbind("A::B") || b.Unbind("A::B") {
		t.Error("unbind does not say what it found")
	}
	if got := b.Bindings(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestNamespaceWhereItIsAnAttribute(t *testing.T) {
	ctx := WithMetadata(t.Context(), Namespace("c"))
	tests := map[string]func(*slog.Logger){
		"g.namespace=a": func(l *slog.Logger) { l.Info("m", slog.Group("g", Namespace("a"))) },
		"namespace=c":   func(l *slog.Logger) { l.InfoContext(ctx, "m") },
	}
	for want, call := range tests {
		t.Run(want, func(t *testing.T) {
			var out bytes.Buffer
			call(slog.New(New(NewConsole(ConsoleOptions{Writer: &out}))))
			if !strings.Contains(out.String(), " "+want+" ") {
				t.Errorf("%q is not in %q", want, out.String())
			}
		})
	}
}

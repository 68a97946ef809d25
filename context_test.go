package spile

import (
	"context"
	"log/slog"
	"testing"

	"github.com/spilelog/spile/event"
)

func TestWithMetadata(t *testing.T) {
	type step []slog.Attr
	tests := []struct {
		name  string
		steps []step
		want  string
	}{
		{"none", nil, `{}`},
		{"empty", []step{{}}, `{}`},
		{"in-order", []step{{slog.Int("b", 1), slog.Int("a", 2)}, {slog.Int("c", 3)}}, `{"b":1,"a":2,"c":3}`},
		{"replaced-in-place", []step{{slog.Int("a", 1), slog.Int("b", 2)}, {slog.Int("a", 3)}}, `{"a":3,"b":2}`},
		{"replaced-in-one", []step{{slog.Int("a", 1), slog.Int("b", 2), slog.Int("a", 3)}}, `{"a":3,"b":2}`},
		{"removed", []step{{slog.Int("a", 1), slog.Int("b", 2)}, {slog.Any("a", nil)}}, `{"b":2}`},
		{"removed-and-back", []step{{slog.Int("a", 1), slog.Int("b", 2)}, {slog.Any("a", nil), slog.Int("a", 3)}}, `{"b":2,"a":3}`},
		{"nothing-to-remove", []step{{slog.Any("a", nil)}}, `{}`},
		{"false-stays", []step{{slog.Bool("a", false), slog.String("b", "")}}, `{"a":false,"b":""}`},
		{"inline", []step{{slog.Int("a", 1)}, {slog.Group("", "a", 2, "b", 3)}}, `{"a":2,"b":3}`},
		{"group", []step{{slog.Group("g", "a", 1)}, {slog.Group("g", "b", 2)}}, `{"g":{"b":2}}`},
		{"nothing", []step{{slog.Attr{}, slog.Group("g")}}, `{}`},
		{"resolved", []step{{slog.Any("a", resolves{slog.IntValue(1)}), slog.Int("b", 2)}}, `{"a":1,"b":2}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx := t.Context()
			for _, s := range tt.steps {
				ctx = WithMetadata(ctx, s...)
			}
			p := newProbe("p", nil)
			slog.New(New(p)).InfoContext(ctx, "m")
			if got := p.fields(t); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
			slog.New(New(p)).LogAttrs(t.Context(), slog.LevelInfo, "m", Metadata(ctx)...)
			if got := p.fields(t); got != tt.want {
				t.Errorf("Metadata: got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestContextAndRecord(t *testing.T) {
	ctx := WithMetadata(t.Context(), slog.String("user", "ctx"), slog.Group("req", "id", "ctx"), slog.String("g", "ctx"))
	tests := []struct {
		name string
		log  func(*slog.Logger)
		want string
	}{
		{"alone", func(l *slog.Logger) { l.InfoContext(ctx, "m") }, `{"user":"ctx","req":{"id":"ctx"},"g":"ctx"}`},
		{"behind", func(l *slog.Logger) { l.With("a", 1).InfoContext(ctx, "m", "b", 2) }, `{"a":1,"b":2,"user":"ctx","req":{"id":"ctx"},"g":"ctx"}`},
		{"call-hides", func(l *slog.Logger) { l.InfoContext(ctx, "m", "user", "call") }, `{"user":"call","req":{"id":"ctx"},"g":"ctx"}`},
		{"logger-hides", func(l *slog.Logger) { l.With("user", "with").InfoContext(ctx, "m") }, `{"user":"with","req":{"id":"ctx"},"g":"ctx"}`},
		{"whole-group-hidden", func(l *slog.Logger) { l.InfoContext(ctx, "m", slog.Group("req", "path", "/")) }, `{"req":{"path":"/"},"user":"ctx","g":"ctx"}`},
		{"outside-of-groups", func(l *slog.Logger) { l.WithGroup("x").InfoContext(ctx, "m", "user", "call") }, `{"x":{"user":"call"},"user":"ctx","req":{"id":"ctx"},"g":"ctx"}`},
		{"group-hides", func(l *slog.Logger) { l.WithGroup("g").InfoContext(ctx, "m", "a", 1) }, `{"g":{"a":1},"user":"ctx","req":{"id":"ctx"}}`},
		{"empty-group-does-not", func(l *slog.Logger) { l.WithGroup("g").InfoContext(ctx, "m") }, `{"user":"ctx","req":{"id":"ctx"},"g":"ctx"}`},
		{"inline-hides", func(l *slog.Logger) { l.InfoContext(ctx, "m", slog.Group("", "user", "call", "g", 1)) }, `{"user":"call","g":1,"req":{"id":"ctx"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProbe("p", nil)
			tt.log(slog.New(New(p)))
			if got := p.fields(t); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMetadataIsTheCallers(t *testing.T) {
	if got := Metadata(context.Background()); got != nil {
		t.Errorf("got %v of nothing", got)
	}
	parent := WithMetadata(t.Context(), slog.Int("a", 1), slog.Int("b", 2))
	list := Metadata(parent)
	list[0] = slog.Int("x", 9)
	_ = append(list[:1], slog.Int("y", 9))
	child := WithMetadata(parent, slog.Int("b", 3), slog.Int("c", 4))
	if got := Metadata(parent); len(got) != 2 || !got[0].Equal(slog.Int("a", 1)) || !got[1].Equal(slog.Int("b", 2)) {
		t.Errorf("parent: got %v", got)
	}
	if got := Metadata(child); len(got) != 3 || !got[1].Equal(slog.Int("b", 3)) {
		t.Errorf("child: got %v", got)
	}
}

// TestScopesSeeContext holds that a dotted key finds what a context carries.
func TestScopesSeeContext(t *testing.T) {
	var got event.Value
	h := New(newSeen(func(e *event.Event) {
		v, _ := e.Metadata.Get("req.id")
		got = event.String(v.Text())
	}))
	slog.New(h).WithGroup("g").InfoContext(WithMetadata(t.Context(), slog.Group("req", "id", 42)), "m", "a", 1)
	if got.Text() != "42" {
		t.Errorf("got %q", got.Text())
	}
}

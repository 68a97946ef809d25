package spile

import (
	"log/slog"
	"testing"

	"github.com/spilelog/spile/event"
)

func TestLazy(t *testing.T) {
	print := func(e *event.Event) { event.AppendMetadata(nil, e.Metadata) }
	scope := func(key string) func(*event.Event) {
		return func(e *event.Event) { e.Metadata.Get(key) }
	}
	nobody := func(*event.Event) {}
	call := func(l *slog.Logger, level slog.Level, v slog.LogValuer) { l.Log(nil, level, "m", "dump", v) } //nolint:staticcheck // slog allows it
	carried := func(l *slog.Logger, level slog.Level, v slog.LogValuer) {
		l.With("dump", v).Log(nil, level, "m") //nolint:staticcheck // slog allows it
	}
	inGroup := func(l *slog.Logger, level slog.Level, v slog.LogValuer) {
		l.WithGroup("g").With(slog.Group("h", "dump", v)).Log(nil, level, "m") //nolint:staticcheck // slog allows it
	}
	inContext := func(l *slog.Logger, level slog.Level, v slog.LogValuer) {
		ctx := WithMetadata(t.Context(), slog.Any("dump", v))
		l.Log(ctx, level, "m")
	}
	ways := map[string]func(*slog.Logger, slog.Level, slog.LogValuer){
		"call": call, "carried": carried, "in-group": inGroup, "in-context": inContext,
	}
	tests := []struct {
		name  string
		level slog.Level
		looks []func(*event.Event)
		want  int
	}{
		{"no-backend", slog.LevelInfo, nil, 0},
		{"level-below", slog.LevelDebug, []func(*event.Event){print}, 0},
		{"nobody-looks", slog.LevelInfo, []func(*event.Event){nobody, nobody}, 0},
		{"scope-on-another-key", slog.LevelInfo, []func(*event.Event){scope("user"), scope("dumper"), scope("g.user")}, 0},
		{"once-for-all", slog.LevelInfo, []func(*event.Event){nobody, print, scope("dump"), print}, 1},
	}
	for _, tt := range tests {
		for name, log := range ways {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				h := New()
				for i, look := range tt.looks {
					s := newSeen(look)
					s.Base = NewBase(string(rune('a'+i)), BaseOptions{})
					if err := h.Add(s); err != nil {
						t.Fatal(err)
					}
				}
				calls := 0
				v := Lazy(func() slog.Value { calls++; return slog.IntValue(calls) })
				for n := range 3 { // Once for each record, not once for all.
					log(slog.New(h), tt.level, v)
					if want := tt.want * (n + 1); calls != want {
						t.Fatalf("after %d records: called %d times, want %d", n+1, calls, want)
					}
				}
			})
		}
	}
}

func TestLazyIsFresh(t *testing.T) {
	p := newProbe("p", nil)
	n := 0
	logger := slog.New(New(p)).With("n", Lazy(func() slog.Value { n++; return slog.IntValue(n) }))
	for _, want := range []string{`{"n":1}`, `{"n":2}`} {
		logger.Info("m")
		if got := p.fields(t); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestLazyOutlivesItsRecordInAClone(t *testing.T) {
	var kept event.Event
	h := New(newSeen(func(e *event.Event) {
		if kept.Message == "" {
			kept = e.Clone()
		}
	}))
	logger := slog.New(h)
	v := Lazy(func() slog.Value { return slog.GroupValue(slog.String("a", "first"), slog.Any("e", errProbe)) })
	logger.Info("m", "k", v, slog.Group("g", "b", "first"))
	logger.Info("m", "k", "second", slog.Group("g", "b", "second"))
	want := `{"k":{"a":"first","e":"disk on fire"},"g":{"b":"first"}}`
	if got := string(event.AppendMetadata(nil, kept.Metadata)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// byValue is a value whose method cannot be called on a nil pointer, and onPointer one whose can.
type (
	byValue   struct{}
	onPointer struct{}
)

func (byValue) LogValue() slog.Value    { return slog.StringValue("there") }
func (*onPointer) LogValue() slog.Value { return slog.StringValue("none") }

func TestLazyNilPointer(t *testing.T) {
	tests := map[string]struct {
		value slog.LogValuer
		want  string
	}{
		"method-of-value":   {(*byValue)(nil), `{"k":null}`},
		"method-of-pointer": {(*onPointer)(nil), `{"k":"none"}`},
		"no-nil":            {&byValue{}, `{"k":"there"}`},
		"inner":             {Lazy(func() slog.Value { return slog.AnyValue((*byValue)(nil)) }), `{"k":null}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			b := newSeen(func(e *event.Event) { got = string(event.AppendMetadata(nil, e.Metadata)) })
			slog.New(New(b)).Info("m", "k", test.value)
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

package spile

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
)

// resolves is a value that is resolved to another.
type resolves struct{ to slog.Value }

func (r resolves) LogValue() slog.Value { return r.to }

// endless is a value that never ends to resolve.
type endless struct{}

func (e endless) LogValue() slog.Value { return slog.AnyValue(e) }

func TestKinds(t *testing.T) {
	at := time.Date(2024, 1, 15, 10, 0, 0, 5, time.FixedZone("", 3600))
	ancient := time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name string
		attr slog.Attr
		kind event.Kind
		want string
	}{
		{"string", slog.String("k", "a\n"), event.KindString, `{"k":"a\n"}`},
		{"int", slog.Int("k", -5), event.KindInt, `{"k":-5}`},
		{"uint", slog.Uint64("k", math.MaxUint64), event.KindUint, `{"k":18446744073709551615}`},
		{"float", slog.Float64("k", 0.1), event.KindFloat, `{"k":0.1}`},
		{"not-a-number", slog.Float64("k", math.NaN()), event.KindFloat, `{"k":"NaN"}`},
		{"true", slog.Bool("k", true), event.KindBool, `{"k":true}`},
		{"false", slog.Bool("k", false), event.KindBool, `{"k":false}`},
		{"duration", slog.Duration("k", 1500*time.Millisecond), event.KindDuration, `{"k":"1.5s"}`},
		{"time", slog.Time("k", at), event.KindTime, `{"k":"2024-01-15T10:00:00.000000005+01:00"}`},
		{"zero-time", slog.Time("k", time.Time{}), event.KindTime, `{"k":"0001-01-01T00:00:00Z"}`},
		{"time-long-ago", slog.Time("k", ancient), event.KindTime, `{"k":"0002-01-01T00:00:00Z"}`},
		{"nil", slog.Any("k", nil), event.KindNil, `{"k":null}`},
		{"error", slog.Any("k", errProbe), event.KindAny, `{"k":"disk on fire"}`},
		{"list", slog.Any("k", []string{"a", "b"}), event.KindAny, `{"k":["a","b"]}`},
		{"struct", slog.Any("k", struct{ A int }{1}), event.KindAny, `{"k":{"A":1}}`},
		{"group", slog.Group("k", "a", 1, slog.Group("b", "c", 2)), event.KindGroup, `{"k":{"a":1,"b":{"c":2}}}`},
		{"resolved", slog.Any("k", resolves{slog.IntValue(3)}), event.KindInt, `{"k":3}`},
		{"resolved-twice", slog.Any("k", resolves{slog.AnyValue(resolves{slog.IntValue(3)})}), event.KindInt, `{"k":3}`},
		{
			"resolved-to-group", slog.Any("k", resolves{slog.GroupValue(slog.Int("a", 1), slog.Any("b", resolves{slog.IntValue(2)}))}),
			event.KindGroup, `{"k":{"a":1,"b":2}}`,
		},
		{"resolved-to-nil", slog.Any("k", resolves{slog.AnyValue(nil)}), event.KindNil, `{"k":null}`},
		{"never-resolved", slog.Any("k", endless{}), event.KindAny, `{"k":"LogValue called too many times"}`},
		{"empty-key", slog.Int("", 1), event.KindInt, `{"":1}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var kind event.Kind
			p := newProbe("p", nil)
			logger := slog.New(New(p, newSeen(func(e *event.Event) { kind = e.Metadata[0].Value.Kind() })))
			logger.LogAttrs(t.Context(), slog.LevelInfo, "m", tt.attr)
			if got := p.fields(t); got != tt.want || kind != tt.kind {
				t.Errorf("call: got %s of kind %d, want %s of kind %d", got, kind, tt.want, tt.kind)
			}
			slog.New(logger.Handler().WithAttrs([]slog.Attr{tt.attr})).Info("m")
			if got := p.fields(t); got != tt.want || kind != tt.kind {
				t.Errorf("with: got %s of kind %d, want %s of kind %d", got, kind, tt.want, tt.kind)
			}
			logger.InfoContext(WithMetadata(t.Context(), slog.Int("k0", 1), tt.attr), "m")
			if got := p.fields(t); !strings.Contains(got, `"k0":1`) {
				t.Errorf("context: got %s", got)
			}
		})
	}
}

func TestEventOfRecord(t *testing.T) {
	at := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	var got event.Event
	h := New(newSeen(func(e *event.Event) { got = e.Clone() }))
	pc, _, _, _ := runtime.Caller(0)
	r := slog.NewRecord(at, slog.LevelWarn+1, "m", pc)
	if err := h.Handle(nil, r); err != nil { //nolint:staticcheck // a handler of slog may be called without a context
		t.Fatal(err)
	}
	want := event.Event{Time: at, Level: event.Warning + 1, Message: "m", PC: pc, Source: "github.com/spilelog/spile"}
	want.Metadata = event.Metadata{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestCarried(t *testing.T) {
	group := func(name string, args ...any) slog.Attr { return slog.Group(name, args...) }
	tests := []struct {
		name string
		make func(*slog.Logger) *slog.Logger
		call []any
		want string
	}{
		{"order", func(l *slog.Logger) *slog.Logger { return l.With("a", 1).With("b", 2) }, []any{"c", 3}, `{"a":1,"b":2,"c":3}`},
		{"groups", func(l *slog.Logger) *slog.Logger {
			return l.With("a", 1).WithGroup("g").With("b", 2).WithGroup("h").With("c", 3)
		}, []any{"d", 4}, `{"a":1,"g":{"b":2,"h":{"c":3,"d":4}}}`},
		{"group-first", func(l *slog.Logger) *slog.Logger { return l.WithGroup("g") }, []any{"a", 1}, `{"g":{"a":1}}`},
		{"empty-group", func(l *slog.Logger) *slog.Logger { return l.With("a", 1).WithGroup("g").WithGroup("h") }, nil, `{"a":1}`},
		{"empty-inner-group", func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").With("a", 1).WithGroup("h") }, nil, `{"g":{"a":1}}`},
		{"no-name", func(l *slog.Logger) *slog.Logger { return l.WithGroup("") }, []any{"a", 1}, `{"a":1}`},
		{"inline", func(l *slog.Logger) *slog.Logger { return l.With(group("", "a", 1, group("", "b", 2))) }, []any{group("", "c", 3)}, `{"a":1,"b":2,"c":3}`},
		{"nothing", func(l *slog.Logger) *slog.Logger { return l.With(slog.Attr{}, group("g"), group("h", group("i"))) }, []any{slog.Attr{}, group("g", group("h"))}, `{}`},
		{"resolved", func(l *slog.Logger) *slog.Logger {
			return l.With("a", resolves{slog.IntValue(1)}, "b", 2).With(group("g", "c", resolves{slog.IntValue(3)})).With("d", resolves{slog.IntValue(4)})
		}, []any{group("e", "f", resolves{slog.IntValue(5)})}, `{"a":1,"b":2,"g":{"c":3},"d":4,"e":{"f":5}}`},
		{"resolved-to-nothing", func(l *slog.Logger) *slog.Logger {
			return l.WithGroup("g").With("a", resolves{slog.GroupValue()}, "", resolves{slog.GroupValue()})
		}, nil, `{}`},
		{"resolved-inline", func(l *slog.Logger) *slog.Logger {
			return l.With("", resolves{slog.GroupValue(slog.Int("a", 1))})
		}, []any{"", resolves{slog.GroupValue(slog.Int("b", 2))}}, `{"a":1,"b":2}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProbe("p", nil)
			logger := tt.make(slog.New(New(p)))
			for range 3 { // The second time the memory is used again.
				logger.Info("m", tt.call...)
				if got := p.fields(t); got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			}
		})
	}
}

func TestSiblingsDoNotMix(t *testing.T) {
	p := newProbe("p", nil)
	// Lists grow by doubling, so that one of these lengths leaves room that careless siblings would share.
	for n := range 9 {
		parent := slog.New(New(p))
		want := ""
		for i := range n {
			parent = parent.With(fmt.Sprint("k", i), Lazy(func() slog.Value { return slog.IntValue(i) })).WithGroup(fmt.Sprint("g", i))
			want += fmt.Sprintf(`"k%d":%d,"g%d":{`, i, i, i)
		}
		left, right := parent.With("left", 1), parent.With("right", 2)
		leftGroup, rightGroup := parent.WithGroup("l"), parent.WithGroup("r")
		for _, tt := range []struct {
			logger *slog.Logger
			want   string
		}{
			{left, `"left":1,"x":0`},
			{right, `"right":2,"x":0`},
			{leftGroup, `"l":{"x":0}`},
			{rightGroup, `"r":{"x":0}`},
			{parent, `"x":0`},
		} {
			tt.logger.Info("m", "x", 0)
			if got, want := p.fields(t), "{"+want+tt.want+strings.Repeat("}", n+1); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}

// TestSiblingsShareNoRoom is the same for lists of each length without a group.
func TestSiblingsShareNoRoom(t *testing.T) {
	p := newProbe("p", nil)
	parent, want := slog.New(New(p)), ""
	for i := range 20 {
		parent = parent.With(fmt.Sprint("k", i), resolves{slog.IntValue(i)})
		want += fmt.Sprintf(`"k%d":%d,`, i, i)
		left := parent.With("left", resolves{slog.IntValue(1)})
		parent.With("right", resolves{slog.IntValue(2)}).With("right", 3)
		left.Info("m")
		if got, want := p.fields(t), "{"+want+`"left":1}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestDepthOfHundred(t *testing.T) {
	p := newProbe("p", nil)
	logger, flat := slog.New(New(p)), slog.New(New(p))
	var want, wantFlat string
	for i := range 100 {
		logger = logger.With("k", i).WithGroup("g")
		want += fmt.Sprintf(`"k":%d,"g":{`, i)
		flat = flat.With("k", i)
		wantFlat += fmt.Sprintf(`"k":%d,`, i)
	}
	logger.Info("m", "x", 0)
	if got, want := p.fields(t), "{"+want+`"x":0`+strings.Repeat("}", 101); got != want {
		t.Errorf("got %s", got)
	}
	logger.Info("m")
	if got := p.fields(t); !strings.HasSuffix(got, `"g":{"k":99}`+strings.Repeat("}", 99)) {
		t.Errorf("without fields: got %s", got)
	}
	flat.Info("m", "x", 0)
	if got, want := p.fields(t), "{"+wantFlat+`"x":0}`; got != want {
		t.Errorf("got %s", got)
	}
}

// TestAttributesMayChangeLater holds that With keeps no memory of its caller.
func TestAttributesMayChangeLater(t *testing.T) {
	p := newProbe("p", nil)
	attrs := []slog.Attr{slog.Int("a", 1), slog.Group("g", "b", 2)}
	logger := slog.New(New(p).WithAttrs(attrs))
	ctx := WithMetadata(t.Context(), attrs...)
	attrs[0] = slog.Int("x", 9)
	attrs[1].Value.Group()[0] = slog.Int("y", 9)
	logger.Info("m")
	if got, want := p.fields(t), `{"a":1,"g":{"b":2}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	slog.New(New(p)).InfoContext(ctx, "m")
	if got, want := p.fields(t), `{"a":1,"g":{"b":2}}`; got != want {
		t.Errorf("context: got %s, want %s", got, want)
	}
}

// TestNothingStaysReachable holds that a record gone by keeps no value alive, be the handler idle, so that collections
// take what the pool has, or in constant use, so that the same memory is used over and over, by shorter records too.
func TestNothingStaysReachable(t *testing.T) {
	type big struct{ _ [1 << 16]byte }
	tests := []struct {
		name  string
		since func(l *slog.Logger)
	}{
		{"idle", func(*slog.Logger) {}},
		{"in-use", func(l *slog.Logger) { l.Info("m", "one", 1) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			freed := make(chan string, 4)
			h := New(newSeen(func(e *event.Event) { event.AppendMetadata(nil, e.Metadata) }))
			watched := func(name string) *big {
				b := &big{}
				runtime.AddCleanup(b, func(name string) { freed <- name }, name)
				return b
			}
			func() {
				first, inGroup, lazy, last := watched("first"), watched("group"), watched("lazy"), watched("last")
				value := Lazy(func() slog.Value { return slog.AnyValue(lazy) })
				slog.New(h).Info("m", "first", first, slog.Group("g", "b", inGroup), "lazy", value, "last", last)
			}()
			got, deadline := map[string]bool{}, time.After(10*time.Second)
			for len(got) < 4 {
				tt.since(slog.New(h))
				runtime.GC()
				select {
				case name := <-freed:
					got[name] = true
				case <-deadline:
					t.Fatalf("only %v are gone", got)
				default:
				}
			}
			runtime.KeepAlive(h)
		})
	}
}

// TestShorterRecordsClearTheRest looks at the memory of a record after others.
func TestShorterRecordsClearTheRest(t *testing.T) {
	rec := (&core{}).newRecord()
	for _, n := range []int{5, 3, 1, 4, 0} {
		for i := range n {
			a := slog.Int(fmt.Sprint(i), i)
			rec.event.Metadata = rec.appendAttr(rec.event.Metadata, &a)
		}
		rec.free()
		memory := rec.event.Metadata[:cap(rec.event.Metadata)]
		for i := n; i < len(memory); i++ {
			if memory[i] != (event.Field{}) {
				t.Errorf("after a record of %d fields there is %v at %d", n, memory[i], i)
			}
		}
	}
}

func TestLongRecordsAreNotKept(t *testing.T) {
	c := &core{}
	rec := c.newRecord()
	for i := range 4 * maxKeptFields {
		a := slog.Int(fmt.Sprint(i), i)
		rec.event.Metadata = rec.appendAttr(rec.event.Metadata, &a)
	}
	rec.free()
	if got := cap(rec.event.Metadata); got != 0 {
		t.Errorf("room for %d fields is kept", got)
	}
	var groups []any
	for i := range 2 * maxKeptParts {
		groups = append(groups, slog.Group(fmt.Sprint(i), "a", 1))
	}
	p := newProbe("p", nil)
	slog.New(New(p)).Info("m", groups...)
	if got := p.fields(t); strings.Count(got, `{"a":1}`) != 2*maxKeptParts {
		t.Errorf("got %s", got)
	}
}

// TestLoggingWithinAValue holds that a value that logs does not disturb the record it belongs to.
func TestLoggingWithinAValue(t *testing.T) {
	p := newProbe("p", nil)
	logger := slog.New(New(p))
	logger.Info("m", "a", 1, "b", Lazy(func() slog.Value {
		logger.Info("inner", "c", Lazy(func() slog.Value { return slog.GroupValue(slog.Int("d", 4)) }))
		return slog.GroupValue(slog.Int("e", 5))
	}), "f", 6)
	got := p.records(t)
	if len(got) != 2 || got[0]["msg"] != "inner" {
		t.Fatalf("got %v", got)
	}
	delete(got[1], "time")
	want := map[string]any{"level": "INFO", "msg": "m", "a": 1.0, "b": map[string]any{"e": 5.0}, "f": 6.0}
	if diff := cmp.Diff(want, got[1]); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestValueThatPanics(t *testing.T) {
	calls := 0
	var got []any
	look := func(e *event.Event) {
		defer func() { got = append(got, recover()) }()
		e.Metadata[0].Value.Text()
	}
	two := newSeen(look)
	two.Base = NewBase("two", BaseOptions{})
	p := newProbe("p", nil)
	logger := slog.New(New(newSeen(look), two, p))
	logger.Info("m", "k", Lazy(func() slog.Value { calls++; panic(errProbe) }))
	if calls != 1 || len(got) != 2 || got[0] != any(errProbe) || got[1] != any(errProbe) {
		t.Errorf("called %d times, panics %v", calls, got)
	}
	if p.Failed() != 1 {
		t.Errorf("a backend that does not guard counts %d", p.Failed())
	}
	logger.Info("m", "k", 1)
	if got := p.fields(t); got != `{"k":1}` {
		t.Errorf("the next record: got %s", got)
	}
}

func TestMustNotPanicEarly(t *testing.T) {
	// What no backend looks at may be as broken as it likes.
	logger := slog.New(New(newSeen(func(*event.Event) {})))
	boom := Lazy(func() slog.Value { panic(errors.New("looked at")) })
	ctx := WithMetadata(t.Context(), slog.Any("c", boom), slog.Any("", boom))
	logger.With("a", boom, "", boom).WithGroup("g").With("b", boom).InfoContext(ctx, "m", "d", boom, slog.Group("e", "f", boom))
}

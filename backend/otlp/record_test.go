package otlp

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/callsite"
)

// Short forms of the generated types.
func str(s string) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: s}}
}

func num(n int64) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_IntValue{IntValue: n}}
}

func float(f float64) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_DoubleValue{DoubleValue: f}}
}

func truth(b bool) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_BoolValue{BoolValue: b}}
}

func array(values ...*common.AnyValue) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_ArrayValue{ArrayValue: &common.ArrayValue{Values: values}}}
}

func kvlist(pairs ...*common.KeyValue) *common.AnyValue {
	return &common.AnyValue{Value: &common.AnyValue_KvlistValue{KvlistValue: &common.KeyValueList{Values: pairs}}}
}

func pair(key string, v *common.AnyValue) *common.KeyValue {
	return &common.KeyValue{Key: key, Value: v}
}

func group(fields ...event.Field) event.Value {
	m := event.Metadata(fields)
	return event.Group(&m)
}

// encoded is the LogRecord that the backend writes for r.
func encoded(t interface{ Fatal(...any) }, r *event.Event, c call) *logspb.LogRecord {
	var e encoder
	e.record(r, c)
	if len(e.fields) != 0 {
		t.Fatal("fields left on the stack:", len(e.fields))
	}
	got := &logspb.LogRecord{}
	if err := proto.Unmarshal(e.buf, got); err != nil {
		t.Fatal(err)
	}
	return got
}

type broken struct{}

func (broken) String() string       { panic("no text") }
func (broken) Resolve() event.Value { panic("no value") }

type lazy func() event.Value

func (l lazy) Resolve() event.Value { return l() }

func TestValues(t *testing.T) {
	at := time.Date(2024, 1, 15, 10, 0, 0, 5e6, time.UTC)
	deep := event.Int(1)
	deepJSON := "1"
	for range maxDepth + 3 {
		deep = group(event.Field{Key: "a", Value: deep})
		deepJSON = `{"a":` + deepJSON + "}"
	}
	tests := []struct {
		name  string
		value event.Value
		want  *common.AnyValue
	}{
		{"string", event.String("a"), str("a")},
		{"empty-string", event.String(""), str("")},
		{"invalid-utf8", event.String("a\xffb"), str("a\ufffdb")},
		{"int", event.Int(-5), num(-5)},
		{"uint", event.Uint(7), num(7)},
		{"uint-above-int64", event.Uint(math.MaxUint64), str("18446744073709551615")},
		{"float", event.Float(1.5), float(1.5)},
		{"infinity", event.Float(math.Inf(1)), float(math.Inf(1))},
		{"false", event.Bool(false), truth(false)},
		{"duration", event.Duration(1500 * time.Millisecond), str("1.5s")},
		{"time", event.Time(at), str("2024-01-15T10:00:00.005Z")},
		{"nil", event.Nil(), &common.AnyValue{}},
		{"bytes", event.Any([]byte{0, 255}), &common.AnyValue{Value: &common.AnyValue_BytesValue{BytesValue: []byte{0, 255}}}},
		{"strings", event.Any([]string{"a", "b"}), array(str("a"), str("b"))},
		{"error", event.Any(errors.New("broken pipe")), str("broken pipe")},
		{"struct", event.Any(struct{ A, B any }{1, []any{true, nil}}), kvlist(pair("A", num(1)), pair("B", array(truth(true), &common.AnyValue{})))},
		{"function", event.Any(func() {}), str("!ERROR:json: unsupported type: func()")},
		{"json-object", event.JSON(`{"a":[1,2.5,"x"],"b":{}}`), kvlist(pair("a", array(num(1), float(2.5), str("x"))), pair("b", kvlist()))},
		{"json-number-too-large", event.JSON("123456789012345678901234567890"), str("123456789012345678901234567890")},
		{"json-exponent", event.JSON("1e3"), float(1000)},
		{"json-invalid", event.JSON(`{"a":`), str(`{"a":`)},
		{"json-deep", event.JSON(strings.Repeat("[", 40) + strings.Repeat("]", 40)), str(strings.Repeat("[", 40) + strings.Repeat("]", 40))},
		{"group", group(event.Field{Key: "a", Value: event.Int(1)}), kvlist(pair("a", num(1)))},
		{"lazy", event.Lazy(lazy(func() event.Value { return event.Int(3) })), num(3)},
		{"lazy-panic", event.Lazy(broken{}), str("!PANIC: no value")},
		{"method-panic", event.Any(broken{}), str("!PANIC: no text")},
		{
			"panic-in-a-group", group(event.Field{Key: "x", Value: event.Any(broken{})}, event.Field{Key: "y", Value: event.Int(1)}),
			kvlist(pair("x", str("!PANIC: no text")), pair("y", num(1))),
		},
		{"long", group(event.Field{Key: strings.Repeat("k", 200), Value: event.String(strings.Repeat("v", 20000))}), kvlist(pair(strings.Repeat("k", 200), str(strings.Repeat("v", 20000))))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := encoded(t, &event.Event{Metadata: event.Metadata{{Key: "key", Value: tt.value}}}, call{})
			want := []*common.KeyValue{pair("key", tt.want)}
			if diff := cmp.Diff(want, got.GetAttributes(), protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("group-too-deep", func(t *testing.T) {
		v := encoded(t, &event.Event{Metadata: event.Metadata{{Key: "key", Value: deep}}}, call{}).GetAttributes()[0].GetValue()
		depth := 0
		for v.GetKvlistValue() != nil {
			v = v.GetKvlistValue().GetValues()[0].GetValue()
			depth++
		}
		if text := v.GetStringValue(); depth != maxDepth || text == "" || !strings.Contains(deepJSON, text) {
			t.Errorf("depth %d, then %q", depth, text)
		}
	})
}

func TestAttributes(t *testing.T) {
	one := event.Int(1)
	tests := []struct {
		name string
		ev   event.Event
		site callsite.Site
		want []*common.KeyValue
	}{
		{name: "none"},
		{name: "last-of-a-key-counts", ev: event.Event{Metadata: event.Metadata{{Key: "a", Value: one}, {Key: "b", Value: one}, {Key: "a", Value: event.Int(2)}}}, want: []*common.KeyValue{pair("b", num(1)), pair("a", num(2))}},
		{
			name: "inline-group-and-empty-groups",
			ev:   event.Event{Metadata: event.Metadata{{Value: group(event.Field{Key: "a", Value: one}, event.Field{Key: "e", Value: group()})}, {Key: "f", Value: group()}, {Key: "a", Value: event.Int(2)}}},
			want: []*common.KeyValue{pair("a", num(2))},
		},
		{
			name: "namespace-and-place", ev: event.Event{Source: "shop/db.Pool"}, site: callsite.Site{At: "shop/db.(*Pool).Get:42"},
			want: []*common.KeyValue{pair("namespace", str("shop/db.Pool")), pair("code.function.name", str("shop/db.(*Pool).Get")), pair("code.line.number", num(42))},
		},
		{
			name: "own-attributes-first", ev: event.Event{Source: "s", Metadata: event.Metadata{{Key: "namespace", Value: one}, {Key: "code.line.number", Value: one}}}, site: callsite.Site{At: "f:42"},
			want: []*common.KeyValue{pair("namespace", num(1)), pair("code.line.number", num(1)), pair("code.function.name", str("f"))},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := encoded(t, &tt.ev, call{site: tt.site}).GetAttributes()
			if diff := cmp.Diff(tt.want, got, protocmp.Transform()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
	t.Run("many", func(t *testing.T) {
		var ev event.Event
		for i := range 500 {
			ev.Metadata = append(ev.Metadata, event.Field{Key: string(rune('a' + i%250)), Value: event.Int(int64(i))})
		}
		got := encoded(t, &ev, call{}).GetAttributes()
		if len(got) != 250 || got[0].GetValue().GetIntValue() != 250 {
			t.Errorf("%d attributes, the first %v", len(got), got[0])
		}
	})
}

func TestRecordFields(t *testing.T) {
	at := time.Date(2024, 1, 15, 10, 0, 0, 123456789, time.UTC)
	want := map[event.Level]logspb.SeverityNumber{
		-100: 1, event.Trace: 1, event.Debug: 5, event.Info: 9, 1: 9, event.Notice: 10, event.Warning: 13, event.Error: 17,
		9: 17, event.Critical: 18, event.Alert: 19, event.Emergency: 21, 100: 21,
	}
	for level, number := range want {
		got := encoded(t, &event.Event{Time: at, Level: level}, call{body: "text", observed: at.Add(time.Second)})
		record := &logspb.LogRecord{
			TimeUnixNano: uint64(at.UnixNano()), ObservedTimeUnixNano: uint64(at.UnixNano()) + 1e9, SeverityNumber: number,
			SeverityText: level.String(), Body: str("text"),
		}
		if diff := cmp.Diff(record, got, protocmp.Transform()); diff != "" {
			t.Errorf("level %d (-want +got)\n%s", level, diff)
		}
	}
	for _, never := range []time.Time{{}, time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := encoded(t, &event.Event{Time: never}, call{}).GetTimeUnixNano(); got != 0 {
			t.Errorf("%v became %d", never, got)
		}
	}
}

func TestTraceContext(t *testing.T) {
	const traceID, spanID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	tests := []struct {
		name        string
		m           event.Metadata
		trace, span string
		flags       uint32
		left        int
	}{
		{name: "none", m: event.Metadata{{Key: "a", Value: event.Int(1)}}, left: 1},
		{name: "all", m: event.Metadata{{Key: "trace_id", Value: event.String(traceID)}, {Key: "span_id", Value: event.String(spanID)}, {Key: "trace_flags", Value: event.String("01")}}, trace: traceID, span: spanID, flags: 1},
		{name: "span-alone", m: event.Metadata{{Key: "span_id", Value: event.String(spanID)}}, left: 1},
		{name: "span-invalid", m: event.Metadata{{Key: "trace_id", Value: event.String(traceID)}, {Key: "span_id", Value: event.String("xyz")}}, trace: traceID, left: 1},
		{name: "trace-too-short", m: event.Metadata{{Key: "trace_id", Value: event.String(traceID[2:])}}, left: 1},
		{name: "trace-of-zeros", m: event.Metadata{{Key: "trace_id", Value: event.String(strings.Repeat("0", 32))}}, left: 1},
		{name: "trace-is-no-string", m: event.Metadata{{Key: "trace_id", Value: event.Int(5)}}, left: 1},
		{name: "trace-panics", m: event.Metadata{{Key: "trace_id", Value: event.Lazy(broken{})}}, left: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := encoded(t, &event.Event{Metadata: tt.m}, call{})
			trace, span := hex.EncodeToString(got.GetTraceId()), hex.EncodeToString(got.GetSpanId())
			if trace != tt.trace || span != tt.span || got.GetFlags() != tt.flags || len(got.GetAttributes()) != tt.left {
				t.Errorf("got trace %q, span %q, flags %d and %v", trace, span, got.GetFlags(), got.GetAttributes())
			}
		})
	}
}

// drawn is a random value, and what it should be for a collector.
func drawn(t *rapid.T, depth int) (event.Value, *common.AnyValue) {
	kinds := 5
	if depth > 0 {
		kinds = 6
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		n := rapid.Int64().Draw(t, "int")
		return event.Int(n), num(n)
	case 1:
		b := rapid.Bool().Draw(t, "bool")
		return event.Bool(b), truth(b)
	case 2:
		f := rapid.Float64().Draw(t, "float")
		return event.Float(f), float(f)
	case 3:
		return event.Nil(), &common.AnyValue{}
	case 4:
		s := string(rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "bytes"))
		return event.String(s), str(strings.ToValidUTF8(s, "\ufffd"))
	}
	var fields []event.Field
	var pairs []*common.KeyValue
	// A group has at least one field that prints, since empty ones are left out.
	for i := range rapid.IntRange(1, 4).Draw(t, "fields") {
		v, want := drawn(t, depth-1)
		key := strings.Repeat(string(rune('a'+i)), rapid.IntRange(1, 150).Draw(t, "length"))
		fields = append(fields, event.Field{Key: key, Value: v})
		pairs = append(pairs, pair(key, want))
	}
	return group(fields...), kvlist(pairs...)
}

func TestValuesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, want := drawn(t, 4)
		got := encoded(t, &event.Event{Metadata: event.Metadata{{Key: "k", Value: v}}}, call{}).GetAttributes()
		if diff := cmp.Diff([]*common.KeyValue{pair("k", want)}, got, protocmp.Transform()); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}

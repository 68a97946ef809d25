package format

import (
	"errors"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/event"
)

// lazy resolves to a value.
type lazy struct{ v event.Value }

func (l lazy) Resolve() event.Value { return l.v }

// group is a value of fields.
func group(fields ...event.Field) event.Value {
	m := event.Metadata(fields)
	return event.Group(&m)
}

func field(key string, v event.Value) event.Field { return event.Field{Key: key, Value: v} }

var nested = event.Metadata{
	field("a", event.Int(1)),
	field("http", group(field("method", event.String("GET")), field("time", event.Float(2000)), field("", group(field("ok", event.Bool(false)))))),
	field("", group(field("b", event.Lazy(lazy{event.String("x y")})), field("time", event.Int(1)))),
	field("empty", group()),
	field("a", event.Nil()),
	field("a", event.Duration(1500*time.Millisecond)),
}

func TestMetadata(t *testing.T) {
	tests := []struct {
		name    string
		o       PatternOptions
		m       event.Metadata
		want    string
		dropped uint64
	}{
		{"none-by-default", PatternOptions{}, nested, "", 0},
		{"all", PatternOptions{AllKeys: true}, nested, `a=1 http.method=GET http.time=2.0e3 http.ok=false b="x y" a=1.5s `, 0},
		{"listed", PatternOptions{Keys: []string{"b", "http", "a", "none", "empty"}}, nested, `b="x y" http.method=GET http.time=2.0e3 http.ok=false a=1 a=1.5s `, 0},
		{"dotted", PatternOptions{Keys: []string{"http.ok", "http.method"}}, nested, "http.ok=false http.method=GET ", 0},
		{"group-of-groups", PatternOptions{AllKeys: true}, event.Metadata{field("a", group(field("b", group(field("c", event.Int(1)))), field("d", event.Int(2))))}, "a.b.c=1 a.d=2 ", 0},
		{"unprintable", PatternOptions{AllKeys: true}, event.Metadata{field("a", event.Any([]int{1})), field("b", event.Any(struct{}{})), field("c", event.Int(1))}, "c=1 ", 2},
		{"unprintable-as-json", PatternOptions{AllKeys: true, JSON: true}, event.Metadata{field("a", event.Any([]int{1})), field("b", event.Any([]string{"x"}))}, `a=[1] b="[\"x\"]" `, 0},
		{"nothing", PatternOptions{AllKeys: true, JSON: true}, event.Metadata{field("a", event.Nil()), field("b", event.JSON("null")), field("c", event.Any((*time.Location)(nil)))}, "", 0},
		{"texts", PatternOptions{AllKeys: true}, event.Metadata{field("err", event.Any(errors.New("no route"))), field("ip", event.Any(netip.MustParseAddr("::1"))), field("n", event.JSON("1.50"))}, `err="no route" ip=::1 n=1.50 `, 0},
		{"domain", PatternOptions{AllKeys: true}, event.Metadata{field("domain", event.Any([]string{"a", "b"})), field("x", group(field("domain", event.Any([]string{"a"}))))}, "domain=a.b ", 1},
		{"mfa-wins", PatternOptions{Keys: []string{"module", "function"}}, event.Metadata{field("module", event.String("x")), field("mfa", event.Any(MFA{"shop", "add", 1}))}, "module=shop function=add/1 ", 0},
		{"own-wins", PatternOptions{Keys: []string{"module", "line"}}, event.Metadata{field("module", event.String("x")), field("line", event.Nil())}, "module=x ", 0},
		{"exact", PatternOptions{AllKeys: true, Exact: true}, event.Metadata{field("a b", event.String("c \"d\"\n\xff"))}, "a b=c \"d\"\n\xff ", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Pattern = "$metadata"
			p := mustPattern(t, tt.o)
			pc, _, _, _ := runtime.Caller(0)
			if got := string(p.Append(nil, &event.Event{PC: pc, Metadata: tt.m})); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if got := p.WithColor(true).Dropped(); got != tt.dropped {
				t.Errorf("%d dropped, want %d", got, tt.dropped)
			}
		})
	}
}

func TestDeepGroups(t *testing.T) {
	leaf := func(key string) event.Field { return field(key, event.Int(1)) }
	m := event.Metadata{leaf("z")}
	path := ""
	for i := range 2*expectedDepth + 1 {
		m = event.Metadata{leaf("x"), field(string(rune('a'+i)), group(m...)), leaf("y")}
	}
	want := ""
	for i := 2 * expectedDepth; i >= 0; i-- {
		want += path + "x=1 "
		path += string(rune('a'+i)) + "."
	}
	want += path + "z=1 "
	for range 2*expectedDepth + 1 {
		path = path[:len(path)-2]
		want += path + "y=1 "
	}
	p := mustPattern(t, PatternOptions{Pattern: "$metadata", AllKeys: true})
	if got := string(p.Append(nil, &event.Event{Metadata: m})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPlaceOfTheCall(t *testing.T) {
	p := mustPattern(t, PatternOptions{Pattern: "$metadata", Keys: []string{"module", "function", "mfa", "at", "line", "file"}})
	var pcs [1]uintptr
	runtime.Callers(1, pcs[:])
	_, file, _, _ := runtime.Caller(0)
	got := string(p.Append(nil, &event.Event{PC: pcs[0]}))
	const pkg = "github.com/spilelog/spile/format"
	want := "module=" + pkg + " function=TestPlaceOfTheCall mfa=" + pkg + ".TestPlaceOfTheCall at=" + pkg + ".TestPlaceOfTheCall:"
	rest, ok := strings.CutPrefix(got, want)
	line, _, _ := strings.Cut(rest, " ")
	if !ok || rest != line+" line="+line+" file="+file+" " {
		t.Errorf("got %s", got)
	}
	if got := string(p.Append(nil, &event.Event{})); got != "" {
		t.Errorf("without a call: got %s", got)
	}
}

func TestElixirFunctions(t *testing.T) {
	for name, want := range map[string]string{
		"valid?": "Foo.valid?/0", "save!": "Foo.save!/0", "_x1": "Foo._x1/0", "|>": "Foo.|>/0",
		"Upper": `Foo."Upper"/0`, "a?!": `Foo."a?!"/0`, "?": `Foo."?"/0`, "": `Foo.""/0`, "é": `Foo."é"/0`, "1a": `Foo."1a"/0`,
	} {
		if got := (&MFA{Module: "Elixir.Foo", Function: name}).text(); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

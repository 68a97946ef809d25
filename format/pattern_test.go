package format

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
)

func TestNewPatternRefuses(t *testing.T) {
	tests := []struct {
		name string
		o    PatternOptions
		want string
	}{
		{"pattern", PatternOptions{Pattern: "$msg"}, "$msg is an invalid format pattern"},
		{"pattern-and-func", PatternOptions{Pattern: "x", Func: func(dst []byte, _ *event.Event) []byte { return dst }}, "both Pattern and Func"},
		{"keys-and-all", PatternOptions{Keys: []string{"a"}, AllKeys: true}, "both Keys and AllKeys"},
		{"empty-key", PatternOptions{Keys: []string{"a", ""}}, "key 1 is empty"},
		{"limit", PatternOptions{Truncate: Bytes(-1)}, "limit is -1 bytes: must be 0 or more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := NewPattern(tt.o)
			if p != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want %q", p, err, tt.want)
			}
		})
	}
	var wrong *PatternError
	if _, err := NewPattern(PatternOptions{Pattern: "$msg"}); !errors.As(err, &wrong) {
		t.Errorf("got %v, want a PatternError", err)
	}
}

func TestTimes(t *testing.T) {
	moment := time.Date(2014, 12, 30, 23, 59, 59, 999_999_999, time.FixedZone("", -3600))
	tests := []struct {
		name string
		o    PatternOptions
		time time.Time
		want string
	}{
		{"utc", PatternOptions{UTC: true}, moment, "2014-12-31 00:59:59.999"},
		{"local", PatternOptions{}, moment, moment.Local().Format("2006-01-02 15:04:05.999")},
		{"before-1970", PatternOptions{UTC: true}, time.UnixMicro(-1), "1969-12-31 23:59:59.999"},
		{"none", PatternOptions{UTC: true}, time.Time{}, " "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Pattern = "$date $time"
			if got := string(mustPattern(t, tt.o).Append(nil, &event.Event{Time: tt.time})); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	p := mustPattern(t, PatternOptions{})
	e := event.Event{Level: event.Error, Message: strings.Repeat("x", DefaultLimit) + "y", Metadata: event.Metadata{field("a", event.Int(1))}}
	want := "\n [error] " + strings.Repeat("x", DefaultLimit) + " (truncated)\n"
	if got := string(p.Append(nil, &e)); got != want {
		t.Errorf("got %q", got)
	}
	if got := mustPattern(t, PatternOptions{Pattern: "$node"}).Append(nil, &e); len(got) == 0 {
		t.Error("no name of the host")
	}
}

func TestFuncIsGivenWhatThePatternPrints(t *testing.T) {
	var got event.Event
	p := mustPattern(t, PatternOptions{
		Keys: []string{"b", "http.ok", "line"}, Truncate: Bytes(3), UTC: true, Colors: Colors{Mode: ColorAlways},
		Func: func(dst []byte, e *event.Event) []byte {
			got = *e
			return append(append(dst, e.Message...), '\n')
		},
	})
	e := event.Event{Time: time.Unix(0, 0), Message: "\xffabc", Metadata: nested}
	if text := string(p.Append(nil, &e)); text != "\x1b[22m\ufffdab (truncated)\x1b[0m\n" {
		t.Errorf("got %q", text)
	}
	keys := []string{}
	for _, f := range got.Metadata {
		keys = append(keys, f.Key+"="+f.Value.Text())
	}
	if diff := cmp.Diff([]string{"b=x y", "http.ok=false"}, keys); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if got.Time.Location() != time.UTC || e.Message != "\xffabc" || len(e.Metadata) != len(nested) {
		t.Errorf("time %v, event %+v", got.Time, e)
	}
}

// TestInjection gives hostile text in every place where a stranger can put some.
func TestInjection(t *testing.T) {
	p := mustPattern(t, PatternOptions{Pattern: "[$level] $metadata$message\n", AllKeys: true, Colors: Colors{Mode: ColorAlways}})
	exact := mustPattern(t, PatternOptions{Pattern: "[$level] $metadata$message\n", AllKeys: true, Exact: true})
	for name, hostile := range map[string]string{
		"lf": "a\n[error] forged", "crlf": "a\r\nb", "cr": "a\rb", "esc": "\x1b[2J", "nul": "\x00", "del": "\x7f", "csi-c1": "\u009b2J", "csi-byte": "\x9b2J",
		"nel": "\u0085", "line-separator": "\u2028", "paragraph-separator": "\u2029", "bidi-override": "\u202e", "bidi-isolate": "\u2066", "marks": "\u200e\u200f",
		"invalid": "\xff\xed\xa0\x80", "pair": "a b=c", "quote": `a" b="c`, "backslash": `a\" b=c`,
	} {
		t.Run(name, func(t *testing.T) {
			e := event.Event{Message: hostile, Metadata: event.Metadata{
				field(hostile, event.String(hostile)), field("g", group(field(hostile, event.Any(errors.New(hostile))))),
				field(AnsiColorKey, event.String(hostile)),
			}}
			got, ok := strings.CutSuffix(string(p.Append(nil, &e)), "\x1b[0m\n")
			rest, colored := strings.CutPrefix(got, "\x1b[22m[info] ")
			if !ok || !colored {
				t.Fatalf("got %q", got)
			}
			if bad := strings.IndexFunc(rest, dangerous); bad >= 0 || !utf8.ValidString(rest) {
				t.Errorf("%q has something dangerous at %d", rest, bad)
			}
			if n := unquoted(rest, '='); n < 2 || n > 2+strings.Count(hostile, "=") {
				t.Errorf("%q has %d pairs", rest, n)
			}
			if got := string(exact.Append(nil, &e)); strings.Count(got, hostile) != 5 {
				t.Errorf("exact: got %q", got)
			}
		})
	}
}

// dangerous says whether a character may do more than be seen.
func dangerous(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || unicode.Is(unicode.Bidi_Control, r)
}

// unquoted counts b outside of quotes.
func unquoted(s string, b byte) int {
	n, quoted := 0, false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == b && !quoted:
			n++
		}
	}
	return n
}

func FuzzPatternIsOneSafeLine(f *testing.F) {
	f.Add("m\nn", "key", "value", 8)
	f.Add("\u202e\xff", "a b", "\x1b[0m\"", -8)
	f.Fuzz(func(t *testing.T, message, key, value string, level int) {
		p := mustPattern(t, PatternOptions{AllKeys: true, Pattern: "$date $time $level $metadata$message\n"})
		e := event.Event{Time: time.Unix(0, 0), Level: event.Level(level), Message: message}
		e.Metadata = event.Metadata{field(key, event.String(value)), field(key, group(field(value, event.JSON(`"`+"x"+`"`))))}
		got, ok := strings.CutSuffix(string(p.Append(nil, &e)), "\n")
		if !ok || !utf8.ValidString(got) || strings.IndexFunc(got, dangerous) >= 0 {
			t.Errorf("got %q", got)
		}
	})
}

func TestPatternIsForManyAtOnce(t *testing.T) {
	p := mustPattern(t, PatternOptions{Keys: []string{"at", "bad"}, Pattern: "$metadata"})
	e := event.Event{Metadata: event.Metadata{field("bad", event.Any([]int{1}))}}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 1000 {
				p.WithColor(i%2 == 0).Append(nil, &e)
			}
		})
	}
	group.Wait()
	if got := p.Dropped(); got != 8000 {
		t.Errorf("%d dropped, want 8000", got)
	}
}

// typical is a record with five keys.
var typical = event.Event{
	Time: time.Date(2026, 1, 2, 3, 4, 5, 6_000_000, time.UTC), Level: event.Info, Message: "request done",
	Metadata: event.Metadata{
		field("method", event.String("GET")), field("path", event.String("/api/v1/orders")), field("status", event.Int(200)),
		field("http", group(field("user_agent", event.String("Mozilla/5.0 (X11)")))), field("seconds", event.Float(0.123)),
	},
}

func TestPatternAllocatesNothing(t *testing.T) {
	e := typical
	e.PC, _, _, _ = runtime.Caller(0)
	e.Metadata = append(e.Metadata[:len(e.Metadata):len(e.Metadata)], field(AnsiColorKey, event.String("bright red")))
	for name, o := range map[string]PatternOptions{
		"all":  {AllKeys: true},
		"keys": {Keys: []string{"status", "path", "method", "http.user_agent", "seconds", "at", "line"}, UTC: true},
	} {
		o.Colors.Mode = ColorAlways
		p := mustPattern(t, o)
		buf := make([]byte, 0, 1024)
		if n := testing.AllocsPerRun(100, func() { buf = p.Append(buf[:0], &e) }); n != 0 {
			t.Errorf("%s: %v allocations, want none\n%s", name, n, buf)
		}
	}
}

func BenchmarkPattern(b *testing.B) {
	p := mustPattern(b, PatternOptions{AllKeys: true})
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = p.Append(buf[:0], &typical)
	}
	b.SetBytes(int64(len(buf)))
}

func TestFuncWithAllKeysIsGivenAllMetadata(t *testing.T) {
	p := mustPattern(t, PatternOptions{AllKeys: true, Func: func(dst []byte, e *event.Event) []byte {
		return event.AppendMetadata(dst, e.Metadata)
	}})
	if got, want := string(p.Append(nil, &typical)), string(event.AppendMetadata(nil, typical.Metadata)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestPanicLeavesNoTornLine has a value that panics behind one that was already printed.
func TestPanicLeavesNoTornLine(t *testing.T) {
	p := mustPattern(t, PatternOptions{AllKeys: true, Colors: Colors{Mode: ColorAlways}})
	e := event.Event{Message: "m", Metadata: event.Metadata{field("printed", event.Int(1)), field("b", event.Any(panicking{}))}}
	got, ok := strings.CutPrefix(string(Append(p, []byte("before\n"), &e)), "before\n")
	if !ok || strings.Contains(got, "printed") || !strings.Contains(got, "log_format_failed") || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}

// panicking is a value whose text cannot be had.
type panicking struct{}

func (panicking) String() string { panic("no text") }

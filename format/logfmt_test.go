package format

import (
	"bytes"
	"errors"
	"net/netip"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-logfmt/logfmt"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/event"
)

// readLogfmt reads one line as a foreign reader does.
func readLogfmt(t rapid.TB, line []byte) [][2]string {
	t.Helper()
	if n := bytes.Count(line, []byte("\n")); n != 1 || line[len(line)-1] != '\n' {
		t.Fatalf("not one line: %q", line)
	}
	if text := string(line[:len(line)-1]); !utf8.ValidString(text) || strings.IndexFunc(text, dangerous) >= 0 {
		t.Fatalf("not safe text: %q", text)
	}
	dec := logfmt.NewDecoder(bytes.NewReader(line))
	var pairs [][2]string
	for dec.ScanRecord() {
		for dec.ScanKeyval() {
			pairs = append(pairs, [2]string{string(dec.Key()), string(dec.Value())})
		}
	}
	if err := dec.Err(); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return pairs
}

func TestLogfmt(t *testing.T) {
	at := time.Date(2024, 1, 15, 11, 0, 0, 123456789, time.FixedZone("", 3600))
	var nothing *netip.Addr
	tests := []struct {
		name  string
		event event.Event
		want  string
	}{
		{"zero", event.Event{}, `level=info`},
		{
			"text",
			event.Event{Time: at, Level: event.Warning, Message: "hello there"},
			`time=2024-01-15T10:00:00.123Z level=warning text="hello there"`,
		},
		{"name", event.Event{Message: "user_removed2"}, `level=info what=user_removed2`},
		{"no-names", event.Event{Message: "User"}, `level=info text=User`},
		{"no-name-edge", event.Event{Message: "user_"}, `level=info text=user_`},
		{"no-name-doubled", event.Event{Message: "a__b"}, `level=info text=a__b`},
		{
			"places",
			event.Event{Level: event.Error, Message: "remove_user_failed", Metadata: event.Metadata{
				field(
					"host",
					event.String("h"),
				),
				field("text", event.String("so it is")),
				field("stacktrace", event.String("a\nb")),
				field("class", event.String("error")),
				field("to_jid", event.String("t@h")),
				field("from_jid", event.String("f@h")),
				field("user", event.String("alice")),
				field("reason", event.Any(errors.New("no such user"))),
			}},
			`level=error what=remove_user_failed reason="no such user" user=alice from_jid=f@h to_jid=t@h class=error ` +
				`stacktrace="a\nb" text="so it is" host=h`,
		},
		{
			"what-given",
			event.Event{Message: "removed", Metadata: event.Metadata{field("what", event.String("user_removed"))}},
			`level=info what=user_removed text=removed`,
		},
		{
			"what-nil",
			event.Event{Message: "removed", Metadata: event.Metadata{field("what", event.Nil())}},
			`level=info what=removed`,
		},
		{
			"text-twice",
			event.Event{Message: "a b", Metadata: event.Metadata{field("text", event.String("mine"))}},
			`level=info text="a b" attr_text=mine`,
		},
		{
			"key-twice",
			event.Event{
				Metadata: event.Metadata{field("user", event.Int(1)), field("x", event.Int(2)), field("user", event.Int(3))},
			},
			`level=info user=1 x=2 user=3`,
		},
		{
			"own-keys",
			event.Event{Source: "shop", Metadata: event.Metadata{
				field("time", event.Int(1)), field("level", event.Int(2)), field("source", event.Int(3)), field("at", event.Int(4)),
			}},
			`level=info at=4 source=shop attr_time=1 attr_level=2 attr_source=3`,
		},
		{
			"kinds",
			event.Event{Metadata: event.Metadata{
				field("s", event.String("")),
				field("i", event.Int(-1)),
				field("u", event.Uint(1)),
				field("f", event.Float(0.5)),
				field("b", event.Bool(false)),
				field("d", event.Duration(1500*time.Millisecond)),
				field("t", event.Time(at)),
				field(
					"j",
					event.JSON(`{"a":1}`),
				),
				field("null", event.JSON("null")),
				field("n", event.Nil()),
				field("p", event.Any(nothing)),
				field("tags", event.Any([]string{"a", "b"})),
				field("ip", event.Any(netip.MustParseAddr("::1"))),
				field("l", event.Lazy(lazy{event.Int(7)})),
			}},
			`level=info s="" i=-1 u=1 f=0.5 b=false d=1.5s t=2024-01-15T11:00:00.123456789+01:00 j="{\"a\":1}" ` +
				`tags="[\"a\",\"b\"]" ip=::1 l=7`,
		},
		{
			"groups",
			event.Event{Metadata: event.Metadata{
				field(
					"http",
					group(
						field("user", event.Int(1)),
						field("q p", group(field("a", event.Int(2)), field("", event.Int(3)))),
						field("", group(field("b", event.Int(4)))),
					),
				),
				field(
					"",
					group(field("user", event.Int(5)), field("", group(field("c", event.Int(6))))),
				),
				field("user", group(field("d", event.Int(7)))),
				field("", event.Int(8)),
				field("empty", group()),
			}},
			`level=info user=5 http.user=1 http.q\u0020p.a=2 http.q\u0020p._=3 http.b=4 c=6 user.d=7 _=8`,
		},
		{
			"keys",
			event.Event{Metadata: event.Metadata{field("a b=\"c\"\n\\\xff", event.Int(1))}},
			`level=info a\u0020b\u003d\u0022c\u0022\n\\\ufffd=1`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := (&Logfmt{}).Append([]byte("before "), &tt.event)
			if diff := cmp.Diff("before "+tt.want+"\n", string(out)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			readLogfmt(t, out[len("before "):])
		})
	}
}

// here is the place of its caller.
func here() uintptr {
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	return pcs[0]
}

var (
	rfc3339Zone = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$`)
	location    = regexp.MustCompile(`^github\.com/spilelog/spile/format\.[A-Za-z.0-9]+:\d+$`)
)

// TestConventionsOfLogfmt holds the rules RC08 (the timestamp is first, in RFC 3339 with a zone) and RC09 (at is the
// place) for any event.
func TestConventionsOfLogfmt(t *testing.T) {
	f, pc := &Logfmt{}, here()
	rapid.Check(t, func(t *rapid.T) {
		e := event.Event{
			Time: time.Unix(
				rapid.Int64Range(-1<<35, 1<<37).Draw(t, "time"),
				0,
			).In(
				time.FixedZone("", rapid.IntRange(-50000, 50000).Draw(t, "zone")),
			),
			Level:   event.LevelAt(rapid.IntRange(0, event.NumLevels-1).Draw(t, "level")),
			PC:      pc,
			Message: rapid.String().Draw(t, "message"),
		}
		known := rapid.SampledFrom([]string{"time", "at", "level", "what", "text", "timestamp"})
		for _, key := range rapid.SliceOf(rapid.OneOf(rapid.String(), known)).Draw(t, "keys") {
			e.Metadata = append(e.Metadata, field(key, event.String(key)))
		}
		pairs := readLogfmt(t, f.Append(nil, &e))
		if pairs[0][0] != "time" || !rfc3339Zone.MatchString(pairs[0][1]) {
			t.Errorf("first pair %q", pairs[0])
		}
		if got, err := time.Parse(time.RFC3339, pairs[0][1]); err != nil || !got.Equal(e.Time) {
			t.Errorf("time %q: %v", pairs[0][1], err)
		}
		if pairs[1] != [2]string{"level", e.Level.String()} {
			t.Errorf("second pair %q", pairs[1])
		}
		places := 0
		for _, pair := range pairs {
			if pair[0] == "at" {
				places++
				if !location.MatchString(pair[1]) {
					t.Errorf("at %q", pair[1])
				}
			}
		}
		if places != 1 {
			t.Errorf("%d pairs at in %q", places, pairs)
		}
		own := 3 // time, level, at
		if e.Message != "" {
			own++
		}
		if len(pairs) != own+len(e.Metadata) {
			t.Errorf("%d fields and %d pairs: %q", len(e.Metadata), len(pairs), pairs)
		}
	})
}

func TestLogfmtLeavesOutTheSourceThatAtSays(t *testing.T) {
	e := event.Event{
		PC:       here(),
		Source:   "github.com/spilelog/spile/format",
		Metadata: event.Metadata{field("at", event.Int(1))},
	}
	got := string((&Logfmt{}).Append(nil, &e))
	if strings.Contains(got, "source=") || !strings.HasSuffix(got, " attr_at=1\n") {
		t.Errorf("got %s", got)
	}
	e.Source = "github.com/spilelog/spile"
	if got := string((&Logfmt{}).Append(nil, &e)); !strings.Contains(got, " source=github.com/spilelog/spile ") {
		t.Errorf("got %s", got)
	}
}

func FuzzLogfmt(f *testing.F) {
	f.Add("message", "key", "value", "group")
	f.Add("user_removed", "a b", "=\"\\", "\x00")
	f.Add("\xff\u2028", "\ufffd", "\r\n", "")
	f.Fuzz(func(t *testing.T, message, key, value, groupKey string) {
		e := event.Event{Message: message, Source: value, Metadata: event.Metadata{
			field("x"+key, event.String(value)), field("x"+groupKey, group(field(key, event.String(value)))),
		}}
		pairs := readLogfmt(t, (&Logfmt{}).Append(nil, &e))
		if n := len(pairs); n < 3 || pairs[n-2][1] != Prune(value) || pairs[n-1][1] != Prune(value) {
			t.Fatalf("got %q", pairs)
		}
		inner := unescape(pairs[len(pairs)-1][0])
		if got := unescape(pairs[len(pairs)-2][0]); got != "x"+Prune(key) {
			t.Errorf("key %q, want %q", got, "x"+Prune(key))
		}
		want := Prune(key)
		if want == "" {
			want = noKey
		}
		if inner != "x"+Prune(groupKey)+"."+want {
			t.Errorf("key %q of a group", inner)
		}
	})
}

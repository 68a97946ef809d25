package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
)

// hostileText has everything that a stranger could hope for.
const hostileText = "a\n{\"forged\":1}\r\nb\rc\td\x00\x1b[2J\x7f\u0085\u009b2J" +
	"\u2028\u2029\u202e\u2066\u200f\u061c<script>alert('x')</script>&amp;\"\\\xff\xed\xa0\x80"

func TestJSON(t *testing.T) {
	at := time.Date(2024, 1, 15, 11, 0, 0, 123456789, time.FixedZone("", 3600))
	tests := []struct {
		name   string
		format *JSON
		event  event.Event
		want   string
	}{
		{"zero", &JSON{}, event.Event{}, `{"level":"info","message":""}`},
		{
			"all",
			&JSON{},
			event.Event{Time: at, Level: event.Warning, Source: "shop", Message: "m", Metadata: event.Metadata{
				field("s", event.String("\n")), field("i", event.Int(-1)), field("u", event.Uint(1)), field("f", event.Float(0.5)),
				field("b", event.Bool(false)), field("d", event.Duration(1500*time.Millisecond)), field("t", event.Time(at)),
				field("j", event.JSON(`{"a":1}`)), field("n", event.Nil()), field("e", event.Any(errors.New("no"))),
				field("g", group(field("level", event.Lazy(lazy{event.Int(7)})), field("empty", group()))), field("empty", group()),
			}},
			`{"timestamp":"2024-01-15T10:00:00.123Z","level":"warning","source":"shop","message":"m",` +
				`"s":"\n","i":-1,"u":1,"f":0.5,` +
				`"b":false,"d":"1.5s","t":"2024-01-15T11:00:00.123456789+01:00","j":{"a":1},"n":null,"e":"no","g":{"level":7}}`,
		},
		{
			"own-keys",
			&JSON{},
			event.Event{Metadata: event.Metadata{
				field("a", event.Int(1)), field("timestamp", event.Int(2)), field("level", event.Int(3)), field("b", event.Int(4)),
				field("", group(field("source", event.Int(5)), field("c", event.Int(6)))), field("", event.Int(7)),
				field("message", group(field("d", event.Int(8)))), field("at", event.Int(9)),
			}},
			`{"level":"info","message":"","a":1,"attr_timestamp":2,"attr_level":3,"b":4,` +
				`"attr_source":5,"c":6,"":7,"attr_message":{"d":8},"at":9}`,
		},
		{
			"other-keys",
			&JSON{TimeKey: "time", LevelKey: "lvl", SourceKey: "logger", MessageKey: "m\"g"},
			event.Event{Time: at, Source: "s", Message: "m", Metadata: event.Metadata{
				field(
					"time",
					event.Int(1),
				),
				field("level", event.Int(2)),
				field("logger", event.Int(3)),
				field("m\"g", event.Int(4)),
			}},
			`{"time":"2024-01-15T10:00:00.123Z","lvl":"info","logger":"s","m\"g":"m",` +
				`"attr_time":1,"level":2,"attr_logger":3,"attr_m\"g":4}`,
		},
		{
			"no-place",
			&JSON{At: true},
			event.Event{Metadata: event.Metadata{field("at", event.Int(1))}},
			`{"level":"info","message":"","attr_at":1}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(tt.format.Append([]byte("before "), &tt.event))
			if diff := cmp.Diff("before "+tt.want+"\n", got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestJSONAt(t *testing.T) {
	got := string((&JSON{At: true}).Append(nil, &event.Event{PC: here()}))
	if !regexp.MustCompile(`,"at":"github\.com/spilelog/spile/format\.TestJSONAt:\d+"}\n$`).MatchString(got) {
		t.Errorf("got %s", got)
	}
}

// readJSON reads one line as an object.
func readJSON(t *testing.T, line []byte) map[string]any {
	t.Helper()
	if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' || !utf8.Valid(line) {
		t.Fatalf("not one line of text: %q", line)
	}
	if i := bytes.IndexFunc(line[:len(line)-1], dangerous); i >= 0 {
		t.Fatalf("%q has something dangerous at %d", line, i)
	}
	var object map[string]any
	if err := json.Unmarshal(line, &object); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return object
}

// TestHostileText puts hostile text in every place where a stranger can have some.
func TestHostileText(t *testing.T) {
	texts := map[string]string{
		"lf":             "a\n[error] forged",
		"cr":             "a\rb",
		"crlf":           "a\r\nb",
		"esc":            "\x1b[31m",
		"nul":            "\x00",
		"line-separator": "\u2028",
		"bidi":           "\u202e",
		"script":         "<script>alert(1)</script>",
		"attribute":      `" onload="x`,
		"backslash":      `\`,
		"escape":         `\u0041\n`,
		"invalid":        "\xff\xe2\x82",
		"all":            hostileText,
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			e := event.Event{Message: text, Source: text, Metadata: event.Metadata{
				field(text, event.String(text)), field("g", group(field(text, event.Any(errors.New(text))))),
			}}
			clean := Prune(text)
			want := map[string]any{
				"level":   "info",
				"source":  clean,
				"message": clean,
				clean:     clean,
				"g":       map[string]any{clean: clean},
			}
			if diff := cmp.Diff(want, readJSON(t, (&JSON{}).Append(nil, &e))); diff != "" {
				t.Errorf("JSON (-want +got)\n%s", diff)
			}
			pairs := readLogfmt(t, (&Logfmt{}).Append(nil, &e))
			if len(pairs) != 5 {
				t.Fatalf("logfmt: got %q", pairs)
			}
			for _, pair := range pairs[1:] {
				if pair[1] != clean {
					t.Errorf("logfmt: pair %q, want %q", pair, clean)
				}
			}
			if got := unescape(checkHTML(t, (&HTML{AllKeys: true}).Append(nil, &e))); !strings.HasSuffix(got, clean) {
				t.Errorf("HTML: got %q", got)
			}
		})
	}
}

func FuzzJSON(f *testing.F) {
	f.Add("message", "source", "key", "value", int64(0))
	f.Add("\xff", "\"\n", "\\", hostileText, int64(-1<<40))
	f.Add("", "", "level", "", int64(1))
	f.Fuzz(func(t *testing.T, message, source, key, value string, seconds int64) {
		e := event.Event{Time: time.Unix(seconds, 0), Source: source, Message: message, Metadata: event.Metadata{
			field(key, event.String(value)),
		}}
		got := readJSON(t, (&JSON{}).Append(nil, &e))
		key = Prune(key)
		if key == "message" || key == "level" || key == "timestamp" || key == "source" {
			key = "attr_" + key
		}
		if got["message"] != Prune(message) || got["level"] != "info" || got[key] != Prune(value) {
			t.Errorf("got %v", got)
		}
		if s, ok := got["source"]; ok != (source != "") || ok && s != Prune(source) {
			t.Errorf("source %v", s)
		}
	})
}

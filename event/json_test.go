package event

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAppendMembers(t *testing.T) {
	at := time.Date(2024, 1, 15, 11, 0, 0, 123456789, time.FixedZone("", 3600))
	tests := []struct {
		name string
		ev   Event
		want string
	}{
		{"zero", Event{}, `"timestamp":"0001-01-01T00:00:00.000Z","level":"INFO","source":"","message":"","metadata":{}`},
		{
			"all-kinds",
			Event{Time: at, Level: Warning, Source: "s", Message: "m", Metadata: Metadata{
				{"text", String("a")}, {"int", Int(-5)}, {"yes", Bool(true)}, {"no", Bool(false)}, {"json", JSON("[1.50,null]")},
			}},
			`"timestamp":"2024-01-15T10:00:00.123Z","level":"WARN","source":"s","message":"m",` +
				`"metadata":{"text":"a","int":-5,"yes":true,"no":false,"json":[1.50,null]}`,
		},
		{
			"escapes",
			Event{Time: at, Source: "a\"b\\c", Message: "\n\r\t\x00\x1f\x7f\u2028\u2029é\xff"},
			`"timestamp":"2024-01-15T10:00:00.123Z","level":"INFO","source":"a\"b\\c",` +
				`"message":"\n\r\t\u0000\u001f\u007f\u2028\u2029é\ufffd","metadata":{}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, string(AppendMembers(nil, &tt.ev))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestAppendTime(t *testing.T) {
	tests := []struct {
		name string
		time time.Time
		want string
	}{
		{"before-year-zero", time.Date(-5, 1, 2, 3, 4, 5, 0, time.UTC), "0000-01-02T03:04:05.000Z"},
		{"after-year-9999", time.Date(12345, 12, 31, 23, 59, 59, 999999999, time.UTC), "9999-12-31T23:59:59.999Z"},
		{"leap-day", time.Date(2024, 2, 29, 0, 0, 0, 1e6, time.UTC), "2024-02-29T00:00:00.001Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(AppendTime(nil, tt.time)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAppendTimeIsThatOfThePackageTime(t *testing.T) {
	same := func(at time.Time) {
		t.Helper()
		if got, want := string(AppendTime(nil, at)), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 900; day = day.AddDate(0, 0, 1) {
		same(day)
		same(day.Add(-time.Nanosecond + 24*time.Hour))
	}
	rapid.Check(t, func(r *rapid.T) {
		seconds := rapid.Int64Range(-62167219200, 253402300799).Draw(r, "seconds")
		zone := time.FixedZone("", rapid.IntRange(-50000, 50000).Draw(r, "zone"))
		at := time.Unix(seconds, rapid.Int64Range(0, 999999999).Draw(r, "nanoseconds")).In(zone)
		same(at)
	})
}

// TestAppendStringAtEachPlace puts what must be escaped at each place of the words in which a string is scanned.
func TestAppendStringAtEachPlace(t *testing.T) {
	for _, special := range []string{"\x00", "\x1f", "\"", "\\", "\x7f", "\u2028", "\xff"} {
		for length := range 20 {
			for at := range length + 1 {
				for _, fill := range []string{"a", " ", "!", "~", "[", "]", "#"} {
					s := strings.Repeat(fill, at) + special + strings.Repeat(fill, length-at)
					out := AppendString(nil, s)
					var got string
					if err := json.Unmarshal(out, &got); err != nil || got != string([]rune(s)) {
						t.Fatalf("%q gives %s: %v", s, out, err)
					}
					if strings.ContainsAny(string(out), "\x7f\u2028") {
						t.Fatalf("%q gives %q", s, out)
					}
				}
			}
		}
	}
}

// FuzzAppendString holds AppendString against encoding/json: what it writes reads back as the text with invalid
// UTF-8 replaced, byte by byte.
func FuzzAppendString(f *testing.F) {
	for _, s := range []string{
		"", "plain", `"\`, "\x00\x1f\x7f", "é\u2028\u2029\U0001F600", "a\xffb\xc3", "\xed\xa0\x80", "\ufffd",
		"12345678\"2345678\x7f", "\u0085\u202e\u200f",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := AppendString(nil, s)
		var got string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q: %s: %v", s, out, err)
		}
		if want := string([]rune(s)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if !utf8.Valid(out) || strings.ContainsFunc(string(out), Controls) {
			t.Errorf("not plain UTF-8 in one line: %q", out)
		}
	})
}

func FuzzAppendMembers(f *testing.F) {
	f.Add("source", "message", "key", "value", int64(0), 0)
	f.Add("\xff", "\"\n", "\\", "\u2028", int64(-1<<63), -9)
	f.Fuzz(func(t *testing.T, source, message, key, value string, n int64, level int) {
		ev := Event{Time: time.Unix(n, n), Level: Level(level), Source: source, Message: message}
		ev.Metadata.Set(key, String(value))
		ev.Metadata.Set("n"+key, Int(n))
		var got struct {
			Timestamp time.Time
			Level     string
			Metadata  map[string]any
		}
		out := append(AppendMembers([]byte{'{'}, &ev), '}')
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if l, err := ParseLevel(got.Level); err != nil || l.Index() != ev.Level.Index() {
			t.Errorf("level %q of %d: %v", got.Level, level, err)
		}
	})
}

func TestAppendAllocatesNothing(t *testing.T) {
	ev := Event{Time: time.Now(), Level: Error, Source: "s", Message: "a\n\"b\" é\xff", Metadata: Metadata{
		{"text", String("a")}, {"int", Int(-5)}, {"yes", Bool(true)}, {"json", JSON("[1.50,null]")},
	}}
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = AppendMembers(buf[:0], &ev) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkAppendMembers(b *testing.B) {
	ev := Event{Time: time.Now(), Source: "nginx", Message: "GET /api/v1/orders HTTP/1.1", Metadata: Metadata{
		{"remote_addr", String("10.1.2.3")},
		{"status", Int(200)},
		{"rt", JSON("0.123")},
		{"user_agent", String("Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0")},
	}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendMembers(buf[:0], &ev)
	}
	b.SetBytes(int64(len(buf)))
}

package format

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spilelog/spile/event"
)

func TestEscapes(t *testing.T) {
	tests := []struct {
		name, text    string
		bare, asToken string
	}{
		{"empty", "", ``, `""`},
		{"plain", "GET/1.1", `GET/1.1`, `GET/1.1`},
		{"wide", "größe-日本", `größe-日本`, `größe-日本`},
		{"space", "a b", `a b`, `"a b"`},
		{"equals", "a=b", `a=b`, `"a=b"`},
		{"quote", `a"b""`, `a"b""`, `"a\"b\"\""`},
		{"backslash", `C:\new`, `C:\\new`, `"C:\\new"`},
		{"looks-escaped", `a\nb`, `a\\nb`, `"a\\nb"`},
		{"line-ends", "a\nb\r\tc", `a\nb\r\tc`, `"a\nb\r\tc"`},
		{"controls", "\x00\x1b\x7f", `\u0000\u001b\u007f`, `"\u0000\u001b\u007f"`},
		{"c1", "\u0085\u009b", `\u0085\u009b`, `"\u0085\u009b"`},
		{"no-break-space", "\u00a0", "\u00a0", "\u00a0"},
		{
			"separators",
			"\u2027\u2028\u2029\u202f",
			"\u2027" + `\u2028\u2029` + "\u202f",
			"\"\u2027" + `\u2028\u2029` + "\u202f\"",
		},
		{
			"bidi", "\u061c\u200d\u200e\u200f\u202a\u202e\u2065\u2066\u2069\u206a",
			`\u061c` + "\u200d" + `\u200e\u200f\u202a\u202e` + "\u2065" + `\u2066\u2069` + "\u206a",
			`"\u061c` + "\u200d" + `\u200e\u200f\u202a\u202e` + "\u2065" + `\u2066\u2069` + "\u206a\"",
		},
		{"invalid", "a\xff\xe2\x82b", "a\ufffd\ufffd\ufffdb", "\"a\ufffd\ufffd\ufffdb\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(appendEscaped(nil, tt.text)); got != tt.bare {
				t.Errorf("escaped: got %s, want %s", got, tt.bare)
			}
			if got := string(appendQuoted(nil, tt.text)); got != tt.asToken {
				t.Errorf("quoted: got %s, want %s", got, tt.asToken)
			}
			if out := string(appendHTML(nil, tt.text)); out != strings.ReplaceAll(tt.bare, `"`, "&#34;") {
				t.Errorf("HTML: got %s", out)
			}
		})
	}
}

func FuzzEscapes(f *testing.F) {
	for _, s := range []string{"", "plain", `a\"b=c`, "\x00\n\u2028\u202e\xff", "é\u0085"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, out := range []string{
			string(appendEscaped(nil, s)), string(appendQuoted(nil, s)),
			string(appendHTML(nil, s)), string(appendHTMLQuoted(nil, s)),
		} {
			if !utf8.ValidString(out) || strings.IndexFunc(out, dangerous) >= 0 {
				t.Errorf("%q gives %q", s, out)
			}
		}
		if got := unescape(string(appendEscaped(nil, s))); got != Prune(s) {
			t.Errorf("%q reads back as %q", s, got)
		}
	})
}

// unescape undoes appendEscaped.
func unescape(s string) string {
	var b strings.Builder
	for s != "" {
		before, rest, found := strings.Cut(s, `\`)
		b.WriteString(before)
		if !found {
			break
		}
		switch rest[0] {
		case 'u':
			var r rune
			for _, c := range rest[1:5] {
				r = r<<4 | rune(strings.IndexRune(hexDigits, c))
			}
			b.WriteRune(r)
			rest = rest[4:]
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		default:
			b.WriteByte(rest[0])
		}
		s = rest[1:]
	}
	return b.String()
}

func TestNodeIsEscaped(t *testing.T) {
	for exact, want := range map[bool]string{false: `a\n\u001b[31mb`, true: "a\n\x1b[31mb"} {
		p, err := NewPattern(PatternOptions{Pattern: "$node", Node: "a\n\x1b[31mb", Exact: exact})
		if err != nil {
			t.Fatal(err)
		}
		if got := string(p.Append(nil, &event.Event{})); got != want {
			t.Errorf("exact %t: got %q, want %q", exact, got, want)
		}
	}
}

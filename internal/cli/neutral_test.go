package cli

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNeutral(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{name: "plain", in: "Grüße, 世界 🙂", want: "Grüße, 世界 🙂"},
		{name: "tab-stays", in: "a\tb", want: "a\tb"},
		{name: "newlines", in: "a\nb\r", want: `a\nb\r`},
		{name: "escape", in: "\x1b[31mred\x1b]0;title\x07", want: `\x1b[31mred\x1b]0;title\x07`},
		{name: "nul-and-del", in: "\x00\x7f", want: `\x00\x7f`},
		{name: "c1", in: "\u009b31m\u0085", want: `\u009b31m\u0085`},
		{name: "bare-c1-byte", in: "\x9b31m", want: `\x9b31m`},
		{name: "direction", in: "\u202eabc\u2066\u2069\u200e\u200f\u061c", want: `\u202eabc\u2066\u2069\u200e\u200f\u061c`},
		{name: "separators", in: "a\u2028b\u2029", want: `a\u2028b\u2029`},
		{name: "replacement-character-stays", in: "\ufffd", want: "\ufffd"},
		{name: "cut-rune", in: "a\xe4\xb8", want: `a\xe4\xb8`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(neutral(tt.in)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// forbidden says whether text holds anything that a terminal obeys.
func forbidden(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !harmless(r) })
}

func FuzzNeutral(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b[2J", "\u202e", "\xff\x9b", "a\nb", "\u0085"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got := string(neutral(in))
		if forbidden(got) {
			t.Errorf("%q became %q", in, got)
		}
		if !forbidden(in) && got != in {
			t.Errorf("harmless %q became %q", in, got)
		}
		if again := string(neutral(got)); again != got {
			t.Errorf("twice: %q became %q", got, again)
		}
	})
}

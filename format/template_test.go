package format

import (
	"errors"
	"strings"
	"testing"
)

func TestPatternErrorTellsWhere(t *testing.T) {
	tests := []struct {
		name, pattern, bad string
		offset             int
	}{
		{"unknown-first", "$bad $good", "bad", 0},
		{"unknown-later", "$time → $msg", "msg", 10},
		{"greedy", "x $timezone", "timezone", 2},
		{"literal-begins", "$time$5 x", "5 x", 5},
		{"literal-before-unknown", "$5 $bad", "5 ", 0},
		{"doubled", "$$time", "", 0},
		{"alone-at-end", "$time$", "", 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile(tt.pattern)
			var wrong *PatternError
			if !errors.As(err, &wrong) || wrong.Name != tt.bad || wrong.Offset != tt.offset {
				t.Errorf("got %#v, want name %q at %d", err, tt.bad, tt.offset)
			}
		})
	}
}

func TestTokensBelongToTheCaller(t *testing.T) {
	template, err := Compile("a$time")
	if err != nil {
		t.Fatal(err)
	}
	template.Tokens()[0].Literal = "b"
	if got := template.Tokens()[0].String(); got != "a" {
		t.Errorf("template now begins with %q", got)
	}
	if got := Variable(99).String(); got != "" {
		t.Errorf("unknown variable is called %q", got)
	}
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{DefaultPattern, "", "$", "cost $5 $message", "$time$5", "$$time", "$é", "$levelpad\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pattern string) {
		template, err := Compile(pattern)
		if err != nil {
			var wrong *PatternError
			if !errors.As(err, &wrong) || !strings.HasPrefix(pattern[wrong.Offset:], "$"+wrong.Name) {
				t.Errorf("error %#v is not about the pattern", err)
			}
			return
		}
		joined := ""
		for _, token := range template.Tokens() {
			joined += token.String()
		}
		if joined != pattern {
			t.Errorf("tokens joined are %q", joined)
		}
	})
}

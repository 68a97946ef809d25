package filter

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// worstPatterns are expensive patterns just under the limit on programs.
func worstPatterns() map[string]string {
	return map[string]string{
		"optional":   "(?:a?){70}b",
		"dots":       "(?s).{1,70}b",
		"classes":    strings.Repeat(`\pL`, 60) + "0",
		"any-class":  "[^b]{140}b",
		"nested":     "(?:(?:a*)*|a?b?){3}(?:a?){45}c",
		"alternates": "(?:" + strings.Repeat("a+|", 43) + "a)+c",
		"fold":       "(?i)" + strings.Repeat("a", 1000) + "b",
		"boundary":   strings.Repeat(`\b?a?`, 30) + "b",
	}
}

// worstLine is a longest line that keeps every thread of those patterns alive.
func worstLine() []byte { return bytes.Repeat([]byte("a"), wire.MaxLine) }

func TestWorstPatternsAreUnderTheLimit(t *testing.T) {
	for name, pattern := range worstPatterns() {
		t.Run(name, func(t *testing.T) {
			if mustCompile(t, pattern).Pattern([]byte("x")) {
				t.Fatal("matches x")
			}
		})
	}
}

func TestRefusingIsCheap(t *testing.T) {
	const bound = 200 * time.Millisecond
	for _, pattern := range []string{
		"(a?){1000}b", ".{1,1000}b", strings.Repeat("a{1,1000}", 113), strings.Repeat("a{1,1000}", 200),
		strings.Repeat(`\pL{1,999}`, 100), strings.Repeat("(", 500) + "a" + strings.Repeat(")?", 200),
		strings.Repeat("(a|b)", 200), strings.Repeat("(?:a|)", 170), "(?:(?:a{10}){10}){10}",
	} {
		start := time.Now()
		_, err := Compile(wire.Filters{Pattern: pattern})
		var refused *wire.Error
		if !errors.As(err, &refused) {
			t.Errorf("%.20q is accepted", pattern)
		}
		if took := time.Since(start); took > bound {
			t.Errorf("refusing %.20q took %v, want under %v", pattern, took, bound)
		}
	}
}

func BenchmarkWorstLine(b *testing.B) {
	line := worstLine()
	for name, pattern := range worstPatterns() {
		b.Run(name, func(b *testing.B) {
			m := mustCompile(b, pattern)
			for b.Loop() {
				m.Pattern(line)
			}
		})
	}
}

package filter

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/wire"
)

// span is the bounds of one line.
type span struct{ Start, End int }

// mustCompile compiles a pattern that is known to be good.
func mustCompile(t testing.TB, pattern string) *Matcher {
	t.Helper()
	m, err := Compile(wire.Filters{Pattern: pattern})
	if err != nil {
		t.Fatalf("compile %q: %v", pattern, err)
	}
	return m
}

// trim takes the carriage return off a line, as callers of Pattern do.
func trim(line []byte) []byte { return bytes.TrimSuffix(line, []byte("\r")) }

// passed lists the lines that pass Candidates and Pattern, and fails on candidates that are no lines in order.
func passed(t testing.TB, m *Matcher, block []byte) []span {
	t.Helper()
	var out []span
	last := 0
	m.Candidates(block, func(start, end int) bool {
		atStart := start == 0 || block[start-1] == '\n'
		atEnd := end == len(block) || block[end] == '\n'
		if start < last || end < start || !atStart || !atEnd || bytes.IndexByte(block[start:end], '\n') >= 0 {
			t.Fatalf("candidate %d:%d of %q is no line after %d", start, end, block, last)
		}
		last = end + 1
		if m.Pattern(trim(block[start:end])) {
			out = append(out, span{start, end})
		}
		return true
	})
	return out
}

// reference lists the lines that the standard library matches one by one.
func reference(re *regexp.Regexp, block []byte) []span {
	var out []span
	for start := 0; start < len(block); {
		end := len(block)
		if i := bytes.IndexByte(block[start:], '\n'); i >= 0 {
			end = start + i
		}
		if re.Match(trim(block[start:end])) {
			out = append(out, span{start, end})
		}
		start = end + 1
	}
	return out
}

// checkEqual compares the matcher with the standard library on one block.
func checkEqual(t testing.TB, pattern string, block []byte) {
	t.Helper()
	m, err := Compile(wire.Filters{Pattern: pattern})
	if err != nil || pattern == "" {
		return
	}
	if diff := cmp.Diff(reference(regexp.MustCompile(pattern), block), passed(t, m, block)); diff != "" {
		t.Fatalf("pattern %q on %q (-regexp +matcher):\n%s", pattern, block, diff)
	}
}

func TestCandidatesEqualRegexp(t *testing.T) {
	blocks := map[string]string{
		"empty":              "",
		"only-line-feed":     "\n",
		"empty-lines":        "\n\nfoo\n\n",
		"no-final-line-feed": "bar\nfoo",
		"crlf":               "foo\r\nbar\r\n\r\nfoo bar\r\n",
		"hits-at-edges":      "foo x\ny\nx foo\nbar",
		"two-hits":           "foo foo bar foo\nnone\nfoobar\n",
		"kelvin":             "\u212Aey\nkey\nKEY\n\u017Fet\nSET\nset\nta\u017F\u212A\n",
		"invalid-utf8":       "fo\xffo\n\xfffoo\n\xc3\xc3\xa9\n\xe2\x84foo\n",
		"replacement":        "a\uFFFDb\na\xffb\n",
		"dotted-i":           "\u0130\ni\nI\n\u0131\n",
		"errors":             "upstream timed out\nTimed Out\npq: deadlock detected\nconnection refused\n",
	}
	patterns := []string{
		"foo", "bar", "^foo", "foo$", "^$", "^", "$", `\bfoo\b`, "foo|bar", "(|foo)", "foo|", "(foo)+", "(foo){2}",
		"fo+", "f(o|x)o", "(?i)key", "(?i)k", "(?i)set", "(?i)task", "(?i)FOO", "(?i)timed out", "[Kk]ey", "(?i)[k]ey",
		"timed out|deadlock detected|connection refused", "time(d out|out)", "a\uFFFDb", "\u00e9", "(?i)\u00c9",
		"(?i)\u0130", "\u0130(?i)x|i", "(?i)i", `foo\nbar`, `foo\r`, `\x00`, "x??foo", "(?:foo)?bar", "foo.*bar",
		"(?s)foo.bar", "[^\n]foo", `\s`, `[^x]`, "(?m)^foo$", `a{0}`, "f(?i)oo", "(?i)f(?-i)oo", `[\x{FFFD}a]`,
		"b{1}ar",
	}
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			for _, pattern := range patterns {
				checkEqual(t, pattern, []byte(block))
			}
		})
	}
}

// drawPattern makes a pattern out of pieces that matter to the literals.
func drawPattern(t *rapid.T, depth int) string {
	atom := rapid.SampledFrom([]string{
		"a", "k", "s", "ks", "foo", "Key", "\u212A", "\u017F", "\u00e9", " ", ".", "[ab]", "[kK]", "[^a]", "\\s", "\\d", "^",
		"$", "\\b", "\\n", "\\r", "x{2}", "(?:)", "task", "out", "\\x{FFFD}", "\\pL", "i", "\u0130",
	})
	if depth == 0 {
		return atom.Draw(t, "atom")
	}
	sub := func() string { return drawPattern(t, depth-1) }
	switch rapid.IntRange(0, 9).Draw(t, "shape") {
	case 0:
		return "(" + sub() + "|" + sub() + ")"
	case 1:
		return "(?i:" + sub() + ")"
	case 2:
		return "(?:" + sub() + ")" + rapid.SampledFrom([]string{"*", "+", "?", "{2}", "{0,2}", "??"}).Draw(t, "repeat")
	case 3:
		return sub() + "|" + sub() + "|" + sub()
	case 4:
		return "(|" + sub() + ")"
	case 5:
		return atom.Draw(t, "atom")
	default:
		return sub() + sub()
	}
}

// drawBlock makes a block of few lines out of the same pieces.
func drawBlock(t *rapid.T) []byte {
	piece := rapid.SampledFrom([]string{
		"a", "b", "k", "K", "s", "S", "ks", "foo", "FOO", "Foo", "key", "Key", "\u212A", "\u212Aey",
		"\u017F", "\u00e9", "\u00c9",
		" ", "\n", "\n", "\n", "\r\n", "\r", "xx", "task", "TA\u017F\u212A", "out", "\xff", "\xc3", "\uFFFD",
		"1", "i", "I", "\u0130",
		"x",
	})
	return []byte(strings.Join(rapid.SliceOfN(piece, 0, 40).Draw(t, "block"), ""))
}

func TestCandidatesProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		checkEqual(t, drawPattern(rt, rapid.IntRange(0, 4).Draw(rt, "depth")), drawBlock(rt))
	})
}

func FuzzCandidates(f *testing.F) {
	f.Add("(?i)task|foo", []byte("TA\u017F\u212A\nfoo\r\n"))
	f.Add("time(out|d out)$", []byte("timeout\ntimed out x\n\n"))
	f.Add("a|", []byte("\n"))
	f.Fuzz(func(t *testing.T, pattern string, block []byte) {
		if len(block) < 4096 {
			checkEqual(t, pattern, block)
		}
	})
}

// Long blocks cross the windows, and change between the two ways of searching.
func TestCandidatesLongBlock(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	words := []string{
		"user_id=12345", "user_id=1", "timed out", "Timed OUT", "deadlock detected", "t", "d", "connection ",
		"connection refused", " ", "\n", "\n", "eeeeeeeeeeeeeeee", "____", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
	}
	var block bytes.Buffer
	for block.Len() < 3*window {
		block.WriteString(words[random.IntN(len(words))])
	}
	for _, pattern := range []string{
		"user_id=12345", "timed out|deadlock detected|connection refused", "(?i)timed out", "kd|_k", "(?i)edt|k_|d c",
		`user_id=1234[0-9]\b`, "(?i)(timed|conn|dead|lock|refused|detected|user|out)",
	} {
		checkEqual(t, pattern, block.Bytes())
	}
}

func TestCandidatesStop(t *testing.T) {
	for _, pattern := range []string{"", "a", "a|b"} {
		t.Run("pattern-"+pattern, func(t *testing.T) {
			calls := 0
			mustCompile(t, pattern).Candidates([]byte("a\nb\na\n"), func(int, int) bool {
				calls++
				return calls < 2
			})
			if calls != 2 {
				t.Fatalf("yield was called %d times after it returned false at the second", calls)
			}
		})
	}
}

func TestNoAllocation(t *testing.T) {
	block := []byte(strings.Repeat("GET /api/v1/orders?page=1 200 a line of a log that matches nothing\n", 2000))
	for _, pattern := range []string{
		"user_id=12345", "timed out|deadlock detected|connection refused", "(?i)timed out", `" (5[0-9][0-9]) ([0-9]+) "`,
		strings.Repeat("long", 80), "(?i)task failed",
	} {
		m := mustCompile(t, pattern)
		lines := 0
		allocs := testing.AllocsPerRun(5, func() {
			m.Candidates(block, func(start, end int) bool {
				if m.Pattern(block[start:end]) {
					lines++
				}
				return true
			})
		})
		if allocs != 0 || lines != 0 {
			t.Errorf("pattern %q: %v allocations, %d lines passed, want none", pattern, allocs, lines)
		}
	}
}

func TestLiterals(t *testing.T) {
	tests := []struct {
		pattern string
		want    []string
		plain   bool
	}{
		{"user_id=12345", []string{"user_id=12345"}, true},
		{`user_id=1234[0-9]\b`, []string{"user_id=1234"}, false},
		{"timed out|deadlock detected", []string{"timed out", "deadlock detected"}, true},
		{"time(d out|out)", []string{"timed out", "timeout"}, true},
		{"(?i)Timed out", []string{"~timed out"}, true},
		{"(?i)disk", []string{"~disk"}, false},
		{"^foo.*connection$", []string{"connection"}, false},
		{"(error)+", []string{"error"}, false},
		{"(foo|)", nil, true},
		{"a*", nil, false},
		{`\d+`, nil, false},
		{`"level":"(ERROR|WARN)"`, []string{`"level":"`}, false},
	}
	for _, test := range tests {
		t.Run(test.pattern, func(t *testing.T) {
			m := mustCompile(t, test.pattern)
			var got []string
			for _, n := range m.needles {
				text := string(n.text)
				if n.mask != nil {
					text = "~" + text
				}
				if len(got) == 0 || got[len(got)-1] != text {
					got = append(got, text)
				}
			}
			if test.pattern == `"level":"(ERROR|WARN)"` || test.pattern == "(?i)disk" {
				if len(got) == 0 {
					t.Fatal("no literal found")
				}
			} else if diff := cmp.Diff(test.want, got); diff != "" {
				t.Fatalf("literals (-want +got):\n%s", diff)
			}
			if (len(m.plain) > 0) != test.plain && test.pattern != `"level":"(ERROR|WARN)"` {
				t.Fatalf("plain is %v, want %v: %s", len(m.plain) > 0, test.plain, fmt.Sprint(m.plain))
			}
		})
	}
}

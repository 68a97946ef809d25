package filter

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"

	"github.com/spilelog/spile/wire"
)

// estimateSlack is how far over the limit the estimate of a program's size may be before the pattern is refused
// without compiling it; simplification may still bring a tree below its estimate.
const estimateSlack = 4

// maxEstimate stops the estimate from growing without bound.
const maxEstimate = 1 << 24

// compilePattern parses and checks the pattern, compiles it and extracts what may be searched for in its stead.
func (m *Matcher) compilePattern(pattern string, bad *problems) {
	if pattern == "" {
		return
	}
	if len(pattern) > wire.MaxPattern {
		bad.add(fieldPattern, reason("the pattern has %d bytes, at most %d are allowed", len(pattern), wire.MaxPattern))
		return
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		bad.add(fieldPattern, parseReason(pattern, err))
		return
	}
	found := extract(tree)
	m.needles = compileNeedles(found.required())
	if found.plain && len(found.exact) > 0 {
		// Searching for texts costs the same whatever their length, so no limit on the program applies.
		m.plain = plainTexts(found.exact)
		return
	}
	if why := tooExpensive(tree); why != "" {
		bad.add(fieldPattern, why)
		return
	}
	if m.pattern, err = regexp.Compile(pattern); err != nil {
		bad.add(fieldPattern, parseReason(pattern, err))
	}
}

// tooExpensive says why a pattern may not run, empty when it may. The estimate comes first, so that a pattern which
// would compile to millions of instructions is never compiled. Simplify may change the tree.
func tooExpensive(tree *syntax.Regexp) string {
	if n := programEstimate(tree); n > estimateSlack*wire.MaxPatternProgram {
		return programReason(n)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return reason("the pattern does not compile: %v", err)
	}
	if n := programCost(program); n > wire.MaxPatternProgram {
		return programReason(n)
	}
	return ""
}

// programReason says that a pattern costs too much, with its size.
func programReason(n int) string {
	return reason("the pattern compiles to about %d instructions, at most %d are allowed: "+
		"lower its counted repeats or shorten it", n, wire.MaxPatternProgram)
}

// programEstimate is about how many instructions a tree compiles to, without expanding its repeats.
func programEstimate(re *syntax.Regexp) int {
	n := 1
	switch re.Op {
	case syntax.OpLiteral:
		n = len(re.Rune)
	case syntax.OpCapture:
		n = 2 + programEstimate(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		n = 1 + programEstimate(re.Sub[0])
	case syntax.OpRepeat:
		sub := programEstimate(re.Sub[0])
		n = sub * re.Min
		if re.Max < 0 {
			n += sub + 1
		} else {
			n += (sub + 1) * (re.Max - re.Min)
		}
	case syntax.OpConcat, syntax.OpAlternate:
		for _, sub := range re.Sub {
			n = min(n+programEstimate(sub)+1, maxEstimate)
		}
	}
	return min(n, maxEstimate)
}

// manyRanges is from how many ranges on a character class costs as two instructions.
const manyRanges = 16

// programCost is the number of instructions, classes of many ranges counted twice because they take twice the time.
func programCost(program *syntax.Prog) int {
	n := len(program.Inst)
	for i := range program.Inst {
		if len(program.Inst[i].Rune) > 2*manyRanges {
			n++
		}
	}
	return n
}

// parseReason says what is wrong with a pattern, and at which byte where that can be told.
func parseReason(pattern string, err error) string {
	var bad *syntax.Error
	if !errors.As(err, &bad) {
		return shorten(err.Error())
	}
	why := bad.Code.String()
	if bad.Expr != "" && bad.Expr != pattern {
		why += ": `" + bad.Expr + "`"
	}
	if pos, ok := errorPosition(pattern, bad); ok {
		return shorten(reason("error at byte %d of the pattern: %s", pos, why))
	}
	return shorten(reason("error in the pattern: %s", why))
}

// errorPosition is the byte at which the error stands, counted from 0, and whether it could be told.
func errorPosition(pattern string, bad *syntax.Error) (int, bool) {
	switch bad.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		return parenPosition(pattern, bad.Code)
	case syntax.ErrTrailingBackslash:
		return len(pattern) - 1, true
	case syntax.ErrInvalidUTF8:
		return invalidUTF8(pattern)
	}
	if bad.Expr == "" {
		return 0, false
	}
	// A fragment may occur earlier, where it is harmless; the first prefix that fails in the same way ends with it.
	for from := 0; ; {
		i := strings.Index(pattern[from:], bad.Expr)
		if i < 0 {
			break
		}
		at := from + i
		var same *syntax.Error
		_, err := syntax.Parse(pattern[:at+len(bad.Expr)], syntax.Perl)
		if errors.As(err, &same) && same.Code == bad.Code && same.Expr == bad.Expr {
			return at, true
		}
		from = at + 1
	}
	if strings.Count(pattern, bad.Expr) == 1 {
		return strings.Index(pattern, bad.Expr), true
	}
	return 0, false
}

// invalidUTF8 is where the first byte stands that is not UTF-8.
func invalidUTF8(pattern string) (int, bool) {
	for i, r := range pattern {
		if r != utf8.RuneError {
			continue
		}
		if _, size := utf8.DecodeRuneInString(pattern[i:]); size == 1 {
			return i, true
		}
	}
	return 0, false
}

// parenPosition finds the parenthesis without a partner: the first surplus closing one, or the innermost opening one
// that is never closed.
func parenPosition(pattern string, code syntax.ErrorCode) (int, bool) {
	var open []int
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '\\':
			i = skipEscape(pattern, i)
		case '[':
			i = skipClass(pattern, i)
		case '(':
			open = append(open, i)
		case ')':
			if len(open) == 0 {
				return i, code == syntax.ErrUnexpectedParen
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 && code == syntax.ErrMissingParen {
		return open[len(open)-1], true
	}
	return 0, false
}

// skipEscape is the last byte of the escape at i, a whole \Q…\E counted as one.
func skipEscape(pattern string, i int) int {
	if !strings.HasPrefix(pattern[i:], `\Q`) {
		return i + 1
	}
	if end := strings.Index(pattern[i:], `\E`); end >= 0 {
		return i + end + 1
	}
	return len(pattern)
}

// skipClass is the closing bracket of the class that opens at i.
func skipClass(pattern string, i int) int {
	j := i + 1
	if j < len(pattern) && pattern[j] == '^' {
		j++
	}
	for first := true; j < len(pattern); j, first = j+1, false {
		switch {
		case pattern[j] == '\\':
			j++
		case strings.HasPrefix(pattern[j:], "[:"):
			if end := strings.Index(pattern[j:], ":]"); end > 0 {
				j += end + 1
			}
		case pattern[j] == ']' && !first:
			return j
		}
	}
	return len(pattern)
}

package filter

import (
	"math/bits"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spilelog/spile/wire"
)

const (
	// maxLiterals bounds a set of alternatives; beyond it, searching for each costs more than it saves.
	maxLiterals = 16
	// maxClass bounds the characters of a class that is taken as alternatives.
	maxClass = 4
	// maxSetBytes bounds all texts of a set together, so that comparing them at every byte of a line stays cheap.
	maxSetBytes = wire.MaxPattern
)

// literal is a text that a match contains. With fold set, case does not count and its ASCII letters are in lower case.
type literal struct {
	text string
	fold bool
}

// found is what a part of a pattern requires of its matches.
type found struct {
	// exact, if not nil, lists every text that the part can match: a match is one of them.
	exact []literal
	// plain says that any occurrence of one of exact is a match: there are no conditions besides.
	plain bool
	// best, if not nil, is a set of which one must occur in every match; it counts where exact is nil or poor.
	best []literal
}

// empty is what a part that matches the empty text requires.
func empty(plain bool) found { return found{exact: []literal{{}}, plain: plain} }

// required is the most selective set of which every match contains one, nil when there is none.
func (f found) required() []literal { return better(f.exact, f.best) }

// extract finds the literals of a pattern.
func extract(re *syntax.Regexp) found {
	switch re.Op {
	case syntax.OpLiteral:
		return extractLiteral(re)
	case syntax.OpEmptyMatch:
		return empty(true)
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpBeginText, syntax.OpEndText,
		syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return empty(false)
	case syntax.OpCharClass:
		return extractClass(re)
	case syntax.OpCapture:
		return extract(re.Sub[0])
	case syntax.OpConcat:
		return extractConcat(re.Sub)
	case syntax.OpAlternate:
		return extractAlternate(re.Sub)
	case syntax.OpQuest:
		return extractQuest(extract(re.Sub[0]))
	case syntax.OpPlus:
		return found{best: extract(re.Sub[0]).required()}
	case syntax.OpRepeat:
		return extractRepeat(re)
	}
	return found{}
}

// extractLiteral takes a literal as it is if bytes can stand for it.
func extractLiteral(re *syntax.Regexp) found {
	var text strings.Builder
	fold, plain := re.Flags&syntax.FoldCase != 0, true
	for _, r := range re.Rune {
		// An invalid byte of a line matches U+FFFD, and no line holds a line feed: neither can be searched for.
		if r == utf8.RuneError || r == '\n' || !utf8.ValidRune(r) {
			return found{}
		}
		if fold {
			r = lowerRune(foldToASCII(r))
			plain = plain && r < utf8.RuneSelf && r != 'k' && r != 's'
		}
		text.WriteRune(r)
	}
	if fold && !foldable(text.String()) {
		fold = false
	}
	return found{exact: []literal{{text.String(), fold}}, plain: plain}
}

// foldToASCII is the ASCII letter that r folds to, r itself if there is none.
func foldToASCII(r rune) rune {
	for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
		if c < utf8.RuneSelf {
			return c
		}
	}
	return r
}

// lowerRune lowers an ASCII letter. Others stay, since they are searched for in their exact form or not at all.
func lowerRune(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r | caseBit
	}
	return r
}

// foldable says whether case can matter in text.
func foldable(text string) bool {
	for _, r := range text {
		if unicode.SimpleFold(r) != r {
			return true
		}
	}
	return false
}

// extractClass takes a small class as alternatives.
func extractClass(re *syntax.Regexp) found {
	var out []literal
	for i := 0; i+1 < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if len(out) == maxClass || r == utf8.RuneError || r == '\n' || !utf8.ValidRune(r) {
				return found{}
			}
			out = append(out, literal{text: string(r)})
		}
	}
	return found{exact: out, plain: len(out) > 0}
}

// extractQuest adds the empty text to what the part may be.
func extractQuest(sub found) found {
	if sub.exact == nil || len(sub.exact) == maxLiterals {
		return found{}
	}
	return found{exact: append(slices.Clone(sub.exact), literal{}), plain: sub.plain}
}

// extractRepeat takes what one round requires, if there is at least one.
func extractRepeat(re *syntax.Regexp) found {
	if re.Min == 0 {
		return found{}
	}
	return found{best: extract(re.Sub[0]).required()}
}

// extractConcat joins neighbours that are known exactly, and keeps the best of all that is required.
func extractConcat(subs []*syntax.Regexp) found {
	run := empty(true)
	var best []literal
	whole, plain := true, true
	for _, sub := range subs {
		part := extract(sub)
		plain = plain && part.plain
		best = better(best, part.required())
		if joined, ok := cross(run.exact, part.exact); ok {
			run.exact, run.plain = joined.exact, run.plain && joined.plain
			best = better(best, run.exact)
			continue
		}
		whole = false
		run = empty(true)
		if part.exact != nil {
			run.exact = part.exact
		}
	}
	if !whole {
		return found{best: best}
	}
	return found{exact: run.exact, plain: plain && run.plain, best: best}
}

// cross is every text of a followed by every text of b. It is plain unless parts that fold were joined with parts
// that do not, which then fold too and so accept too much.
func cross(a, b []literal) (found, bool) {
	if a == nil || b == nil || len(a)*len(b) > maxLiterals {
		return found{}, false
	}
	out, size := found{exact: make([]literal, 0, len(a)*len(b)), plain: true}, 0
	for _, x := range a {
		for _, y := range b {
			if size += len(x.text) + len(y.text); size > maxSetBytes {
				return found{}, false
			}
			l := literal{x.text + y.text, x.fold || y.fold}
			if x.fold != y.fold && (foldable(x.text) && foldable(y.text)) {
				out.plain = false
			}
			if l.fold {
				l.text = strings.Map(lowerRune, l.text)
			}
			out.exact = append(out.exact, l)
		}
	}
	return out, true
}

// extractAlternate unites the branches; one branch that requires nothing spoils it.
func extractAlternate(subs []*syntax.Regexp) found {
	out := found{exact: []literal{}, plain: true, best: []literal{}}
	for _, sub := range subs {
		part := extract(sub)
		out.plain = out.plain && part.plain
		out.exact = unite(out.exact, part.exact)
		out.best = unite(out.best, part.required())
	}
	if out.exact == nil {
		out.plain = false
	}
	return out
}

// unite is the union of two sets, nil when one is nil or they grow too large.
func unite(a, b []literal) []literal {
	if a == nil || b == nil {
		return nil
	}
	out := slices.Clone(a)
	for _, l := range b {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	size := 0
	for i := range out {
		size += len(out[i].text)
	}
	if len(out) > maxLiterals || size > maxSetBytes {
		return nil
	}
	return out
}

// Weights of a set of literals, in bits: how unlikely a hit is, against what each further pass over the block costs.
const (
	enoughBits = 32
	passBits   = 3
)

// better is the more selective of two sets of which one must occur.
func better(a, b []literal) []literal {
	if weight(b) > weight(a) {
		return b
	}
	if weight(a) > 0 {
		return a
	}
	return nil
}

// weight is how much searching for the set saves, 0 for a set that saves nothing.
func weight(set []literal) int {
	if len(set) == 0 {
		return 0
	}
	least := enoughBits
	for i := range set {
		least = min(least, set[i].weight())
	}
	if least == 0 {
		return 0
	}
	return max(1, least-passBits*(len(set)-1))
}

// weight is how unlikely the text is, in bits; a folded one counts only its longest piece that can be searched for.
func (l *literal) weight() int {
	text := l.text
	if l.fold {
		text = bestPiece(l.text)
	}
	total := 0
	for i := range len(text) {
		total += rarity(text[i])
	}
	return total
}

// bestPiece is the most unlikely stretch of a folded text in which every character has the same width in every case:
// ASCII without k and s, which U+212A and U+017F fold to.
func bestPiece(text string) string {
	best, bits := "", 0
	for len(text) > 0 {
		end := strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf || r == 'k' || r == 's' })
		if end < 0 {
			end = len(text)
		}
		sum := 0
		for i := range end {
			sum += rarity(text[i])
		}
		if sum > bits {
			best, bits = text[:end], sum
		}
		if end == len(text) {
			break
		}
		_, size := utf8.DecodeRuneInString(text[end:])
		text = text[end+size:]
	}
	return best
}

// rarity is how unlikely a byte is in a log, in bits: about the logarithm of its mean distance.
func rarity(b byte) int { return bits.Len16(byteGap[b]) }

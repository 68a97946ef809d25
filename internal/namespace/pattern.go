// Package namespace matches names of parts, such as MyApp::Database::Pool and github.com/acme/db.Pool, against patterns
// with * and **, and picks the most specific of several.
package namespace

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The parts of a pattern that are no names.
const (
	one  = "*"  // exactly one part
	many = "**" // any number of parts, none included
)

// allowed ends the error texts.
const allowed = "a pattern consists of parts between ::, / or dots, and a part is a name, * for exactly one part, " +
	"or ** for any number of parts"

// Pattern says which namespaces are meant. The zero value matches only the empty namespace. A Pattern never changes.
type Pattern struct {
	text   string
	normal string
	parts  []string
	rank   Rank
	split  separators
}

// Rank says how specific a pattern is: the number of names, the number of *, and minus the number of **. The first
// difference decides, and the larger is the more specific. Where everything that one pattern matches is matched by
// another, but not the reverse, the former ranks higher.
type Rank [3]int

// Compare is positive if r is more specific than other, negative if it is less, 0 in a tie.
func (r Rank) Compare(other Rank) int { return slices.Compare(r[:], other[:]) }

// Parse reads a pattern. Its parts stand between ::, / or dots, all of which split; empty parts do not count, and
// neither does the order of * and ** or a second ** where they are neighbours. The error of a pattern that cannot be
// says what is allowed.
func Parse(pattern string) (Pattern, error) { return parse(pattern, everySeparator) }

// parse is Parse with the given separators.
func parse(pattern string, split separators) (Pattern, error) {
	if pattern == "" {
		return Pattern{}, errors.New("the pattern is empty: " + allowed)
	}
	if strings.Contains(pattern, ":::") {
		return Pattern{}, errors.New("the pattern has more than two colons in a row: " + allowed)
	}
	for part, rest := split.cut(pattern); part != ""; part, rest = split.cut(rest) {
		if err := checkPart(part, split); err != nil {
			return Pattern{}, err
		}
	}
	p := compile(pattern, split)
	if len(p.parts) == 0 {
		return Pattern{}, fmt.Errorf("the pattern has no part: %s", allowed)
	}
	return p, nil
}

// checkPart says why a part cannot be.
func checkPart(part string, split separators) error {
	wrong := ""
	switch {
	case part == one || part == many:
	case strings.Contains(part, "*"):
		wrong = "has a * among other characters"
	case strings.Contains(part, ":"):
		wrong = "has a single colon"
	case strings.ContainsFunc(part, unicode.IsSpace):
		wrong = "has white space"
	case split == doubleColon && strings.ContainsAny(part, "./"):
		wrong = "has a dot or slash, which separates nothing here"
	}
	if wrong == "" {
		return nil
	}
	return fmt.Errorf("the part %q %s: %s", part, wrong, allowed)
}

// compile normalises a pattern and counts its parts. It takes whatever it gets: what is no wildcard is a name.
func compile(pattern string, split separators) Pattern {
	p := Pattern{text: pattern, split: split}
	open := false // whether the run of wildcards at the end has a **
	for part, rest := split.cut(pattern); part != ""; part, rest = split.cut(rest) {
		switch part {
		case many:
			open = true
			continue
		case one:
			p.rank[1]++
		default:
			p.closeRun(&open)
			p.rank[0]++
		}
		p.parts = append(p.parts, part)
	}
	p.closeRun(&open)
	p.normal = strings.Join(p.parts, "::")
	return p
}

// closeRun ends a run of wildcards with the one ** that stands for all of its own.
func (p *Pattern) closeRun(open *bool) {
	if *open {
		p.parts = append(p.parts, many)
		p.rank[2]--
	}
	*open = false
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Normal is the pattern without what does not count. Patterns of the same normal form are the same pattern.
func (p Pattern) Normal() string { return p.normal }

// same says whether p and q are the same pattern.
func (p Pattern) same(q Pattern) bool { return p.normal == q.normal && p.split == q.split }

// Rank says how specific p is.
func (p Pattern) Rank() Rank { return p.rank }

// Match says whether p means the namespace. It allocates nothing and takes at most the product of the numbers of parts
// of both in steps.
func (p Pattern) Match(namespace string) bool {
	// Only the last ** has to be tried again with one part more: whatever an earlier one took is settled by then.
	again, againFrom := -1, ""
	i, from := 0, namespace
	for {
		part, rest := p.split.cut(from)
		if part == "" {
			return i == len(p.parts) || p.parts[i] == many && i+1 == len(p.parts)
		}
		switch {
		case i < len(p.parts) && p.parts[i] == many:
			i++
			if i == len(p.parts) {
				return true
			}
			again, againFrom = i, from
		case i < len(p.parts) && (p.parts[i] == one || p.parts[i] == part):
			i, from = i+1, rest
		case again >= 0:
			_, againFrom = p.split.cut(againFrom)
			i, from = again, againFrom
		default:
			return false
		}
	}
}

// separators says what stands between the parts.
type separators bool

// The sets of separators.
const (
	doubleColon    separators = false
	everySeparator separators = true // ::, / and the dot
)

// cut is the first part of a name that is not empty, and what comes after it; an empty part says that there is none.
func (s separators) cut(name string) (part, rest string) {
	for {
		at, width := s.find(name)
		if at > 0 || width == 0 {
			return name[:at], name[at+width:]
		}
		name = name[width:]
	}
}

// find is where the first separator begins, and how long it is; the end and 0 if there is none.
func (s separators) find(name string) (at, width int) {
	for i := range len(name) {
		switch name[i] {
		case ':':
			if i+1 < len(name) && name[i+1] == ':' {
				return i, 2
			}
		case '/', '.':
			if s == everySeparator {
				return i, 1
			}
		}
	}
	return len(name), 0
}

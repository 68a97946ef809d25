package convention

import (
	"slices"
	"strings"
	"unicode"
)

// maxRepairs bounds how often a name is repaired: one repair may uncover another fault, as a dropped prefix may leave
// a repeated word. Real names need two rounds.
const maxRepairs = 4

// digitWords are put for a digit that leads a name, where a letter must stand.
var digitWords = [...]string{"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"}

// repair is a name that means the same and passes the checker, or "" where none can be derived.
func (k *Checker) repair(what, module string) string {
	better, ok := snake(what)
	if !ok {
		return ""
	}
	for range maxRepairs {
		next := k.repairOnce(better, module)
		if next == better {
			break
		}
		better = next
	}
	if better == what || len(k.judge(better, module)) > 0 {
		return ""
	}
	return better
}

// repairOnce applies each repair once to a name in lower snake case.
func (k *Checker) repairOnce(name, module string) string {
	name = k.shorten(name, module)
	words := split(name)
	if at, n := findInability(words); n > 0 {
		words = slices.Delete(words, at, at+n)
		if last(words) != failed {
			words = append(words, failed)
		}
	}
	if slices.Contains(errorWords, last(words)) || slices.Contains(failureWords, last(words)) {
		words[len(words)-1] = failed
	}
	if better, ok := lifecycle[last(words)]; ok {
		words[len(words)-1] = better
	}
	return strings.Join(distinct(words), "_")
}

// shorten replaces the prefix of a module by a short one and drops vendor prefixes.
func (k *Checker) shorten(name, module string) string {
	if k.prefixed(name, module) {
		name = k.prefixOf(module) + strings.TrimPrefix(name, module)
	}
	longest := ""
	for known := range k.prefixes {
		if len(known) > len(longest) && strings.HasPrefix(name, known+"_") && !slices.Contains(k.allowed, known) {
			longest = known
		}
	}
	if longest != "" {
		name = k.prefixes[longest] + strings.TrimPrefix(name, longest)
	}
	for _, p := range k.vendor {
		name = strings.TrimPrefix(name, p)
	}
	return name
}

// prefixOf is a short prefix for a module: the configured one, else its name without vendor prefix, else its first
// word.
func (k *Checker) prefixOf(module string) string {
	if prefix, ok := k.prefixes[module]; ok {
		return prefix
	}
	for _, p := range k.vendor {
		if rest, ok := strings.CutPrefix(module, p); ok && rest != "" {
			return rest
		}
	}
	first, _, _ := strings.Cut(module, "_")
	return first
}

// distinct drops words that repeat. The last word tells the outcome and is kept where it stands; of others the first
// is kept.
func distinct(words []string) []string {
	var out []string
	for i, word := range words {
		if i == len(words)-1 || (!slices.Contains(out, word) && word != last(words)) {
			out = append(out, word)
		}
	}
	return out
}

// snake is a name in lower snake case. It says false where the name has letters that are not ASCII, for which it knows
// no spelling.
func snake(name string) (string, bool) {
	var b strings.Builder
	runes := []rune(name)
	for i, c := range runes {
		switch {
		case c < unicode.MaxASCII && (unicode.IsLower(c) || unicode.IsDigit(c)):
			b.WriteRune(c)
		case c < unicode.MaxASCII && unicode.IsUpper(c):
			if i > 0 && startsWord(runes, i) {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(c))
		case unicode.IsLetter(c) || unicode.IsNumber(c) || c == unicode.ReplacementChar:
			return "", false
		default:
			b.WriteByte('_')
		}
	}
	joined := strings.Join(split(b.String()), "_")
	if joined == "" {
		return "", false
	}
	if c := joined[0]; c >= '0' && c <= '9' {
		joined = digitWords[c-'0'] + joined[1:]
	}
	return joined, true
}

// startsWord says whether the capital at i starts a word of a name in camel case: httpCode, HTTPCode.
func startsWord(runes []rune, i int) bool {
	before := runes[i-1]
	return !unicode.IsUpper(before) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))
}

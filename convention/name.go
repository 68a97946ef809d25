package convention

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// The words that the rules of names look for.
var (
	errorWords   = []string{"error", "errors"}
	failureWords = []string{"failure", "failures", "fail", "fails"}
	inability    = [][]string{
		{"unable", "to"}, {"cannot"}, {"cant"}, {"could", "not"}, {"couldnt"}, {"not", "able", "to"},
	}
	// lifecycle maps a word to the preferred one. A bare verb says neither "about to" nor "done"; the first is taken.
	lifecycle = map[string]string{
		"start": "starting", "begin": "starting", "init": "starting", "begun": "started",
		"stop": "stopping", "end": "stopping", "terminate": "stopping", "shutdown": "stopping",
		"ended": "stopped", "terminated": "stopped",
	}
)

const failed = "failed"

// CheckName reports how the name of an event breaks the rules EV01 to EV11, in the order of the rules. The module is
// the part of the program that logs, as one lower snake case name, such as the package; "" means that it is not known,
// and EV07 is not evaluated.
//
// All findings of a name suggest the same name, which repairs all of them, or none.
func (k *Checker) CheckName(what, module string) []Finding {
	findings := k.judge(what, module)
	if len(findings) == 0 || what == "" {
		return findings
	}
	if better := k.repair(what, module); better != "" {
		for i := range findings {
			findings[i].Suggestion = better
		}
	}
	return findings
}

// judge is CheckName without suggestions.
func (k *Checker) judge(what, module string) []Finding {
	r := &report{checker: k}
	if what == "" {
		r.name("EV01", "the event has no name: what is missing or empty")
		return r.findings
	}
	if !snakeCase.MatchString(what) {
		r.name("EV02", fmt.Sprintf("%q is not lower snake case that starts with a letter", what))
	}
	words := split(what)
	k.judgeWording(r, what, words)
	for _, p := range k.vendor {
		if strings.HasPrefix(what, p) {
			r.name("EV06", fmt.Sprintf("%q starts with the vendor prefix %s", what, p))
			break
		}
	}
	if k.prefixed(what, module) {
		r.name("EV07", fmt.Sprintf("%q starts with the complete module name %s: use a short prefix", what, module))
	}
	if word := repeated(words); word != "" {
		r.name("EV08", fmt.Sprintf("%q has the word %s twice", what, word))
	}
	if n := utf8.RuneCountInString(what); n > k.maxLength || len(words) > k.maxWords {
		r.name("EV09", fmt.Sprintf("%q has %d characters and %d words: at most %d and %d are wanted",
			what, n, len(words), k.maxLength, k.maxWords))
	}
	if better, ok := lifecycle[last(words)]; ok {
		stem := strings.TrimSuffix(strings.TrimSuffix(better, "ing"), "ed")
		r.name("EV10", fmt.Sprintf("%q ends in %s: prefer %sing (about to) or %sed (done)", what, last(words), stem, stem))
	}
	if len(words) == 1 {
		r.name("EV11", fmt.Sprintf("%q is one word: say what happened to what", what))
	}
	return r.findings
}

// judgeWording evaluates the rules about how a failure is worded.
func (k *Checker) judgeWording(r *report, what string, words []string) {
	if slices.Contains(errorWords, last(words)) {
		r.name("EV03", fmt.Sprintf("%q ends in _%s: use _failed, or the outcome, such as _timeout", what, last(words)))
	}
	if slices.Contains(failureWords, last(words)) {
		r.name("EV04", fmt.Sprintf("%q ends in _%s: use _failed", what, last(words)))
	}
	if _, n := findInability(words); n > 0 {
		r.name("EV05", fmt.Sprintf("%q words an inability: name the operation and end in _failed", what))
	}
}

// prefixed says whether EV07 refuses what in that module.
func (k *Checker) prefixed(what, module string) bool {
	if module == "" || slices.Contains(k.allowed, module) {
		return false
	}
	return what == module || strings.HasPrefix(what, module+"_")
}

// name takes in a finding about a name.
func (r *report) name(rule, message string) {
	r.add(Finding{Rule: rule, Field: KeyWhat, Message: message})
}

// split is the list of the words of a name in lower case, without empty ones.
func split(what string) []string {
	return strings.FieldsFunc(strings.ToLower(what), func(c rune) bool { return c == '_' })
}

// last is the last word, or "".
func last(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// repeated is the first word that stands twice, or "".
func repeated(words []string) string {
	for i, word := range words {
		if slices.Contains(words[:i], word) {
			return word
		}
	}
	return ""
}

// findInability is the place and the number of the words of the first wording of inability; the number is 0 when there
// is none.
func findInability(words []string) (at, n int) {
	for i := range words {
		for _, sequence := range inability {
			if len(words)-i >= len(sequence) && slices.Equal(words[i:i+len(sequence)], sequence) {
				return i, len(sequence)
			}
		}
	}
	return 0, 0
}

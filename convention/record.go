package convention

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spilelog/spile/event"
)

// rfcLevels are the words of RFC 5424, gravest first.
var rfcLevels = []string{"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"}

// keyDurationMicro is the key that RC05 refuses whatever its value.
const keyDurationMicro = "duration_us"

// exceptionSuffix ends the names of records that carry an exception.
const exceptionSuffix = "_exception"

// iqContexts are the keys that tell an IQ, the preferred one first.
var iqContexts = []string{KeyAcc, KeyIQ, KeySubEl}

// exceptionKeys are the keys that go together.
var exceptionKeys = []string{KeyClass, KeyReason, KeyStacktrace}

// unexpectedKeys are the keys that a record about an unexpected request must have, by name.
var unexpectedKeys = map[string][]string{
	unexpectedCall: {KeyMsg, KeyCallFrom},
	unexpectedCast: {KeyMsg},
	unexpectedInfo: {KeyMsg},
}

// CheckRecord reports how a record breaks the convention: the rules of names on the field what, without a module, then
// the rules of records in their order. The level is the word as it was written. The fields are everything the caller
// gave, by key; values are those of a Go program (texts, numbers, addresses, slog values, …) or of decoded JSON.
// The record is only read.
func (k *Checker) CheckRecord(level string, fields map[string]any) []Finding {
	what := nameIn(fields)
	r := &report{checker: k, findings: k.CheckName(what, "")}
	c := recordCheck{report: r, what: what, level: level, fields: fields}
	c.exceptions()
	c.reserved()
	c.context()
	c.types()
	c.unexpected()
	c.levelWord()
	c.advice()
	return r.findings
}

// nameIn is the name of the record: the text of what, and whatever fmt makes of it when it is no text.
func nameIn(fields map[string]any) string {
	v := plain(fields[KeyWhat])
	if v == nil {
		return ""
	}
	if s, ok := textOf(v); ok {
		return s
	}
	return fmt.Sprint(v)
}

// recordCheck is one record under judgement.
type recordCheck struct {
	*report
	what   string
	level  string
	fields map[string]any
}

func (c *recordCheck) given(key string) bool {
	_, ok := c.fields[key]
	return ok
}

// missing lists the keys that the record has not.
func (c *recordCheck) missing(keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), c.given)
}

// exceptions evaluates RC01 and RC02.
func (c *recordCheck) exceptions() {
	missing := c.missing(exceptionKeys)
	if (c.given(KeyClass) || c.given(KeyStacktrace)) && len(missing) > 0 {
		c.add(Finding{
			Rule: "RC01", Field: missing[0],
			Message: "class, reason and stacktrace go together: " + strings.Join(missing, " and ") + " missing",
		})
	}
	if len(missing) == 0 && !strings.HasSuffix(c.what, exceptionSuffix) {
		better := exceptionName(c.what)
		if len(c.checker.judge(better, "")) > 0 {
			better = ""
		}
		c.add(Finding{
			Rule: "RC02", Field: KeyWhat, Suggestion: better,
			Message: fmt.Sprintf("%q carries an exception: its name should end in %s", c.what, exceptionSuffix),
		})
	}
}

// reserved evaluates RC03.
func (c *recordCheck) reserved() {
	for _, key := range c.checker.reserved {
		if c.given(key) {
			c.add(Finding{Rule: "RC03", Field: key, Message: key + " is reserved for the logger: use another key"})
		}
	}
}

// context evaluates RC04.
func (c *recordCheck) context() {
	have := slices.DeleteFunc(slices.Clone(iqContexts), func(key string) bool { return !c.given(key) })
	if len(have) > 1 {
		c.add(Finding{
			Rule: "RC04", Field: have[1], Suggestion: have[0],
			Message: "one context of an IQ is enough: keep " + have[0] + ", drop " + strings.Join(have[1:], " and "),
		})
	}
}

// types evaluates RC05, in the order of the keys so that reports are the same every time.
func (c *recordCheck) types() {
	if !c.on("RC05") {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(c.fields)) {
		field, ok := c.checker.catalogue.Field(key)
		v := plain(c.fields[key])
		switch {
		case key == keyDurationMicro:
			c.add(Finding{
				Rule: "RC05", Field: key, Suggestion: KeyDuration,
				Message: "duration_us is not a field: durations are whole milliseconds in duration",
			})
		case ok && field.Enforced && !c.checker.fits(field.Type, v):
			c.add(Finding{
				Rule: "RC05", Field: key, Suggestion: c.checker.retype(field.Type, v),
				Message: fmt.Sprintf("%s is %T %.40q: must be %s", key, v, fmt.Sprint(v), typePhrases[field.Type]),
			})
		}
	}
}

// typePhrases say of each type what a value must be.
var typePhrases = map[Type]string{
	TypeText: "text", TypeName: "a short text", TypeInteger: "a whole number", TypeNumber: "a number",
	TypeBool: "true or false", TypePort: "a whole number from 0 to 65535", TypeIP: "an IP address",
	TypePeer: "an IP address with a port", TypeList: "a list", TypeTime: "a time in RFC 3339 with zone",
	TypeLevel: "a level word", TypeObject: "a group of named values",
}

// retype is how the value would be written with the right type, where that is sure.
func (k *Checker) retype(t Type, v any) string {
	s, ok := textOf(v)
	if !ok {
		return ""
	}
	lenient := Checker{textValues: true}
	switch {
	case (t == TypeInteger || t == TypePort) && lenient.fits(t, s):
		return s
	case t == TypeList && s != "":
		return fmt.Sprintf("[%q]", s)
	}
	return ""
}

// unexpected evaluates RC06.
func (c *recordCheck) unexpected() {
	keys, ok := unexpectedKeys[c.what]
	if !ok {
		return
	}
	if warning := event.Warning.String(); c.level != warning {
		c.add(Finding{
			Rule: "RC06", Field: KeyLevel, Suggestion: warning,
			Message: fmt.Sprintf("%s has level %q: must be warning", c.what, c.level),
		})
	}
	for _, key := range c.missing(keys) {
		c.add(Finding{Rule: "RC06", Field: key, Message: c.what + " must have " + key})
	}
	for _, key := range []string{KeyState, KeyStateName} {
		if c.given(key) {
			c.add(Finding{Rule: "RC06", Field: key, Message: c.what + " does not need " + key})
		}
	}
}

// levelWord evaluates RC07.
func (c *recordCheck) levelWord() {
	if slices.Contains(c.checker.levels, c.level) {
		return
	}
	better := ""
	if l, err := event.ParseLevel(c.level); err == nil {
		// Trace is Spile's own; the nearest word of the RFC is debug.
		better = max(l, event.Debug).String()
	}
	c.add(Finding{
		Rule: "RC07", Field: KeyLevel, Suggestion: better,
		Message: fmt.Sprintf("level %q is none of %s", c.level, strings.Join(c.checker.levels, ", ")),
	})
}

// advice evaluates RC10, RC12 and RC13.
func (c *recordCheck) advice() {
	if c.given(KeyResult) && c.what == "" {
		c.add(Finding{Rule: "RC10", Field: KeyResult, Message: "result explains what, which is missing"})
	}
	if strings.HasSuffix(c.what, "_"+failed) && !c.given(KeyReason) && !c.has("RC01") {
		c.add(Finding{Rule: "RC12", Field: KeyReason, Message: c.what + " does not tell its reason"})
	}
	sub, ok := textOf(plain(c.fields[KeySubHost]))
	server, both := textOf(plain(c.fields[KeyServer]))
	if ok && both && sub == server {
		c.add(Finding{Rule: "RC13", Field: KeySubHost, Message: "sub_host is the same as server: leave it out"})
	}
}

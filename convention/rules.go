package convention

import (
	"fmt"
	"slices"
	"strings"
)

// Severity says how grave a finding is. The zero value is [Off].
type Severity int

// The severities, least grave first.
const (
	// Off is the severity of a rule that is not evaluated.
	Off Severity = iota
	// Info is advice: a record with nothing worse is still good.
	Info
	// Warning is a broken convention.
	Warning
	// Error is a record that tools cannot group or order.
	Error
)

// severityWords are the words of the severities, by number.
var severityWords = [...]string{Off: "off", Info: "info", Warning: "warning", Error: "error"}

// String is the word of s: off, info, warning or error.
func (s Severity) String() string {
	if s < Off || s > Error {
		return fmt.Sprintf("severity(%d)", int(s))
	}
	return severityWords[s]
}

// MarshalText is the word of s. A number that is no severity is an error.
func (s Severity) MarshalText() ([]byte, error) {
	if s < Off || s > Error {
		return nil, fmt.Errorf("severity %d is unknown: must be 0 to %d", int(s), int(Error))
	}
	return []byte(severityWords[s]), nil
}

// UnmarshalText reads one of the words off, info, warning and error.
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severityWords[:], string(text))
	if i < 0 {
		return fmt.Errorf("unknown severity %q: must be one of %s", text, strings.Join(severityWords[:], ", "))
	}
	*s = Severity(i)
	return nil
}

// Subject says what a rule is about.
type Subject string

// The subjects.
const (
	// SubjectName rules judge the name of an event alone: EV01 to EV11.
	SubjectName Subject = "name"
	// SubjectRecord rules judge the level and the fields of one record.
	SubjectRecord Subject = "record"
	// SubjectPipeline rules are about what formatters and [Expand] make of a record. No record can show them broken, so
	// the checker never reports them; they are listed so that the list is whole.
	SubjectPipeline Subject = "pipeline"
)

// Rule describes one rule of the convention.
type Rule struct {
	// ID is the stable name of the rule, as findings carry it: EV03.
	ID string
	// Subject says what the rule judges.
	Subject Subject
	// Severity is the severity at default settings; Off for the rules of the pipeline.
	Severity Severity
	// Title is the rule in one line.
	Title string
}

// ruleTable lists the rules in the order in which they are documented and reported.
var ruleTable = []Rule{
	{"EV01", SubjectName, Error, "what is present and not empty"},
	{"EV02", SubjectName, Error, "lower snake case that starts with a letter"},
	{"EV03", SubjectName, Warning, "no suffix _error"},
	{"EV04", SubjectName, Warning, "no suffix _failure or _fail"},
	{"EV05", SubjectName, Warning, "no wording of inability, such as unable_to or cannot"},
	{"EV06", SubjectName, Warning, "no vendor prefix"},
	{"EV07", SubjectName, Warning, "not the complete module name as prefix"},
	{"EV08", SubjectName, Warning, "no repeated word"},
	{"EV09", SubjectName, Info, "not too long"},
	{"EV10", SubjectName, Info, "the preferred words for the life of a thing: starting, started, stopping, stopped"},
	{"EV11", SubjectName, Info, "more than one word"},
	{"RC01", SubjectRecord, Warning, "class, reason and stacktrace go together"},
	{"RC02", SubjectRecord, Info, "a record with class, reason and stacktrace has a name that ends in _exception"},
	{"RC03", SubjectRecord, Warning, "keys that are reserved for the logger are not set by callers"},
	{"RC04", SubjectRecord, Warning, "one context of an IQ: acc, else iq, else sub_el"},
	{"RC05", SubjectRecord, Warning, "fields have the types of the catalogue"},
	{"RC06", SubjectRecord, Warning, "unexpected requests have level warning and their keys, and no state"},
	{"RC07", SubjectRecord, Error, "the level is one of the eight words of RFC 5424"},
	{"RC08", SubjectPipeline, Off, "the timestamp comes first, as RFC 3339 with zone"},
	{"RC09", SubjectPipeline, Off, "at is the location of the call"},
	{"RC10", SubjectRecord, Info, "result explains a what"},
	{"RC11", SubjectPipeline, Off, "packet is serialised XML, and exml_packet is replaced by it"},
	{"RC12", SubjectRecord, Info, "an operation that failed tells its reason"},
	{"RC13", SubjectRecord, Info, "sub_host is not server"},
}

// Rules lists all rules in the order in which findings are reported. The caller owns the list.
func Rules() []Rule { return slices.Clone(ruleTable) }

// Finding is one break of one rule.
type Finding struct {
	// Rule is the id of the rule: EV03.
	Rule string
	// Severity is the severity of the rule in the settings of the checker; never Off.
	Severity Severity
	// Field is the key that the finding is about; "what" for the rules of names, "level" for RC07.
	Field string
	// Message says what is wrong, for people.
	Message string
	// Suggestion is the text to write in place of the field's value, or "" where none can be derived. A suggested
	// name passes [Checker.CheckName] with the same module and without a finding. RC04 suggests the key to keep.
	Suggestion string
}

// String is the finding in one line: "EV03 warning: … (suggestion: …)".
func (f Finding) String() string {
	line := f.Rule + " " + f.Severity.String() + ": " + f.Message
	if f.Suggestion != "" {
		line += " (suggestion: " + f.Suggestion + ")"
	}
	return line
}

// Worst is the gravest severity among findings, and Off when there are none. A record is good when it is Off, good
// with advice when it is Info, and bad above.
func Worst(findings []Finding) Severity {
	worst := Off
	for _, f := range findings {
		worst = max(worst, f.Severity)
	}
	return worst
}

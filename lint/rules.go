package lint

import (
	"slices"

	"github.com/spilelog/spile/convention"
)

// The rules that only source can break.
const (
	ruleConstantName = "LC01"
	rulePairs        = "LC02"
	ruleConstantKey  = "LC03"
	ruleTwice        = "LC04"
	ruleIgnore       = "LC05"
)

// subjectCall is the subject of the rules of this package: a call in the source.
const subjectCall convention.Subject = "call"

// Rules lists the rules of this package in order, without those of package convention. The caller owns the list.
func Rules() []convention.Rule {
	return []convention.Rule{
		{
			ID: ruleConstantName, Subject: subjectCall, Severity: convention.Error,
			Title: "the name of an event is a constant",
		},
		{
			ID: rulePairs, Subject: subjectCall, Severity: convention.Error,
			Title: "arguments are attributes, or pairs of a text and a value",
		},
		{ID: ruleConstantKey, Subject: subjectCall, Severity: convention.Warning, Title: "keys are constants"},
		{ID: ruleTwice, Subject: subjectCall, Severity: convention.Warning, Title: "no key is given twice in one call"},
		{
			ID: ruleIgnore, Subject: subjectCall, Severity: convention.Warning,
			Title: "a comment that switches a rule off names the rule and a reason",
		},
	}
}

// severityOf is the severity of a rule of this package.
func severityOf(id string) convention.Severity {
	rules := Rules()
	return rules[slices.IndexFunc(rules, func(r convention.Rule) bool { return r.ID == id })].Severity
}

// known says whether id is a rule of this package or of package convention.
func known(id string) bool {
	return slices.ContainsFunc(slices.Concat(Rules(), convention.Rules()), func(r convention.Rule) bool {
		return r.ID == id
	})
}

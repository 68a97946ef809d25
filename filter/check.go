package filter

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

// The names of the fields in the details of an error.
const (
	fieldLevel    = "filters.level"
	fieldMinLevel = "filters.min_level"
	fieldSource   = "filters.source"
	fieldPattern  = "filters.pattern"
	fieldScope    = "filters.scope"
)

const (
	// maxLevels bounds the words of a level list: every level in every spelling fits many times over.
	maxLevels = 64
	// maxGlobChoices bounds how many ways the braces of one glob may expand, since each is tried on a name.
	maxGlobChoices = 256
)

// problems collects one reason per offending field.
type problems map[string]string

// add keeps why as the reason of field; the first reason of a field stays.
func (p *problems) add(field, why string) {
	if *p == nil {
		*p = problems{}
	}
	if _, ok := (*p)[field]; !ok {
		(*p)[field] = why
	}
}

// err is the validation error of all that was collected, nil when nothing was.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	parts := make([]string, 0, len(p))
	for _, field := range slices.Sorted(maps.Keys(p)) {
		parts = append(parts, field+": "+p[field])
	}
	return &wire.Error{Code: wire.CodeValidation, Message: strings.Join(parts, "; "), Details: p}
}

// compileLevels reads level and min_level into one set.
func (m *Matcher) compileLevels(f wire.Filters, bad *problems) {
	if len(f.Level) > maxLevels {
		bad.add(fieldLevel, reason("%d levels given, at most %d are allowed", len(f.Level), maxLevels))
		return
	}
	if len(f.Level) > 0 {
		m.hasLevels = true
		set, err := event.ParseSet(f.Level)
		if err != nil {
			bad.add(fieldLevel, shorten(err.Error()))
		}
		m.levels = set
	}
	if f.MinLevel != "" {
		m.hasLevels = true
		level, err := event.ParseLevel(f.MinLevel)
		if err != nil {
			bad.add(fieldMinLevel, shorten(err.Error()))
		}
		m.levels &= event.AtLeast(level)
	}
}

// compileSources checks and keeps the globs.
func (m *Matcher) compileSources(globs []string, bad *problems) {
	if !checkList(listCheck{fieldSource, "globs", wire.MaxSources}, globs, bad) {
		return
	}
	for _, glob := range globs {
		switch {
		case glob == "":
			bad.add(fieldSource, "a glob is empty: give a source name or a glob such as nginx*")
		case !doublestar.ValidatePattern(glob):
			bad.add(fieldSource, reason("%q is not a valid glob: allowed are *, ?, **, [a-z], {a,b} and \\ before a "+
				"character that stands for itself", glob))
		case globChoices(glob) > maxGlobChoices:
			bad.add(fieldSource, reason("%q: its braces expand in more than %d ways", glob, maxGlobChoices))
		}
	}
	m.sources = slices.Clone(globs)
}

// compileScopes splits the pairs at their first colon.
func (m *Matcher) compileScopes(pairs []string, bad *problems) {
	if !checkList(listCheck{fieldScope, "pairs", wire.MaxScopes}, pairs, bad) {
		return
	}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, ":")
		if !ok || key == "" {
			bad.add(fieldScope, reason("%q is not a pair: must be key:value, split at the first colon", pair))
			continue
		}
		m.scopes = append(m.scopes, scope{key, value})
	}
}

// listCheck is the bound of one list of the filter.
type listCheck struct {
	field, what string
	limit       int
}

// checkList checks the length of a list and of its items.
func checkList(c listCheck, items []string, bad *problems) bool {
	if len(items) > c.limit {
		bad.add(c.field, reason("%d %s given, at most %d are allowed", len(items), c.what, c.limit))
		return false
	}
	for i, item := range items {
		if len(item) > wire.MaxFilterItem {
			bad.add(c.field, reason("item %d has %d bytes, at most %d are allowed", i+1, len(item), wire.MaxFilterItem))
			return false
		}
	}
	return true
}

// globChoices is in how many ways the braces of a glob may expand, at most; it stops counting past the limit.
func globChoices(glob string) int {
	total := 1
	var groups []int
	for i := 0; i < len(glob) && total <= maxGlobChoices; i++ {
		last := len(groups) - 1
		switch {
		case glob[i] == '\\':
			i++
		case glob[i] == '{':
			groups = append(groups, 1)
		case glob[i] == ',' && last >= 0:
			groups[last]++
		case glob[i] == '}' && last >= 0:
			total *= groups[last]
			groups = groups[:last]
		}
	}
	return total
}

// reason formats why a field is refused.
func reason(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// maxReason bounds how much of a caller's own input an error repeats.
const maxReason = 512

// shorten cuts a reason that repeats too much of the input, from the middle so that the advice at its end stays.
func shorten(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason/2]+"…"+s[len(s)-maxReason/2:], "")
}

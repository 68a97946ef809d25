package filter

import (
	"regexp"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

// Matcher is a compiled filter. It is immutable and pure, so any number of goroutines may ask it at once.
type Matcher struct {
	levels    event.LevelSet
	hasLevels bool
	sources   []string
	scopes    []scope
	pattern   *regexp.Regexp
	// plain, if not empty, is the whole meaning of the pattern: one of these texts occurs in the line.
	plain []plainText
	// needles is what a block is searched for, empty when every line is a candidate.
	needles []needle
}

// scope is one key and value that an event must carry.
type scope struct {
	key, value string
}

// Compile checks f and compiles it. The error is a *wire.Error of code validation_error whose details name every
// offending field at once: filters.level, filters.min_level, filters.source, filters.pattern and filters.scope. Level
// and min_level both apply when both are set.
func Compile(f wire.Filters) (*Matcher, error) {
	m := &Matcher{levels: event.AllLevels}
	var bad problems
	m.compileLevels(f, &bad)
	m.compileSources(f.Source, &bad)
	m.compileScopes(f.Scope, &bad)
	m.compilePattern(f.Pattern, &bad)
	if err := bad.err(); err != nil {
		return nil, err
	}
	return m, nil
}

// Scope returns the matcher of the events that carry key with the value: of one scope that needs no splitting, so that
// its key may hold colons.
func Scope(key, value string) *Matcher {
	return &Matcher{levels: event.AllLevels, scopes: []scope{{key, value}}}
}

// Source says whether events of the source name pass. A glob's * and ? stay within one part between slashes, ** spans
// parts; case counts; a name that equals the glob passes whatever characters it holds. It is meant to be asked once
// per file, not per line.
func (m *Matcher) Source(name string) bool {
	if len(m.sources) == 0 {
		return true
	}
	for _, glob := range m.sources {
		if glob == name || doublestar.MatchUnvalidated(glob, name) {
			return true
		}
	}
	return false
}

// Levels is the set of levels that pass, every level when the filter names none.
func (m *Matcher) Levels() event.LevelSet { return m.levels }

// HasLevels says whether the filter names levels, so that a caller may skip looking for them.
func (m *Matcher) HasLevels() bool { return m.hasLevels }

// Pattern is the exact verdict of the pattern on one line without its line ending; true when there is no pattern.
func (m *Matcher) Pattern(line []byte) bool {
	if len(m.plain) == 0 {
		return m.pattern == nil || m.pattern.Match(line)
	}
	for i := range m.plain {
		if m.plain[i].in(line) {
			return true
		}
	}
	return false
}

// Event is the exact verdict of level and scope on a parsed event. It looks at neither pattern nor source.
func (m *Matcher) Event(ev *event.Event) bool {
	if !m.levels.Has(ev.Level) {
		return false
	}
	for i := range m.scopes {
		if !m.scopes[i].holds(ev) {
			return false
		}
	}
	return true
}

// holds says whether ev carries the key with the value, as text. Of a key that is there twice the first counts, which
// is that of the logger, so that a logger whose records cannot match is known beforehand. A value without a text never
// matches, but nil matches the empty text. The event's own source, level and message count as keys where the metadata
// has none of that name; a level compares in either of its spellings and in any case.
func (s *scope) holds(ev *event.Event) bool {
	if v, ok := ev.Metadata.Get(s.key); ok {
		return (v.Printable() || v.Kind() == event.KindNil) && v.Text() == s.value
	}
	switch s.key {
	case "source":
		return ev.Source == s.value
	case "level":
		return strings.EqualFold(ev.Level.String(), s.value) || strings.EqualFold(ev.Level.Wire(), s.value)
	case "message":
		return ev.Message == s.value
	}
	return false
}

package event

import (
	"fmt"
	"math/bits"
	"strings"
)

// Level is the severity of an event, with the numbers of log/slog: higher is more severe.
type Level int

// The nine levels.
const (
	Trace     Level = -8
	Debug     Level = -4
	Info      Level = 0
	Notice    Level = 2
	Warning   Level = 4
	Error     Level = 8
	Critical  Level = 10
	Alert     Level = 12
	Emergency Level = 14
)

// NumLevels is the number of named levels; [Level.Index] is below it.
const NumLevels = 9

// levelRow is one line of the table of levels: the number and the two spellings.
type levelRow struct {
	level Level
	word  string
	wire  string
}

// levelTable lists the levels in order of severity; the position is the level's index.
var levelTable = [NumLevels]levelRow{
	{Trace, "trace", "TRACE"},
	{Debug, "debug", "DEBUG"},
	{Info, "info", "INFO"},
	{Notice, "notice", "NOTICE"},
	{Warning, "warning", "WARN"},
	{Error, "error", "ERROR"},
	{Critical, "critical", "CRITICAL"},
	{Alert, "alert", "ALERT"},
	{Emergency, "emergency", "EMERGENCY"},
}

// LevelWords is what a level may be called, for error messages and help texts.
const LevelWords = "trace, debug, info, notice, warning (warn), error (err), critical (crit, fatal), alert, " +
	"emergency (emerg, panic)"

// ParseLevel reads a level's name in any case, or one of the aliases warn, err, crit, fatal, emerg and panic. The
// error of an unknown word lists the valid ones.
func ParseLevel(word string) (Level, error) {
	for i := range levelTable {
		if strings.EqualFold(word, levelTable[i].word) {
			return levelTable[i].level, nil
		}
	}
	switch strings.ToLower(word) {
	case "warn":
		return Warning, nil
	case "err":
		return Error, nil
	case "crit", "fatal":
		return Critical, nil
	case "emerg", "panic":
		return Emergency, nil
	}
	return Info, fmt.Errorf("unknown level %q: must be one of %s", word, LevelWords)
}

// Index is the position of l among the nine levels, 0 for trace to 8 for emergency. A number between two levels
// counts as the lower one, one below trace as trace.
func (l Level) Index() int {
	for i := NumLevels - 1; i > 0; i-- {
		if l >= levelTable[i].level {
			return i
		}
	}
	return 0
}

// LevelAt is the level at position i of 0 (trace) to 8 (emergency). It panics outside that range.
func LevelAt(i int) Level { return levelTable[i].level }

// String is the RFC 5424 word in lower case, as formatters print it.
func (l Level) String() string { return levelTable[l.Index()].word }

// Wire is the word as frames carry it: TRACE DEBUG INFO NOTICE WARN ERROR CRITICAL ALERT EMERGENCY.
func (l Level) Wire() string { return levelTable[l.Index()].wire }

// LevelSet is a set of levels; the zero value is empty.
type LevelSet uint16

// AllLevels holds the nine levels.
const AllLevels LevelSet = 1<<NumLevels - 1

// SetOf is the set of the given levels.
func SetOf(levels ...Level) LevelSet {
	var s LevelSet
	for _, l := range levels {
		s |= 1 << l.Index()
	}
	return s
}

// AtLeast is the set of l and everything more severe.
func AtLeast(l Level) LevelSet { return AllLevels &^ (1<<l.Index() - 1) }

// ParseSet reads a list of level words as an exact set. The word fatal stands for critical and everything above, as
// programs that know no critical use it; every other word stands for its one level.
func ParseSet(words []string) (LevelSet, error) {
	var s LevelSet
	for _, word := range words {
		l, err := ParseLevel(word)
		if err != nil {
			return 0, err
		}
		if strings.EqualFold(word, "fatal") {
			s |= AtLeast(Critical)
			continue
		}
		s |= SetOf(l)
	}
	return s, nil
}

// Has says whether l is in s.
func (s LevelSet) Has(l Level) bool { return s>>l.Index()&1 == 1 }

// Len is the number of levels in s.
func (s LevelSet) Len() int { return bits.OnesCount16(uint16(s)) }

// Levels lists the levels of s, least severe first.
func (s LevelSet) Levels() []Level {
	out := make([]Level, 0, s.Len())
	for i := range levelTable {
		if s>>i&1 == 1 {
			out = append(out, levelTable[i].level)
		}
	}
	return out
}

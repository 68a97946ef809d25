package parse

import "github.com/spilelog/spile/event"

// plainWindow is how many bytes of plain text are searched for a level word.
const plainWindow = 64

// levelWord reads a level's name in any case. It knows the words of [event.ParseLevel], and the offsets of slog
// ("WARN+2").
func levelWord(s string) (event.Level, bool) {
	if len(s) < len("err") || len(s) > len("emergency+99") {
		return 0, false
	}
	switch s[0] | 0x20 {
	case 'i':
		if foldEqual(s, "info") {
			return event.Info, true
		}
	case 'd':
		if foldEqual(s, "debug") {
			return event.Debug, true
		}
	case 'w':
		if foldEqual(s, "warn") || foldEqual(s, "warning") {
			return event.Warning, true
		}
	case 'e':
		switch {
		case foldEqual(s, "error"), foldEqual(s, "err"):
			return event.Error, true
		case foldEqual(s, "emerg"), foldEqual(s, "emergency"):
			return event.Emergency, true
		}
	default:
		if l, ok := rareLevelWord(s); ok {
			return l, true
		}
	}
	return slogLevel(s)
}

// rareLevelWord knows the words that levelWord does not look at first.
func rareLevelWord(s string) (event.Level, bool) {
	switch {
	case foldEqual(s, "trace"):
		return event.Trace, true
	case foldEqual(s, "notice"):
		return event.Notice, true
	case foldEqual(s, "crit"), foldEqual(s, "critical"), foldEqual(s, "fatal"):
		return event.Critical, true
	case foldEqual(s, "alert"):
		return event.Alert, true
	case foldEqual(s, "panic"):
		return event.Emergency, true
	}
	return 0, false
}

// slogLevel reads what slog prints for a level between its own four, such as DEBUG-4 and ERROR+2.
func slogLevel(s string) (event.Level, bool) {
	i := 0
	for i < len(s) && s[i] != '+' && s[i] != '-' {
		i++
	}
	if i < len("info") || i > len("error") || i == len(s) {
		return 0, false
	}
	n, ok := smallInt(s[i+1:])
	base, known := levelWord(s[:i])
	if !ok || !known {
		return 0, false
	}
	if s[i] == '-' {
		n = -n
	}
	return event.LevelAt((base + event.Level(n)).Index()), true
}

// foldEqual compares s to a word in lower-case ASCII letters, in any case.
func foldEqual(s, word string) bool {
	if len(s) != len(word) {
		return false
	}
	for i := range len(s) {
		if s[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}

// severityLevel is the level of one of the eight severities of syslog.
func severityLevel(n int) event.Level {
	return [8]event.Level{
		event.Emergency, event.Alert, event.Critical, event.Error,
		event.Warning, event.Notice, event.Info, event.Debug,
	}[n&7]
}

// isLevelKey says whether the value of key may be the line's level.
func isLevelKey(key string) bool {
	switch key {
	case "level", "lvl", "severity", "log.level", "levelname", "PRIORITY":
		return true
	}
	return false
}

// levelValue reads the value of a level key: a word, for PRIORITY a severity of syslog, or, if it stood without
// quotes in JSON, a number of bunyan and pino (10 to 60).
func levelValue(key, value string, number bool) (event.Level, bool) {
	if key == "PRIORITY" {
		if len(value) == 1 && value[0] >= '0' && value[0] <= '7' {
			return severityLevel(int(value[0] - '0')), true
		}
		return 0, false
	}
	if !number {
		return levelWord(value)
	}
	if len(value) != 2 || value[1] < '0' || value[1] > '9' {
		return 0, false
	}
	switch value[0] {
	case '1':
		return event.Trace, true
	case '2':
		return event.Debug, true
	case '3':
		return event.Info, true
	case '4':
		return event.Warning, true
	case '5':
		return event.Error, true
	case '6':
		return event.Critical, true
	}
	return 0, false
}

// plainLevel finds the first level word of plain text, or info. A word counts if all of it stands in the first 64
// bytes and it is in upper case between blanks or brackets, or in any case within [] or <> or before a colon.
func plainLevel(line string) event.Level {
	end := min(len(line), plainWindow)
	for i := 0; i < end; {
		if !isLetter(line[i]) {
			i++
			continue
		}
		start := i
		for i < len(line) && i <= end && isLetter(line[i]) {
			i++
		}
		if n := i - start; i > end || n < len("err") || n > len("emergency") {
			continue
		}
		if level, ok := levelWord(line[start:i]); ok && levelPosition(line, start, i) {
			return level
		}
	}
	return event.Info
}

// levelPosition says whether the level word line[start:end] stands where a level is meant.
func levelPosition(line string, start, end int) bool {
	before, after := byte(' '), byte(' ')
	if start > 0 {
		before = line[start-1]
	}
	if end < len(line) {
		after = line[end]
	}
	switch {
	case before == '[' && after == ']', before == '<' && after == '>':
		return true
	case isBlank(before) && after == ':':
		return end+1 == len(line) || line[end+1] != '/'
	}
	for i := start; i < end; i++ {
		if line[i]&0x20 != 0 {
			return false
		}
	}
	switch before {
	case ' ', '\t', '[', '<', '(', '|':
	default:
		return false
	}
	switch after {
	case ' ', '\t', ']', '>', ')', '|', ',', ':':
		return true
	}
	return false
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

package parse

import (
	"strings"
	"time"

	"github.com/spilelog/spile/event"
)

// pair is one key=value of logfmt, or one bare word.
type pair struct {
	key   string
	value string // raw, without quotes
	at    int    // position of the key
	end   int    // position after the value
	// bare says that there is no value, quoted that it stood in quotes, escaped that it has backslashes in them.
	bare, quoted, escaped bool
}

// nextPair reads the pair at or behind position i of s.
func nextPair(s string, i int) (f pair, ok bool) {
	for i < len(s) && isBlank(s[i]) {
		i++
	}
	if i >= len(s) {
		return f, false
	}
	f.at = i
	for i < len(s) && s[i] != '=' && !isBlank(s[i]) {
		i++
	}
	f.key, f.end = s[f.at:i], i
	if i >= len(s) || s[i] != '=' || i == f.at {
		f.bare = true
		for i < len(s) && !isBlank(s[i]) {
			i++
		}
		f.key, f.end = s[f.at:i], i
		return f, true
	}
	i++
	if i < len(s) && s[i] == '"' {
		f.quoted = true
		end := stringEnd(s, i+1)
		if end < 0 {
			end = len(s)
		}
		f.value, f.end = s[i+1:end], min(end+1, len(s))
		f.escaped = strings.IndexByte(f.value, '\\') >= 0
		return f, true
	}
	start := i
	for i < len(s) && !isBlank(s[i]) {
		i++
	}
	f.value, f.end = s[start:i], i
	return f, true
}

// isLogfmt says whether line begins as logfmt: with two pairs, or with one whose key is that of a level, a message or
// a time.
func isLogfmt(line string) bool {
	n := keyLen(line)
	if n == 0 {
		return false
	}
	if key := line[:n]; isLevelKey(key) || isTimeKey(key) || messageRank(key) < noMessage {
		return true
	}
	first, _ := nextPair(line, 0)
	if first.end >= len(line) || !isBlank(line[first.end]) {
		return false
	}
	return keyLen(strings.TrimLeft(line[first.end:], " \t")) > 0
}

// keyLen is the length of the key that s begins with, if it begins with a key and an equals sign, else 0.
func keyLen(s string) int {
	for i := range len(s) {
		switch b := s[i]; {
		case isLetter(b), b == '_', b == '@' && i == 0:
		case i > 0 && (isDigit(b) || b == '.' || b == '-' || b == '/'):
		case b == '=':
			return i
		default:
			return 0
		}
	}
	return 0
}

// logfmtLevel finds the level of a logfmt line and the position of its key, or info and -1.
func logfmtLevel(s string) (event.Level, int) {
	for i := 0; ; {
		f, ok := nextPair(s, i)
		if !ok {
			return event.Info, -1
		}
		if !f.bare && isLevelKey(f.key) {
			if level, ok := levelValue(f.key, f.value, false); ok {
				return level, f.at
			}
		}
		i = f.end
	}
}

// logfmtTime finds the time of a logfmt line.
func logfmtTime(s string) (time.Time, bool) {
	for i := 0; ; {
		f, ok := nextPair(s, i)
		if !ok {
			return time.Time{}, false
		}
		if !f.bare && isTimeKey(f.key) {
			if t, ok := timeValue(f.value); ok {
				return t, true
			}
		}
		i = f.end
	}
}

// parseLogfmt fills ev from a logfmt line whose level, found before, stands at levelAt. Values stay texts, since
// logfmt has no types. Bare words behind a message without quotes belong to it; other bare words are true.
func (p *Parser) parseLogfmt(s string, levelAt int, ev *event.Event) {
	best, bestAt, timed := noMessage, 0, false
	for i := 0; ; {
		f, ok := nextPair(s, i)
		if !ok {
			break
		}
		i = f.end
		switch {
		case f.at == levelAt:
			continue
		case f.bare:
			p.set(ev, f.key, event.Bool(true))
			continue
		case !timed && isTimeKey(f.key) && setTime(ev, f.value):
			timed = true
			continue
		}
		rank := messageRank(f.key)
		if rank < noMessage && !f.quoted {
			i = wordsEnd(s, i)
			f.value = s[f.end-len(f.value) : i]
		}
		value := p.logfmtText(f)
		at := p.set(ev, f.key, event.String(value))
		if rank < best && value != "" {
			best, bestAt = rank, at
		}
	}
	takeMessage(ev, best, bestAt)
}

// wordsEnd is the end of the bare words that follow position i.
func wordsEnd(s string, i int) int {
	for {
		f, ok := nextPair(s, i)
		if !ok || !f.bare {
			return i
		}
		i = f.end
	}
}

// logfmtText is the value of f without its escapes.
func (p *Parser) logfmtText(f pair) string {
	if !f.escaped {
		return f.value
	}
	start := len(p.buf)
	if !validEscapes(f.value) {
		return p.unslashed(f.value)
	}
	p.buf = appendUnescaped(p.buf, f.value)
	return p.decoded(start)
}

// validEscapes says whether all escapes of s are those of JSON, as Go's logfmt encoders write them.
func validEscapes(s string) bool {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return true
		}
		n := escapeLen(s, i+1)
		if n == 0 {
			return false
		}
		s = s[i+1+n:]
	}
}

// unslashed removes the backslash before quotes and backslashes, and leaves others.
func (p *Parser) unslashed(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	start := len(p.buf)
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\' || s[i+1] == ']') {
			i++
		}
		p.buf = append(p.buf, s[i])
	}
	return p.decoded(start)
}

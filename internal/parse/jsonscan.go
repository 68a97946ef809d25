package parse

import (
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/spilelog/spile/event"
)

// member is one member of a JSON object as it stands in the line, found without checking what it skips.
type member struct {
	key   string // raw, without quotes
	value string // raw, a string without its quotes
	at    int    // position of the key
	kind  byte   // first byte of the value
	next  int    // position of what follows the value
}

// nextMember reads the member at position i of s, past the brace or the comma before it.
func nextMember(s string, i int) (m member, ok bool) {
	i = skipSpace(s, i)
	if i >= len(s) || s[i] != '"' {
		return m, false
	}
	m.at = i + 1
	end := stringEnd(s, m.at)
	if end < 0 {
		return m, false
	}
	m.key = s[m.at:end]
	i = skipSpace(s, end+1)
	if i >= len(s) || s[i] != ':' {
		return m, false
	}
	i = skipSpace(s, i+1)
	if i >= len(s) {
		return m, false
	}
	m.kind = s[i]
	switch m.kind {
	case '"':
		end = stringEnd(s, i+1)
		if end < 0 {
			return m, false
		}
		m.value, m.next = s[i+1:end], end+1
	case '{', '[':
		end = skipNested(s, i)
		if end < 0 {
			return m, false
		}
		m.value, m.next = s[i:end], end
	default:
		end = i
		for end < len(s) && s[end] != ',' && s[end] != '}' && !isSpace(s[end]) {
			end++
		}
		m.value, m.next = s[i:end], end
	}
	return m, true
}

// afterMember is the position of the next member, or -1 if none follows the one that ends at i.
func afterMember(s string, i int) int {
	i = skipSpace(s, i)
	if i >= len(s) || s[i] != ',' {
		return -1
	}
	return i + 1
}

// jsonLevel finds the level of a JSON line and the position of its key, or info and -1. Nothing behind the level is
// looked at, so a line cut short keeps its level.
func jsonLevel(s string) (event.Level, int) {
	for i := 1; i > 0; {
		m, ok := nextMember(s, i)
		if !ok {
			break
		}
		if isLevelKey(m.key) {
			if level, ok := levelValue(m.key, m.value, m.kind != '"'); ok {
				return level, m.at
			}
		}
		i = afterMember(s, m.next)
	}
	return event.Info, -1
}

// jsonTime finds the time of a JSON line.
func jsonTime(s string) (time.Time, bool) {
	for i := 1; i > 0; {
		m, ok := nextMember(s, i)
		if !ok {
			break
		}
		if isTimeKey(m.key) {
			if t, ok := timeValue(m.value); ok {
				return t, true
			}
		}
		i = afterMember(s, m.next)
	}
	return time.Time{}, false
}

// stringEnd is the position of the quote that closes the JSON string whose text begins at i, or -1.
func stringEnd(s string, i int) int {
	start := i
	for {
		n := strings.IndexByte(s[i:], '"')
		if n < 0 {
			return -1
		}
		i += n
		slashes := i
		for slashes > start && s[slashes-1] == '\\' {
			slashes--
		}
		if (i-slashes)&1 == 0 {
			return i
		}
		i++
		start = i
	}
}

// skipNested is the position after the object or list that begins at i, or -1.
func skipNested(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch s[i] {
		case '"':
			end := stringEnd(s, i+1)
			if end < 0 {
				return -1
			}
			i = end
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

func skipSpace(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

// appendUnescaped appends the text of a valid JSON string. A half of a surrogate pair without the other becomes
// U+FFFD.
func appendUnescaped(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		b := s[i+1]
		s = s[i+2:]
		switch b {
		case 'n':
			dst = append(dst, '\n')
		case 't':
			dst = append(dst, '\t')
		case 'r':
			dst = append(dst, '\r')
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'u':
			r := hexRune(s)
			s = s[4:]
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					pair = utf16.DecodeRune(r, hexRune(s[2:]))
				}
				if r = pair; r != utf8.RuneError {
					s = s[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, b)
		}
	}
}

// hexRune reads the four hexadecimal digits at the beginning of s, which are known to be there.
func hexRune(s string) rune {
	var r rune
	for i := range 4 {
		b := s[i]
		switch {
		case b <= '9':
			b -= '0'
		default:
			b = b | 0x20 - 'a' + 10
		}
		r = r<<4 | rune(b)
	}
	return r
}

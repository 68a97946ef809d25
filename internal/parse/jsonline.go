package parse

import (
	"strings"
	"unicode/utf8"

	"github.com/spilelog/spile/event"
)

// maxDepth is how deep values of a JSON line may nest; a deeper line is broken.
const maxDepth = 128

// noMessage is the rank of a key that is no message.
const noMessage = 4

// messageRank orders the keys that may hold the message; the lowest wins.
func messageRank(key string) int {
	switch key {
	case "msg":
		return 0
	case "message":
		return 1
	case "text":
		return 2
	case "what":
		return 3
	}
	return noMessage
}

// parseJSON fills ev from a line that begins like a JSON object. The level, found before, stands at levelAt. A broken
// line is plain text that keeps its time.
func (p *Parser) parseJSON(s string, levelAt int, ev *event.Event) {
	if p.jsonMembers(s, levelAt, ev) {
		return
	}
	ev.Metadata, ev.Message = ev.Metadata[:0], ""
	if t, ok := jsonTime(s); ok {
		ev.Time = t
	}
}

// jsonMembers fills ev from the members and says whether the line is one valid JSON object.
func (p *Parser) jsonMembers(s string, levelAt int, ev *event.Event) bool {
	i := skipSpace(s, 1)
	if i < len(s) && s[i] == '}' {
		return skipSpace(s, i+1) == len(s)
	}
	best, bestAt, timed := noMessage, 0, false
	for {
		i = skipSpace(s, i)
		if i >= len(s) || s[i] != '"' {
			return false
		}
		keyAt := i + 1
		keyEnd, escaped, ok := scanString(s, keyAt)
		if !ok {
			return false
		}
		i = skipSpace(s, keyEnd+1)
		if i >= len(s) || s[i] != ':' {
			return false
		}
		i = skipSpace(s, i+1)
		key := p.jsonText(s[keyAt:keyEnd], escaped)
		end, v, ok := p.jsonValue(s, i)
		if !ok {
			return false
		}
		switch {
		case keyAt == levelAt:
		case !timed && !escaped && isTimeKey(key) && setTime(ev, strings.Trim(s[i:end], `"`)):
			timed = true
		default:
			at := p.set(ev, key, v)
			if rank := messageRank(key); rank < best && v.Kind() == event.KindString && v.Text() != "" {
				best, bestAt = rank, at
			}
		}
		i = skipSpace(s, end)
		if i >= len(s) {
			return false
		}
		if s[i] == '}' {
			takeMessage(ev, best, bestAt)
			return skipSpace(s, i+1) == len(s)
		}
		if s[i] != ',' {
			return false
		}
		i++
	}
}

// takeMessage moves the field at position at to the message, if the rank says that there is one. A later, empty value
// of the same key leaves ev without a message.
func takeMessage(ev *event.Event, rank, at int) {
	if rank == noMessage || ev.Metadata[at].Value.Kind() != event.KindString {
		return
	}
	ev.Message = ev.Metadata[at].Value.Text()
	ev.Metadata = append(ev.Metadata[:at], ev.Metadata[at+1:]...)
}

// setTime sets the time of ev if text is one.
func setTime(ev *event.Event, text string) bool {
	t, ok := timeValue(text)
	if ok {
		ev.Time = t
	}
	return ok
}

// jsonText is the text of a valid JSON string without its quotes.
func (p *Parser) jsonText(raw string, escaped bool) string {
	if !escaped {
		return raw
	}
	start := len(p.buf)
	p.buf = appendUnescaped(p.buf, raw)
	return p.decoded(start)
}

// jsonValue reads the value at position i and tells where it ends.
func (p *Parser) jsonValue(s string, i int) (end int, v event.Value, ok bool) {
	if i >= len(s) {
		return 0, v, false
	}
	if s[i] == '"' {
		end, escaped, ok := scanString(s, i+1)
		if !ok {
			return 0, v, false
		}
		return end + 1, event.String(p.jsonText(s[i+1:end], escaped)), true
	}
	end, ok = scanValue(s, i, 0)
	if !ok {
		return 0, v, false
	}
	switch s[i] {
	case 't', 'f':
		return end, event.Bool(s[i] == 't'), true
	case '{', '[':
		return end, event.JSON(p.validUTF8(s[i:end])), true
	}
	return end, event.JSON(s[i:end]), true
}

// validUTF8 replaces what is not UTF-8 in a JSON value that is passed on as it stands.
func (p *Parser) validUTF8(raw string) string {
	if utf8.ValidString(raw) {
		return raw
	}
	start := len(p.buf)
	for _, r := range raw {
		p.buf = utf8.AppendRune(p.buf, r)
	}
	return p.decoded(start)
}

// scanValue finds the end of the value at i and says whether it is valid.
func scanValue(s string, i, depth int) (end int, ok bool) {
	if i >= len(s) || depth > maxDepth {
		return 0, false
	}
	switch b := s[i]; {
	case b == '"':
		end, _, ok = scanString(s, i+1)
		return end + 1, ok
	case b == '{' || b == '[':
		return scanNested(s, i, depth+1)
	case b == '-' || isDigit(b):
		return scanNumber(s, i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s[i:], word) {
			return i + len(word), true
		}
	}
	return 0, false
}

// scanNested finds the end of the object or list at i.
func scanNested(s string, i, depth int) (end int, ok bool) {
	object, closing := s[i] == '{', s[i]+2 // the closing bracket follows its opening one at a distance of two
	i = skipSpace(s, i+1)
	if i < len(s) && s[i] == closing {
		return i + 1, true
	}
	for {
		i = skipSpace(s, i)
		if object {
			if i >= len(s) || s[i] != '"' {
				return 0, false
			}
			if i, _, ok = scanString(s, i+1); !ok {
				return 0, false
			}
			i = skipSpace(s, i+1)
			if i >= len(s) || s[i] != ':' {
				return 0, false
			}
			i = skipSpace(s, i+1)
		}
		if i, ok = scanValue(s, i, depth); !ok {
			return 0, false
		}
		i = skipSpace(s, i)
		switch {
		case i >= len(s):
			return 0, false
		case s[i] == closing:
			return i + 1, true
		case s[i] != ',':
			return 0, false
		}
		i++
	}
}

// scanNumber finds the end of the number at i.
func scanNumber(s string, i int) (end int, ok bool) {
	if s[i] == '-' {
		i++
	}
	start := i
	i = skipDigits(s, i)
	if i == start || s[start] == '0' && i > start+1 {
		return 0, false
	}
	if i < len(s) && s[i] == '.' {
		start = i + 1
		if i = skipDigits(s, start); i == start {
			return 0, false
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		i++
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		start = i
		if i = skipDigits(s, start); i == start {
			return 0, false
		}
	}
	return i, true
}

func skipDigits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// scanString finds the quote that closes the string whose text begins at i, and says whether the string has escapes
// and is valid.
func scanString(s string, i int) (end int, escaped, ok bool) {
	for i < len(s) {
		b := s[i]
		switch {
		case b == '"':
			return i, escaped, true
		case b == '\\':
			escaped = true
			n := escapeLen(s, i+1)
			if n == 0 {
				return 0, false, false
			}
			i += n
		case b < 0x20:
			return 0, false, false
		}
		i++
	}
	return 0, false, false
}

// escapeLen is the length of the escape at i without its backslash, or 0 if it is none.
func escapeLen(s string, i int) int {
	if i >= len(s) {
		return 0
	}
	switch s[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		for j := i + 1; j <= i+4; j++ {
			if j >= len(s) || !isDigit(s[j]) && (s[j]|0x20 < 'a' || s[j]|0x20 > 'f') {
				return 0
			}
		}
		return 5
	}
	return 0
}

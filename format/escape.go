package format

import (
	"unicode/utf8"

	"github.com/spilelog/spile/event"
)

const hexDigits = "0123456789abcdef"

// class says what a byte is to the writers of text.
type class uint8

const (
	// classPlain stands for itself, in quotes and without them.
	classPlain class = iota
	// classQuote stands for itself in bare text, but a token that has it needs quotes: space, =, and " in quotes.
	classQuote
	// classEscape is a control character or a backslash.
	classEscape
	// classWide begins, continues or breaks a character of several bytes.
	classWide
)

// classes is the class of each byte.
var classes = func() (t [256]class) {
	for b := range t {
		switch {
		case b == ' ' || b == '=' || b == '"':
			t[b] = classQuote
		case b < ' ' || b == 0x7f || b == '\\':
			t[b] = classEscape
		case b >= utf8.RuneSelf:
			t[b] = classWide
		}
	}
	return t
}()

// appendEscaped appends s as text that cannot do anything to a terminal or a line: control characters, line and
// paragraph separators and the characters that turn the direction of writing become visible escapes (\n, \r, \t,
// \u001b), each byte of invalid UTF-8 becomes U+FFFD, and everything else stands for itself. A backslash is doubled, so
// that an escape is never mistaken for text that looks like one.
func appendEscaped(dst []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := classes[s[i]]
		if c <= classQuote {
			i++
			continue
		}
		if c == classEscape {
			dst = appendASCIIEscape(append(dst, s[start:i]...), s[i])
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if broken := r == utf8.RuneError && size == 1; broken || event.Controls(r) {
			dst = append(dst, s[start:i]...)
			dst = appendRuneEscape(dst, r)
			start = i + size
		}
		i += size
	}
	return append(dst, s[start:]...)
}

// appendQuoted appends s as one token: as it is, or between quotes if it is empty or has a space, =, a quote, a
// backslash or anything that [appendEscaped] would change. Quotes and backslashes in it are escaped by a backslash.
func appendQuoted(dst []byte, s string) []byte {
	if bare(s) {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for {
		i := indexQuote(s)
		if i < 0 {
			return append(appendEscaped(dst, s), '"')
		}
		dst = append(appendEscaped(dst, s[:i]), '\\', '"')
		s = s[i+1:]
	}
}

// bare says whether s needs no quotes.
func bare(s string) bool {
	for i := 0; i < len(s); {
		switch classes[s[i]] {
		case classPlain:
			i++
		case classWide:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError || event.Controls(r) {
				return false
			}
			i += size
		default:
			return false
		}
	}
	return s != ""
}

// indexQuote is the position of the first quote in s, -1 if there is none.
func indexQuote(s string) int {
	for i := range len(s) {
		if s[i] == '"' {
			return i
		}
	}
	return -1
}

// appendASCIIEscape appends the escape of a control character or a backslash.
func appendASCIIEscape(dst []byte, b byte) []byte {
	switch b {
	case '\\':
		return append(dst, '\\', '\\')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return appendHex(dst, rune(b))
}

// appendRuneEscape appends the escape of a character that controls, and U+FFFD as itself.
func appendRuneEscape(dst []byte, r rune) []byte {
	if r == utf8.RuneError {
		return utf8.AppendRune(dst, r)
	}
	return appendHex(dst, r)
}

// appendHex appends r, which is of the basic plane, as \uXXXX.
func appendHex(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&0xf], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
}

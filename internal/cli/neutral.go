package cli

import (
	"fmt"
	"unicode/utf8"
)

// neutral is text without anything that a terminal obeys: each control character, mark of text direction and line
// separator stands as a visible escape. A tab stays. Bytes that are no UTF-8 are escaped too, since some terminals
// take them for controls.
func neutral(text string) []byte { return appendNeutral(make([]byte, 0, len(text)), text) }

// appendNeutral appends text as neutral gives it.
func appendNeutral(dst []byte, text string) []byte {
	start := 0
	for i := 0; i < len(text); {
		b := text[i]
		if b >= 0x20 && b < 0x7f || b == '\t' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if r == utf8.RuneError && size == 1 || !harmless(r) {
			dst = append(dst, text[start:i]...)
			dst = appendEscape(dst, r, b, size)
			start = i + size
		}
		i += size
	}
	return append(dst, text[start:]...)
}

// appendEscape appends the visible form of a rune, or of the byte b where there is no rune.
func appendEscape(dst []byte, r rune, b byte, size int) []byte {
	switch {
	case r == '\n':
		return append(dst, `\n`...)
	case r == '\r':
		return append(dst, `\r`...)
	case size == 1:
		return fmt.Appendf(dst, `\x%02x`, b)
	default:
		return fmt.Appendf(dst, `\u%04x`, r)
	}
}

// harmless says whether a terminal prints r and does nothing else.
func harmless(r rune) bool {
	switch {
	case r == '\t':
		return true
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		return false
	case r == 0x200e || r == 0x200f || r == 0x061c:
		return false
	case r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
		return false
	}
	return true
}

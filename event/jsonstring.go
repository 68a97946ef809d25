package event

import (
	"encoding/binary"
	"slices"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// plainByte tells the bytes that stand for themselves in a JSON string.
var plainByte = func() (t [256]bool) {
	for b := 0x20; b < utf8.RuneSelf; b++ {
		t[b] = b != '"' && b != '\\' && b != 0x7f
	}
	return t
}()

// Controls says whether r does something instead of being seen: it controls a terminal, ends a line, or changes the
// direction of writing so that a line reads as something else (CVE-2021-42574). All such characters are below U+10000.
func Controls(r rune) bool {
	switch {
	case r < 0xa0:
		return r < ' ' || r >= 0x7f
	case r == 0x61c || r == 0x200e || r == 0x200f:
		return true
	}
	return r >= 0x2028 && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// AppendString appends s as a JSON string. Whatever [Controls] is escaped; invalid UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	n, size := len(dst), len(s)+len(`""`)
	if cap(dst)-n < size {
		dst = slices.Grow(dst, size)
	}
	text := dst[n : n+size]
	if plain := copyPlain(text[1:], s); plain < len(s) {
		return appendMixed(dst, s, plain)
	}
	text[0], text[size-1] = '"', '"'
	return dst[:n+size]
}

// appendMixed is AppendString for a text in which not every byte stands for itself, but the first ones, so many, do.
func appendMixed(dst []byte, s string, plain int) []byte {
	dst = append(dst, '"')
	start := 0
	for i := plain; i < len(s); {
		b := s[i]
		if plainByte[b] {
			i++
			continue
		}
		if b < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscaped(dst, b)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + size
		case Controls(r):
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// The bytes that are looked at together.
const (
	wordBytes = 8
	halfBytes = wordBytes / 2
)

// copyPlain copies s to the start of dst, which is no shorter, if all of its bytes stand for themselves, and says of
// how many at its start that is sure. To look and copy at once is faster than to do one after the other.
func copyPlain(dst []byte, s string) int {
	n := len(s)
	if n < halfBytes {
		for i := range n {
			if !plainByte[s[i]] {
				return i
			}
			dst[i] = s[i]
		}
		return n
	}
	if n < wordBytes {
		// Two halves, which may overlap, make a word.
		first, last := half(s), half(s[n-halfBytes:])
		binary.LittleEndian.PutUint32(dst, first)
		binary.LittleEndian.PutUint32(dst[n-halfBytes:], last)
		if !plainWord(uint64(first) | uint64(last)<<32) {
			return 0
		}
		return n
	}
	i := 0
	for ; i+wordBytes <= n; i += wordBytes {
		w := word(s[i:])
		if !plainWord(w) {
			return i
		}
		binary.LittleEndian.PutUint64(dst[i:], w)
	}
	// The last word overlaps the one before, if need be.
	w := word(s[n-wordBytes:])
	binary.LittleEndian.PutUint64(dst[n-wordBytes:], w)
	if !plainWord(w) {
		return i
	}
	return n
}

// half is the first four bytes of s.
func half(s string) uint32 {
	_ = s[halfBytes-1]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// word is the first eight bytes of s.
func word(s string) uint64 {
	_ = s[wordBytes-1]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// plainWord says whether the eight bytes of w all stand for themselves.
func plainWord(w uint64) bool {
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
	)
	// A subtraction borrows from the high bit of a byte that is too small: below a space, or equal to what it was
	// compared with by xor. A borrow from the next byte can only happen when this one has been found out.
	found := w | (w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones) | ((w ^ 0x7f*ones) - ones)
	return found&high == 0
}

// appendEscaped appends the escape of one ASCII byte that may not stand for itself.
func appendEscaped(dst []byte, b byte) []byte {
	switch b {
	case '"', '\\':
		return append(dst, '\\', b)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
}

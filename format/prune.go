package format

import (
	"strings"
	"unicode/utf8"
)

// Prune is s with U+FFFD in place of each invalid byte of its UTF-8: s itself if there is none.
//
// [strings.ToValidUTF8] would make one of a whole run, and hide how much was lost.
func Prune(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*utf8.UTFMax)
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

package format

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// DefaultLimit is the limit of a message in bytes where none is set. Elixir documents it so; the value it ships is
// 8096.
const DefaultLimit = 8192

// truncated stands behind a text that was cut. Its length does not count against the limit.
const truncated = " (truncated)"

// lookBack is how many bytes before a cut are searched for the end of a character, as Elixir has it. Three would do for
// valid text.
const lookBack = 13

// Limit is how long a message may be. The zero value is [DefaultLimit] bytes.
type Limit struct {
	set   bool
	bytes int
}

// Bytes is a limit of n bytes. [NewPattern] refuses a negative one; 0 leaves nothing of a message but the mark that it
// was cut.
func Bytes(n int) Limit { return Limit{set: true, bytes: n} }

// Unlimited is no limit.
func Unlimited() Limit { return Limit{set: true, bytes: math.MaxInt} }

// max is the limit in bytes.
func (l Limit) max() (int, error) {
	switch {
	case !l.set:
		return DefaultLimit, nil
	case l.bytes < 0:
		return 0, fmt.Errorf("truncate limit is %d bytes: must be 0 or more, or Unlimited()", l.bytes)
	}
	return l.bytes, nil
}

// Truncate is s if it has at most n bytes, else its first n bytes without a character that the cut would split, and
// " (truncated)". Of invalid UTF-8 right before the cut, up to 13 bytes go too; elsewhere it stays. It panics if n is
// negative, as a slice expression does.
func Truncate(s string, n int) string {
	kept, cut := cutAt(s, n)
	if !cut {
		return s
	}
	return kept + truncated
}

// cutAt is what [Truncate] keeps of s, and whether that is less than s.
func cutAt(s string, n int) (string, bool) {
	if len(s) <= n {
		return s, false
	}
	end := n
	for end > max(0, n-lookBack) {
		if r, size := utf8.DecodeLastRuneInString(s[:end]); r != utf8.RuneError || size > 1 {
			break
		}
		end--
	}
	return s[:end], true
}

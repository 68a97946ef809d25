package event

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendMembers appends the members of e's JSON object to dst, without the braces around them:
//
//	"timestamp":"2024-01-15T10:00:00.123Z","level":"ERROR","source":"nginx","message":"…","metadata":{…}
//
// It is the one encoding of an event on the wire. Invalid UTF-8 becomes U+FFFD, so the result is always valid JSON
// in one line.
func AppendMembers(dst []byte, e *Event) []byte {
	dst = append(dst, `"timestamp":"`...)
	dst = AppendTime(dst, e.Time)
	dst = append(dst, `","level":"`...)
	dst = append(dst, e.Level.Wire()...)
	dst = append(dst, `","source":`...)
	dst = AppendString(dst, e.Source)
	dst = append(dst, `,"message":`...)
	dst = AppendString(dst, e.Message)
	dst = append(dst, `,"metadata":`...)
	return AppendMetadata(dst, e.Metadata)
}

// AppendMetadata appends m as a JSON object. A group without fields is left out, the fields of one without a key stand
// where it stands.
func AppendMetadata(dst []byte, m Metadata) []byte {
	dst = append(dst, '{')
	dst, _ = AppendFields(dst, m, false)
	return append(dst, '}')
}

// AppendFields appends m as members of a JSON object that the caller has opened. Comma says whether the first one
// needs a comma before it, and the second result whether a next one would.
func AppendFields(dst []byte, m Metadata, comma bool) ([]byte, bool) {
	for i := range m {
		v := m[i].Value.resolve()
		if v.kind == KindGroup {
			fields := v.Fields()
			if m[i].Key == "" {
				dst, comma = AppendFields(dst, fields, comma)
				continue
			}
			if fields.Empty() {
				continue
			}
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = AppendString(dst, m[i].Key)
		dst = append(dst, ':')
		dst = v.AppendJSON(dst)
	}
	return dst, comma
}

// AppendJSON appends v as one JSON value. A value whose method panics makes AppendJSON panic.
func (v Value) AppendJSON(dst []byte) []byte {
	v = v.resolve()
	switch v.kind {
	case KindInt:
		return strconv.AppendInt(dst, int64(v.num), 10)
	case KindUint:
		return strconv.AppendUint(dst, v.num, 10)
	case KindBool:
		return strconv.AppendBool(dst, v.num == 1)
	case KindJSON:
		return append(dst, v.text()...)
	case KindNil:
		return append(dst, "null"...)
	case KindGroup:
		return AppendMetadata(dst, v.Fields())
	case KindAny:
		return appendAnyJSON(dst, v.ref)
	case KindFloat:
		if f := v.Float64(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return appendFloat(dst, f)
		}
	case KindString:
		return AppendString(dst, v.text())
	}
	// Durations, times and floats that are no numbers: their texts need no escape.
	dst = append(dst, '"')
	dst = v.AppendText(dst)
	return append(dst, '"')
}

// AppendTime appends t in UTC as RFC 3339 with milliseconds, the form of every time on the wire. Years outside 0 to
// 9999 are printed as the nearest of the two, since RFC 3339 knows no others.
func AppendTime(dst []byte, t time.Time) []byte {
	const daySeconds = 24 * 60 * 60
	seconds := t.Unix()
	days := seconds / daySeconds
	second := seconds % daySeconds
	if second < 0 {
		second += daySeconds
		days--
	}
	year, month, day := civil(days)
	year = min(max(year, 0), maxYear)
	ms := uint32(t.Nanosecond()) / uint32(time.Millisecond)
	// One append of the whole is several times faster than one for each part.
	text := [...]byte{
		0, 0, 0, 0, '-', 0, 0, '-', 0, 0, 'T', 0, 0, ':', 0, 0, ':', 0, 0, '.', 0, 0, byte('0' + ms%10), 'Z',
	}
	putTwo(text[0:], uint32(year)/100)
	putTwo(text[2:], uint32(year)%100)
	putTwo(text[5:], month)
	putTwo(text[8:], day)
	putTwo(text[11:], uint32(second)/(60*60))
	putTwo(text[14:], uint32(second)/60%60)
	putTwo(text[17:], uint32(second)%60)
	putTwo(text[20:], ms/10)
	return append(dst, text[:]...)
}

// maxYear is the last year that RFC 3339 knows.
const maxYear = 9999

// civil is the date of a day in UTC, counted from 1970-01-01. It reckons from the first of March of the year 0, so that
// a leap day is the last of its year, in eras of 400 years, which all have the same length.
func civil(days int64) (year int64, month, day uint32) {
	const (
		eraDays   = 146097 // of 400 years
		fromMarch = 719468 // from 0000-03-01 to 1970-01-01
	)
	days += fromMarch
	era := days / eraDays
	if days%eraDays < 0 {
		era--
	}
	ofEra := uint32(days - era*eraDays)
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/(eraDays-1)) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	// Five months from March on have 153 days, and so have the next five.
	fromFirst := (5*ofYear + 2) / 153
	day = ofYear - (153*fromFirst+2)/5 + 1
	year = int64(yearOfEra) + era*400
	if fromFirst < 10 {
		return year, fromFirst + 3, day
	}
	return year + 1, fromFirst - 9, day
}

// putTwo writes n, which is below 100, in two digits.
func putTwo(dst []byte, n uint32) {
	_ = dst[1]
	dst[0], dst[1] = byte('0'+n/10), byte('0'+n%10)
}

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
	dst = append(dst, '"')
	start := 0
	for i := plainPrefix(s); i < len(s); {
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

// plainPrefix is how many bytes at the start of s surely stand for themselves, counted in eights.
func plainPrefix(s string) int {
	const (
		ones = 0x0101010101010101
		high = 0x80 * ones
	)
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		// A subtraction borrows from the high bit of a byte that is too small: below a space, or equal to what it was
		// compared with by xor. A borrow from the next byte can only happen when this one has been found out.
		found := w | (w - ' '*ones) | ((w ^ '"'*ones) - ones) | ((w ^ '\\'*ones) - ones) | ((w ^ 0x7f*ones) - ones)
		if found&high != 0 {
			break
		}
	}
	return i
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

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
		return append(dst, v.text...)
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
		return AppendString(dst, v.text)
	}
	// Durations, times and floats that are no numbers: their texts need no escape.
	dst = append(dst, '"')
	dst = v.AppendText(dst)
	return append(dst, '"')
}

// AppendTime appends t in UTC as RFC 3339 with milliseconds, the form of every time on the wire. Years outside 0 to
// 9999 are printed as the nearest of the two, since RFC 3339 knows no others.
func AppendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	year = min(max(year, 0), 9999)
	hour, minute, sec := t.Clock()
	dst = appendDigits(dst, year, 4)
	dst = append(dst, '-')
	dst = appendDigits(dst, int(month), 2)
	dst = append(dst, '-')
	dst = appendDigits(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendDigits(dst, hour, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, minute, 2)
	dst = append(dst, ':')
	dst = appendDigits(dst, sec, 2)
	dst = append(dst, '.')
	dst = appendDigits(dst, t.Nanosecond()/int(time.Millisecond), 3)
	return append(dst, 'Z')
}

// appendDigits appends n in decimal with leading zeros to the given width.
func appendDigits(dst []byte, n, width int) []byte {
	start := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; i >= start; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// plainByte tells the bytes that stand for themselves in a JSON string.
var plainByte = func() (t [256]bool) {
	for b := 0x20; b < utf8.RuneSelf; b++ {
		t[b] = b != '"' && b != '\\' && b != 0x7f
	}
	return t
}()

// AppendString appends s as a JSON string. Control characters are escaped, DEL and U+2028 and U+2029 too; invalid
// UTF-8 becomes U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
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
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u202`...)
			dst = append(dst, hexDigits[r&0xf])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
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

package event

import (
	"math"
	"strconv"
	"time"
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
	start := len(dst)
	dst, rest := AppendPrefix(dst, e, &wireForm, appendFurther)
	dst = appendFurther(dst, rest)
	if len(dst) == start {
		return append(dst, "{}"...)
	}
	dst[start] = '{' // It was the comma before the first field.
	return append(dst, '}')
}

// wireForm is what [AppendMembers] makes of metadata.
var wireForm = Form{Name: "wire"}

// appendFurther appends m as further members of a JSON object.
func appendFurther(dst []byte, m Metadata) []byte {
	dst, _ = AppendFields(dst, m, true)
	return dst
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
		key, v := m[i].Key, m[i].Value.resolve()
		if v.kind == KindGroup {
			fields := v.Fields()
			if key == "" {
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
		dst = append(AppendString(dst, key), ':')
		if v.kind == KindString {
			dst = AppendString(dst, v.text())
		} else {
			dst = v.AppendJSON(dst)
		}
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

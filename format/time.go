package format

import (
	"strconv"
	"time"
)

// appendClock appends the time of day as HH:MM:SS.mmm. What is less than a millisecond is cut off, never rounded up:
// no event is later than it was.
func appendClock(dst []byte, t time.Time) []byte {
	hour, minute, sec := t.Clock()
	dst = appendTwo(dst, hour)
	dst = append(dst, ':')
	dst = appendTwo(dst, minute)
	dst = append(dst, ':')
	dst = appendTwo(dst, sec)
	ms := t.Nanosecond() / int(time.Millisecond)
	dst = append(dst, '.', byte('0'+ms/100))
	return appendTwo(dst, ms%100)
}

// appendDate appends the date as YYYY-MM-DD; the year has as many digits as it needs.
func appendDate(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	dst = strconv.AppendInt(dst, int64(year), 10)
	dst = append(dst, '-')
	dst = appendTwo(dst, int(month))
	dst = append(dst, '-')
	return appendTwo(dst, day)
}

// appendTwo appends n, which is below 100, in two digits.
func appendTwo(dst []byte, n int) []byte {
	return append(dst, byte('0'+n/10), byte('0'+n%10))
}

package parse

import (
	"strconv"
	"strings"
	"time"
)

// isTimeKey says whether the value of key may be the line's time.
func isTimeKey(key string) bool {
	switch key {
	case "time", "timestamp", "ts", "@timestamp", "t":
		return true
	}
	return false
}

// clock is a time of day.
type clock struct{ hour, minute, second, nano int }

// timeValue reads the value of a time key: RFC 3339 or a date and a time, or a number of seconds, milliseconds,
// microseconds or nanoseconds since 1970. Without a zone it is local time.
func timeValue(s string) (time.Time, bool) {
	t, n, ok := scanTime(s)
	if ok && n == len(s) {
		return t, true
	}
	return epochTime(s)
}

// Bounds of what is taken for a number of seconds, milliseconds and microseconds. Smaller numbers than minEpoch
// (of 1973) are durations and counters rather than times.
const (
	minEpoch      = 1e8
	minEpochMilli = 1e11
	minEpochMicro = 1e14
	minEpochNano  = 1e17
)

// epochTime reads a number as a time since 1970.
func epochTime(s string) (time.Time, bool) {
	i := skipDigits(s, 0)
	if i < len("100000000") || i > len("1000000000000000000") {
		if i == 0 || i >= len(s) || !strings.ContainsAny(s, "eE") {
			return time.Time{}, false
		}
	}
	if i < len(s) {
		return fractionalEpoch(s, i)
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || n < minEpoch:
		return time.Time{}, false
	case n < minEpochMilli:
		return time.Unix(n, 0).UTC(), true
	case n < minEpochMicro:
		return time.UnixMilli(n).UTC(), true
	case n < minEpochNano:
		return time.UnixMicro(n).UTC(), true
	}
	return time.Unix(0, n).UTC(), true
}

// fractionalEpoch reads a number whose whole part ends at i, of seconds or of milliseconds.
func fractionalEpoch(s string, i int) (time.Time, bool) {
	sec, err := strconv.ParseInt(s[:i], 10, 64)
	if err == nil && s[i] == '.' && skipDigits(s, i+1) == len(s) && sec >= minEpoch && sec < minEpochMilli {
		return time.Unix(sec, int64(nanos(s[i+1:]))).UTC(), true
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || !(f >= minEpoch) || f >= minEpochMicro:
		return time.Time{}, false
	case f >= minEpochMilli:
		f /= 1e3
	}
	whole := int64(f)
	return time.Unix(whole, int64((f-float64(whole))*1e9)).UTC(), true
}

// nanos reads the digits behind the point of a number of seconds.
func nanos(s string) int {
	n, scale := 0, int(time.Second)
	for i := range len(s) {
		if scale /= 10; scale == 0 {
			break
		}
		n += int(s[i]-'0') * scale
	}
	return n
}

// plainTime reads the time that a line begins with, perhaps in brackets.
func plainTime(line string) (time.Time, bool) {
	s := strings.TrimPrefix(line, "[")
	t, n, ok := scanTime(s)
	if !ok || n < len(s) && (isLetter(s[n]) || isDigit(s[n])) {
		return time.Time{}, false
	}
	return t, true
}

// scanTime reads a date and a time at the beginning of s, such as 2024-01-15T10:00:00.123Z, 2024-01-15 10:00:00,123
// and 2024/01/15 10:00:00 +0100, and tells the length. Without a zone it is local time.
func scanTime(s string) (t time.Time, n int, ok bool) {
	const dateLen = len("2024-01-15 ")
	if len(s) < len("2024-01-15 10:00:00") || s[4] != s[7] || s[4] != '-' && s[4] != '/' {
		return t, 0, false
	}
	if b := s[10]; b != 'T' && b != 't' && b != ' ' && b != '_' {
		return t, 0, false
	}
	year := twoDigits(s)*100 + twoDigits(s[2:])
	month, day := twoDigits(s[5:]), twoDigits(s[8:])
	if year < 0 || twoDigits(s) < 0 || twoDigits(s[2:]) < 0 || month < 1 || month > 12 || day < 1 || day > 31 {
		return t, 0, false
	}
	c, n, ok := scanClock(s[dateLen:])
	if !ok {
		return t, 0, false
	}
	n += dateLen
	offset, zoneLen, zoned := scanZone(s[n:])
	if !zoned {
		return c.on(year, time.Month(month), day, time.Local), n, true
	}
	return c.on(year, time.Month(month), day, time.UTC).Add(-offset), n + zoneLen, true
}

// scanClock reads hours, minutes, seconds and decimals of seconds at the beginning of s.
func scanClock(s string) (c clock, n int, ok bool) {
	n = len("10:00:00")
	if len(s) < n || s[2] != ':' || s[5] != ':' {
		return c, 0, false
	}
	c.hour, c.minute, c.second = twoDigits(s), twoDigits(s[3:]), twoDigits(s[6:])
	if uint(c.hour) > 23 || uint(c.minute) > 59 || uint(c.second) > 60 {
		return c, 0, false
	}
	if n+1 < len(s) && (s[n] == '.' || s[n] == ',') && isDigit(s[n+1]) {
		end := skipDigits(s, n+1)
		c.nano = nanos(s[n+1 : end])
		n = end
	}
	return c, n, true
}

// scanZone reads a zone at the beginning of s: Z, UTC, +01:00 or +0100, perhaps behind a blank.
func scanZone(s string) (offset time.Duration, n int, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	if s[0] == 'Z' || s[0] == 'z' {
		return 0, 1, true
	}
	if s[0] == ' ' {
		n = 1
		if strings.HasPrefix(s, " UTC") {
			return 0, len(" UTC"), true
		}
	}
	if len(s) < n+len("+0100") || s[n] != '+' && s[n] != '-' {
		return 0, 0, false
	}
	negative := s[n] == '-'
	hours, minutesAt := twoDigits(s[n+1:]), n+3
	if s[minutesAt] == ':' {
		minutesAt++
	}
	if len(s) < minutesAt+2 {
		return 0, 0, false
	}
	minutes := twoDigits(s[minutesAt:])
	if uint(hours) > 23 || uint(minutes) > 59 {
		return 0, 0, false
	}
	offset = time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	if negative {
		offset = -offset
	}
	return offset, minutesAt + 2, true
}

// on is the time of day c on a date.
func (c clock) on(year int, month time.Month, day int, zone *time.Location) time.Time {
	return time.Date(year, month, day, c.hour, c.minute, c.second, c.nano, zone)
}

// accessTime reads the time of an access log, such as 15/Jan/2024:10:00:00 +0100.
func accessTime(s string) (time.Time, bool) {
	if len(s) != accessTimeLen {
		return time.Time{}, false
	}
	day, m := twoDigits(s), month(s[3:6])
	century, years := twoDigits(s[7:]), twoDigits(s[9:])
	c, _, ok := scanClock(s[12:])
	offset, _, zoned := scanZone(s[20:])
	if day < 1 || day > 31 || m == 0 || century < 0 || years < 0 || !ok || !zoned {
		return time.Time{}, false
	}
	return c.on(century*100+years, m, day, time.UTC).Add(-offset), true
}

// apacheTime reads the time of an Apache error log, such as Mon Jan 15 10:00:00.123456 2024, which is local.
func apacheTime(s string) (time.Time, bool) {
	if len(s) < len("Mon Jan 15 10:00:00 2024") {
		return time.Time{}, false
	}
	m, day := month(s[4:7]), spacedDigits(s[8:])
	c, n, ok := scanClock(s[11:])
	if m == 0 || day < 1 || day > 31 || !ok || len(s) != 11+n+len(" 2024") {
		return time.Time{}, false
	}
	century, years := twoDigits(s[12+n:]), twoDigits(s[14+n:])
	if century < 0 || years < 0 {
		return time.Time{}, false
	}
	return c.on(century*100+years, m, day, time.Local), true
}

// bsdTime reads the time of BSD syslog, such as Jan 15 10:00:00, which is local and has no year.
func bsdTime(s string, now time.Time) (time.Time, bool) {
	if !isBSDTime(s) {
		return time.Time{}, false
	}
	c, _, _ := scanClock(s[7:])
	return withYear(now, month(s[:3]), spacedDigits(s[4:]), c), true
}

// isBSDTime says whether s, as long as a time of BSD syslog, is one.
func isBSDTime(s string) bool {
	day := spacedDigits(s[4:])
	_, _, ok := scanClock(s[7:])
	return ok && s[6] == ' ' && day >= 1 && day <= 31 && month(s[:3]) != 0
}

// withYear completes a local time to the latest one that is not more than a day after now.
func withYear(now time.Time, m time.Month, day int, c clock) time.Time {
	year := now.Local().Year()
	limit := now.Add(24 * time.Hour)
	if t := c.on(year+1, m, day, time.Local); !t.After(limit) {
		return t
	}
	if t := c.on(year, m, day, time.Local); !t.After(limit) {
		return t
	}
	return c.on(year-1, m, day, time.Local)
}

// twoDigits reads the two digits at the beginning of s, which has two bytes; -1 if they are none.
func twoDigits(s string) int {
	if !isDigit(s[0]) || !isDigit(s[1]) {
		return -1
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}

// spacedDigits reads two digits, the first of which may be a blank.
func spacedDigits(s string) int {
	if s[0] == ' ' && isDigit(s[1]) {
		return int(s[1] - '0')
	}
	return twoDigits(s)
}

// month reads the English three-letter name of a month; 0 if it is none.
func month(s string) time.Month {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	i := strings.Index(names, s)
	if i < 0 || i%3 != 0 {
		return 0
	}
	return time.Month(i/3 + 1)
}

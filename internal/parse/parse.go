package parse

import (
	"strings"
	"time"
	"unsafe"

	"github.com/spilelog/spile/event"
)

// Format is the layout of a line.
type Format uint8

// The formats.
const (
	// Plain is text without a known layout, perhaps with a time at its beginning and a level word.
	Plain Format = iota
	// JSON is one JSON object.
	JSON
	// Logfmt is a list of key=value pairs.
	Logfmt
	// Access is the common or combined access log of nginx and Apache.
	Access
	// NginxError is the error log of nginx.
	NginxError
	// ApacheError is the error log of Apache.
	ApacheError
	// Syslog3164 is BSD syslog, with or without a priority, also with the ISO times of rsyslog.
	Syslog3164
	// Syslog5424 is the newer syslog.
	Syslog5424
	// Klog is the format of Kubernetes' own programs.
	Klog
)

// String is the format's name, such as "nginx-error".
func (f Format) String() string {
	names := [...]string{
		"plain", "json", "logfmt", "access", "nginx-error", "apache-error", "syslog-3164", "syslog-5424", "klog",
	}
	if int(f) >= len(names) {
		return "unknown"
	}
	return names[f]
}

// Detect tells the format of line by its shape. A line that begins as JSON may still turn out broken.
func Detect(line string) Format { return classify(stripBOM(line)).format }

// Parser turns lines of one file into events. What it finds in a line depends on that line alone; it keeps nothing
// between calls but memory. Not safe for concurrent use. The zero value is ready.
type Parser struct {
	buf  []byte         // decoded strings of the current line
	seen map[string]int // positions of the keys of lines with many fields
}

// Level is the level of the line by a byte scan, without parsing. It equals what Parse finds; ok is false where only a
// parse could tell.
func (p *Parser) Level(line string) (level event.Level, ok bool) {
	return classify(stripBOM(line)).level, true
}

// Parse fills ev from line, which has no newline and no carriage return at its end. Strings alias line, or memory of p
// that is valid until the next call of Parse. The caller has reset ev; its Source is left alone. now is the time of a
// line that carries none, and tells the year where a line carries a time without one.
func (p *Parser) Parse(line string, now time.Time, ev *event.Event) {
	line = stripBOM(line)
	p.forget()
	c := classify(line)
	ev.Level, ev.Time, ev.Message = c.level, now, ""
	switch c.format {
	case JSON:
		p.parseJSON(line, c.levelAt, ev)
	case Logfmt:
		p.parseLogfmt(line, c.levelAt, ev)
	case Access:
		p.parseAccess(line, ev)
	case NginxError:
		p.parseNginxError(line, ev)
	case ApacheError:
		p.parseApacheError(line, ev)
	case Syslog3164:
		p.parseSyslog3164(line, now, ev)
	case Syslog5424:
		p.parseSyslog5424(line, ev)
	case Klog:
		p.parseKlog(line, now, ev)
	default:
		if t, ok := plainTime(line); ok {
			ev.Time = t
		}
	}
	if ev.Message == "" {
		ev.Message = line
	}
}

// Time reads only the line's own time, for searches by time.
func (p *Parser) Time(line string) (time.Time, bool) {
	line = stripBOM(line)
	switch classify(line).format {
	case JSON:
		return jsonTime(line)
	case Logfmt:
		return logfmtTime(line)
	case Access:
		a, _ := scanAccess(line)
		return accessTime(a.time)
	case NginxError:
		return plainTime(line)
	case ApacheError:
		a, _ := scanApacheError(line)
		return apacheTime(a.time)
	case Syslog3164:
		t, _, ok := syslogTime(line[priLen(line):], time.Now())
		return t, ok
	case Syslog5424:
		word, _ := cutWord(line[priLen(line)+len("1 "):])
		return timeValue(word)
	case Klog:
		return klogTime(line, time.Now())
	default:
		return plainTime(line)
	}
}

// class is what a scan of the shape of a line tells.
type class struct {
	format Format
	level  event.Level
	// levelAt is where the key of the level begins in JSON and logfmt, or -1.
	levelAt int
}

// classify finds format and level by the shape of the line. Every format is recognized by its beginning, so that a
// line costs one attempt or two.
func classify(line string) class {
	if line == "" {
		return class{}
	}
	switch b := line[0]; {
	case b == '{':
		level, at := jsonLevel(line)
		return class{JSON, level, at}
	case b == '[':
		if a, ok := scanApacheError(line); ok {
			return class{ApacheError, a.level, -1}
		}
	case b == '<':
		if n := priLen(line); n > 0 {
			return classifyPRI(line, n)
		}
	case b >= '0' && b <= '9':
		if level, ok := nginxErrorLevel(line); ok {
			return class{NginxError, level, -1}
		}
		if isISOSyslog(line) {
			return class{Syslog3164, syslogTextLevel(line), -1}
		}
	case isKlog(line):
		return class{Klog, klogLevel(b), -1}
	case isBSDSyslog(line):
		return class{Syslog3164, syslogTextLevel(line), -1}
	case isLogfmt(line):
		level, at := logfmtLevel(line)
		return class{Logfmt, level, at}
	}
	if a, ok := scanAccess(line); ok {
		return class{Access, a.level(), -1}
	}
	return class{Plain, plainLevel(line), -1}
}

// stripBOM removes one byte order mark from the beginning of a line that has more than that.
func stripBOM(line string) string {
	const bom = "\ufeff"
	if len(line) > len(bom) && line[0] == bom[0] && strings.HasPrefix(line, bom) {
		return line[len(bom):]
	}
	return line
}

// manyFields is the number of fields from which keys are looked up in a map instead of one by one.
const manyFields = 32

// keptKeys is the number of keys up to which the map of keys is kept for the next line.
const keptKeys = 1024

// forget lets go of the line before, so that nothing holds its memory, and of more memory than most lines need.
func (p *Parser) forget() {
	p.buf = p.buf[:0]
	switch n := len(p.seen); {
	case n > keptKeys:
		p.seen = nil
	case n > 0:
		clear(p.seen)
	}
}

// set sets a field of ev and tells its position; of a key that occurs twice the last value stays.
func (p *Parser) set(ev *event.Event, key string, v event.Value) int {
	m := ev.Metadata
	n := len(m)
	if n < manyFields {
		for i := range m {
			if m[i].Key == key {
				m[i].Value = v
				return i
			}
		}
		ev.Metadata = append(m, event.Field{Key: key, Value: v})
		return n
	}
	if n == manyFields {
		if p.seen == nil {
			p.seen = make(map[string]int)
		}
		clear(p.seen)
		for i := range m {
			p.seen[m[i].Key] = i
		}
	}
	if i, ok := p.seen[key]; ok {
		m[i].Value = v
		return i
	}
	p.seen[key] = n
	ev.Metadata = append(m, event.Field{Key: key, Value: v})
	return n
}

// setText sets a field to a text, unless the text is empty or the "-" that stands for nothing.
func (p *Parser) setText(ev *event.Event, key, text string) {
	if text != "" && text != "-" {
		p.set(ev, key, event.String(text))
	}
}

// setNumber sets a field to the number that text is, or to the text if it is none.
func (p *Parser) setNumber(ev *event.Event, key, text string) {
	if n, ok := smallInt(text); ok {
		p.set(ev, key, event.Int(n))
		return
	}
	p.setText(ev, key, text)
}

// decoded is the text that was appended to p.buf from start on. The buffer is only ever appended to until the next
// line, so the text stays as it is even when the buffer moves.
func (p *Parser) decoded(start int) string {
	b := p.buf[start:]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// maxSmallInt is the number of digits up to which a number is taken as an int64, and by JavaScript without loss.
const maxSmallInt = 15

// smallInt reads a decimal number without sign and leading zeros.
func smallInt(s string) (int64, bool) {
	if s == "" || len(s) > maxSmallInt || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// cutWord splits s at its first blank.
func cutWord(s string) (word, rest string) {
	if i := strings.IndexByte(s, ' '); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

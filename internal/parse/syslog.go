package parse

import (
	"strings"
	"time"

	"github.com/spilelog/spile/event"
)

// maxPRI is the highest priority of syslog: facility 23, severity 7.
const maxPRI = 191

// priLen is the length of the priority that line begins with, such as <134>, or 0.
func priLen(line string) int {
	if line == "" || line[0] != '<' {
		return 0
	}
	i := skipDigits(line, 1)
	if i == 1 || i > len("<191") || i >= len(line) || line[i] != '>' || priority(line[1:i]) > maxPRI {
		return 0
	}
	return i + 1
}

// priority reads at most three digits.
func priority(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

// classifyPRI tells the two kinds of syslog apart behind a priority of n bytes, whose severity is the level.
func classifyPRI(line string, n int) class {
	level := severityLevel(priority(line[1 : n-1]))
	rest := line[n:]
	if len(rest) > 2 && rest[0] == '1' && rest[1] == ' ' && (isDigit(rest[2]) || rest[2] == '-') {
		return class{Syslog5424, level, -1}
	}
	return class{Syslog3164, level, -1}
}

// facility names the facility of a priority.
func facility(pri int) string {
	return [...]string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"ntp", "security", "console", "solaris-cron",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}[pri>>3]
}

// bsdTimeLen is the length of the time of BSD syslog.
const bsdTimeLen = len("Jan 15 10:00:00")

// isBSDSyslog recognizes a line of BSD syslog without a priority by its time. A level word in the place of the host
// makes it plain text.
func isBSDSyslog(line string) bool {
	if len(line) <= bsdTimeLen || line[3] != ' ' || line[9] != ':' || line[bsdTimeLen] != ' ' ||
		!isBSDTime(line[:bsdTimeLen]) {
		return false
	}
	return !beginsWithLevel(line[bsdTimeLen+1:])
}

// beginsWithLevel says whether the first word of s is a level, perhaps in brackets or before a colon.
func beginsWithLevel(s string) bool {
	word, _ := cutWord(s)
	_, ok := levelWord(strings.Trim(word, "[]<>:"))
	return ok
}

// rsyslogTimeLen is the least length of the time that rsyslog writes.
const rsyslogTimeLen = len("2024-01-15T10:00:00.123456Z")

// isISOSyslog recognizes what rsyslog writes by default: a time with a zone, a host, a tag with a pid, or one without
// a pid if the time has exactly rsyslog's six decimals.
func isISOSyslog(line string) bool {
	if len(line) < len("2024-01-15T10:00:00Z h t:") || line[4] != '-' || line[10] != 'T' {
		return false
	}
	word, rest := cutWord(line)
	last := word[len(word)-1]
	if last != 'Z' && (len(word) < 6 || word[len(word)-6] != '+' && word[len(word)-6] != '-') {
		return false
	}
	if beginsWithLevel(rest) {
		return false
	}
	_, rest = cutWord(rest)
	t, ok := scanTag(rest)
	if !ok || t.pid == "" && (len(word) < rsyslogTimeLen || word[19] != '.' || isDigit(word[26])) {
		return false
	}
	if _, isLevel := levelWord(t.name); isLevel {
		return false
	}
	_, n, ok := scanTime(word)
	return ok && n == len(word)
}

// tag is the program of a syslog line.
type tag struct{ name, pid, rest string }

// scanTag reads `app[12]: ` or `app: `.
func scanTag(s string) (t tag, ok bool) {
	i := 0
	for i < len(s) && s[i] != ':' && s[i] != '[' && s[i] != ' ' {
		i++
	}
	if i == 0 || i >= len(s) || s[i] == ' ' {
		return t, false
	}
	t.name = s[:i]
	if s[i] == '[' {
		end := strings.IndexByte(s[i:], ']')
		if end < 2 || strings.IndexByte(s[i:i+end], ' ') >= 0 {
			return tag{}, false
		}
		t.pid = s[i+1 : i+end]
		i += end + 1
		if i >= len(s) || s[i] != ':' {
			t.rest = strings.TrimPrefix(s[i:], " ")
			return t, true
		}
	} else if i+1 < len(s) && s[i+1] != ' ' {
		return tag{}, false
	}
	t.rest = strings.TrimPrefix(s[i+1:], " ")
	return t, true
}

// syslogTime reads the time of BSD syslog or of rsyslog at the beginning of s and tells what follows it.
func syslogTime(s string, now time.Time) (t time.Time, rest string, ok bool) {
	if len(s) >= bsdTimeLen && s[3] == ' ' {
		if t, ok = bsdTime(s[:bsdTimeLen], now); ok {
			return t, strings.TrimPrefix(s[bsdTimeLen:], " "), true
		}
	}
	if len(s) > 10 && s[10] == 'T' {
		word, rest := cutWord(s)
		if t, ok = timeValue(word); ok {
			return t, rest, true
		}
	}
	return t, s, false
}

// syslogTextLevel is the level of a line without a priority: that of its text, read as plain text.
func syslogTextLevel(line string) event.Level {
	n := bsdTimeLen + 1
	if isDigit(line[0]) {
		n = strings.IndexByte(line, ' ') + 1
	}
	_, rest := cutWord(line[n:])
	if t, ok := scanTag(rest); ok {
		rest = t.rest
	}
	return plainLevel(rest)
}

// parseSyslog3164 fills ev from a line of BSD syslog. Behind a priority everything may be missing.
func (p *Parser) parseSyslog3164(line string, now time.Time, ev *event.Event) {
	n := priLen(line)
	if n > 0 {
		p.set(ev, "facility", event.String(facility(priority(line[1:n-1]))))
	}
	t, rest, timed := syslogTime(line[n:], now)
	if timed {
		ev.Time = t
	}
	if timed {
		var host string
		if _, isTag := scanTag(rest); !isTag || n == 0 {
			host, rest = cutWord(rest)
			p.setText(ev, "hostname", host)
		}
	}
	if tag, ok := scanTag(rest); ok {
		p.setText(ev, "app", tag.name)
		p.setNumber(ev, "pid", tag.pid)
		rest = tag.rest
	}
	ev.Message = rest
}

// parseSyslog5424 fills ev from a line of RFC 5424. From where the line breaks the grammar on, it is message.
func (p *Parser) parseSyslog5424(line string, ev *event.Event) {
	n := priLen(line)
	p.set(ev, "facility", event.String(facility(priority(line[1:n-1]))))
	word, rest := cutWord(line[n+len("1 "):])
	if t, ok := timeValue(word); ok {
		ev.Time = t
	}
	for _, key := range [...]string{"hostname", "app", "pid", "msgid"} {
		word, rest = cutWord(rest)
		if key == "pid" {
			p.setNumber(ev, key, word)
			continue
		}
		p.setText(ev, key, word)
	}
	switch {
	case strings.HasPrefix(rest, "-"):
		rest = rest[1:]
	default:
		rest = p.structuredData(rest, ev)
	}
	ev.Message = stripBOM(strings.TrimPrefix(rest, " "))
}

// structuredData sets the parameters of `[id key="value"]…` under id.key and returns what follows them.
func (p *Parser) structuredData(s string, ev *event.Event) string {
	for strings.HasPrefix(s, "[") {
		end := strings.IndexAny(s, " ]")
		if end < 0 {
			return s
		}
		id, rest := s[1:end], s[end:]
		for strings.HasPrefix(rest, " ") {
			key, value, ok := strings.Cut(rest[1:], "=")
			text, after, quoted := cutQuoted(value)
			if !ok || !quoted || strings.ContainsAny(key, ` ]"`) {
				return s
			}
			start := len(p.buf)
			p.buf = append(append(append(p.buf, id...), '.'), key...)
			p.set(ev, p.decoded(start), event.String(p.unslashed(text)))
			rest = after
		}
		if !strings.HasPrefix(rest, "]") {
			return s
		}
		s = rest[1:]
	}
	return s
}

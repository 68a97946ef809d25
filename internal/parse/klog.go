package parse

import (
	"strings"
	"time"

	"github.com/spilelog/spile/event"
)

// klogTimeLen is the length of level and time at the beginning of a klog line.
const klogTimeLen = len("I0115 10:00:00.123456")

// isKlog recognizes a klog line by its level and time.
func isKlog(line string) bool {
	if len(line) <= klogTimeLen || line[5] != ' ' || line[8] != ':' || line[11] != ':' || line[14] != '.' ||
		line[klogTimeLen] != ' ' || skipDigits(line, 1) != 5 {
		return false
	}
	switch line[0] {
	case 'I', 'W', 'E', 'F':
		return strings.Contains(line[klogTimeLen:], "] ")
	}
	return false
}

// klogLevel is the level of the letter that a klog line begins with.
func klogLevel(b byte) event.Level {
	switch b {
	case 'W':
		return event.Warning
	case 'E':
		return event.Error
	case 'F':
		return event.Critical
	}
	return event.Info
}

// klogTime reads the time of a klog line, which has no year.
func klogTime(line string, now time.Time) (time.Time, bool) {
	c, n, ok := scanClock(line[6:])
	m, day, okay := twoDigits(line[1:]), twoDigits(line[3:]), true
	if m < 1 || m > 12 || day < 1 || day > 31 {
		okay = false
	}
	if !ok || !okay || n != klogTimeLen-6 {
		return time.Time{}, false
	}
	return withYear(now, time.Month(m), day, c), true
}

// parseKlog fills ev from a klog line. Behind a message in quotes there are key=value pairs.
func (p *Parser) parseKlog(line string, now time.Time, ev *event.Event) {
	if t, ok := klogTime(line, now); ok {
		ev.Time = t
	}
	head, msg, _ := strings.Cut(line[klogTimeLen:], "] ")
	tid, caller := cutWord(strings.TrimLeft(head, " "))
	p.setNumber(ev, "tid", tid)
	p.setText(ev, "caller", caller)
	if text, rest, ok := cutQuoted(msg); ok {
		p.parsePairs(rest, ev)
		msg = p.unslashed(text)
	}
	ev.Message = msg
}

// parsePairs sets key=value pairs as texts.
func (p *Parser) parsePairs(s string, ev *event.Event) {
	for i := 0; ; {
		f, ok := nextPair(s, i)
		if !ok {
			return
		}
		i = f.end
		if f.bare {
			p.set(ev, f.key, event.Bool(true))
			continue
		}
		p.set(ev, f.key, event.String(p.logfmtText(f)))
	}
}

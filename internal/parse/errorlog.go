package parse

import (
	"strings"

	"github.com/spilelog/spile/event"
)

// nginxTimeLen is the length of the time of an nginx error log.
const nginxTimeLen = len("2024/01/15 10:00:00")

// nginxErrorLevel recognizes a line of an nginx error log by its time and the level in brackets behind it.
func nginxErrorLevel(line string) (event.Level, bool) {
	if len(line) < nginxTimeLen+len(" [info] 1#1: ") || line[4] != '/' || line[7] != '/' || line[10] != ' ' ||
		line[nginxTimeLen] != ' ' || line[nginxTimeLen+1] != '[' {
		return 0, false
	}
	word := line[nginxTimeLen+2:]
	end := strings.IndexByte(word[:min(len(word), len("emergency]"))], ']')
	if end < 0 || end+2 >= len(word) || word[end+1] != ' ' || !isDigit(word[end+2]) {
		return 0, false
	}
	i := skipDigits(word, end+2)
	if i >= len(word) || word[i] != '#' {
		return 0, false
	}
	return levelWord(word[:end])
}

// parseNginxError fills ev from a line of an nginx error log.
func (p *Parser) parseNginxError(line string, ev *event.Event) {
	if t, ok := plainTime(line); ok {
		ev.Time = t
	}
	_, rest, _ := strings.Cut(line, "] ")
	i := strings.IndexByte(rest, '#')
	p.setNumber(ev, "pid", rest[:i])
	rest = rest[i+1:]
	i = skipDigits(rest, 0)
	p.setNumber(ev, "tid", rest[:i])
	rest = strings.TrimPrefix(strings.TrimPrefix(rest[i:], ":"), " ")
	if strings.HasPrefix(rest, "*") {
		if i = skipDigits(rest, 1); i > 1 {
			p.setNumber(ev, "cid", rest[1:i])
			rest = strings.TrimPrefix(rest[i:], " ")
		}
	}
	if i = strings.Index(rest, ", client: "); i >= 0 {
		p.nginxFields(rest[i+len(", "):], ev)
		rest = rest[:i]
	}
	ev.Message = rest
}

// nginxFields sets the fields at the end of a line, such as `server: x, request: "GET / HTTP/1.1"`.
func (p *Parser) nginxFields(s string, ev *event.Event) {
	for s != "" {
		key, value, ok := strings.Cut(s, ": ")
		if !ok {
			return
		}
		if text, rest, quoted := cutQuoted(value); quoted {
			p.setText(ev, key, text)
			s = strings.TrimPrefix(rest, ", ")
			continue
		}
		value, s, _ = strings.Cut(value, ", ")
		p.setText(ev, key, value)
	}
}

// apacheLine is the shape of a line of an Apache error log.
type apacheLine struct {
	time   string // as in Mon Jan 15 10:00:00.123456 2024
	module string
	level  event.Level
	rest   string
}

// scanApacheError recognizes a line of an Apache error log by a time and a level, each in brackets.
func scanApacheError(line string) (a apacheLine, ok bool) {
	end := strings.IndexByte(line[:min(len(line), len("[Mon Jan 15 10:00:00.123456789 2024]"))], ']')
	if end < len("[Mon Jan 15 10:00:00 2024") || month(line[5:8]) == 0 || line[4] != ' ' || line[8] != ' ' {
		return a, false
	}
	rest := line[end+1:]
	if !strings.HasPrefix(rest, " [") {
		return a, false
	}
	word, rest, ok := strings.Cut(rest[len(" ["):], "]")
	if !ok {
		return a, false
	}
	a.time, a.rest = line[1:end], rest
	if i := strings.IndexByte(word, ':'); i >= 0 {
		a.module, word = word[:i], word[i+1:]
	}
	if len(word) == len("trace1") && strings.HasPrefix(word, "trace") {
		word = "trace"
	}
	a.level, ok = levelWord(word)
	return a, ok
}

// parseApacheError fills ev from a line of an Apache error log.
func (p *Parser) parseApacheError(line string, ev *event.Event) {
	a, ok := scanApacheError(line)
	if !ok {
		return
	}
	if t, ok := apacheTime(a.time); ok {
		ev.Time = t
	}
	p.setText(ev, "module", a.module)
	rest := a.rest
	for strings.HasPrefix(rest, " [") {
		word, after, ok := strings.Cut(rest[len(" ["):], "]")
		if !ok {
			break
		}
		if pid, found := strings.CutPrefix(word, "pid "); found {
			pid, tid, _ := strings.Cut(pid, ":tid ")
			p.setNumber(ev, "pid", pid)
			p.setNumber(ev, "tid", tid)
		} else if client, found := strings.CutPrefix(word, "client "); found {
			p.setText(ev, "client", client)
		} else {
			break
		}
		rest = after
	}
	ev.Message = strings.TrimPrefix(rest, " ")
}

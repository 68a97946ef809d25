package parse

import (
	"strings"

	"github.com/spilelog/spile/event"
)

// accessLine is the shape of a line of an access log.
type accessLine struct {
	head    string // remote address, ident and user, with or without a virtual host before them
	time    string // as in 02/Jan/2006:15:04:05 -0700
	request string // without its quotes, escapes as they stand
	status  string // three digits
	rest    string // what follows the status
}

// accessTimeLen is the length of the time of an access log.
const accessTimeLen = len("02/Jan/2006:15:04:05 -0700")

// maxAccessHead is how far from the beginning the time of an access log is looked for.
const maxAccessHead = 512

// scanAccess recognizes a line of an access log. The request ends at the first quote that is followed by a status, so
// that a quote within a request cannot end it.
func scanAccess(line string) (a accessLine, ok bool) {
	i := strings.IndexByte(line[:min(len(line), maxAccessHead)], '[')
	if i < len("h - - ") || line[i-1] != ' ' || len(line) < i+accessTimeLen+len(`[] "" 200`) {
		return a, false
	}
	t := line[i+1 : i+1+accessTimeLen]
	if t[2] != '/' || t[6] != '/' || t[11] != ':' || t[20] != ' ' || !isDigit(t[0]) {
		return a, false
	}
	start := i + 1 + accessTimeLen
	if line[start] != ']' || line[start+1] != ' ' || line[start+2] != '"' {
		return a, false
	}
	if n := strings.Count(line[:i-1], " "); n < 2 || n > 3 {
		return a, false
	}
	start += len(`] "`)
	for at := start; ; {
		end := stringEnd(line, at)
		if end < 0 {
			return a, false
		}
		if isStatus(line, end+1) {
			a = accessLine{
				head: line[:i-1], time: t, request: line[start:end],
				status: line[end+2 : end+5], rest: line[end+5:],
			}
			return a, true
		}
		at = end + 1
	}
}

// isStatus says whether a blank, three digits and a blank or the end stand at position i.
func isStatus(s string, i int) bool {
	return len(s) >= i+4 && s[i] == ' ' && s[i+1] >= '1' && s[i+1] <= '9' && isDigit(s[i+2]) && isDigit(s[i+3]) &&
		(len(s) == i+4 || s[i+4] == ' ')
}

// level is the level of a response: error for a failure of the server, warning for one of the client.
func (a *accessLine) level() event.Level {
	switch a.status[0] {
	case '5':
		return event.Error
	case '4':
		return event.Warning
	}
	return event.Info
}

// parseAccess fills ev from a line of an access log. The message is the request line.
func (p *Parser) parseAccess(line string, ev *event.Event) {
	a, ok := scanAccess(line)
	if !ok {
		return
	}
	if t, ok := accessTime(a.time); ok {
		ev.Time = t
	}
	if a.request != "-" {
		ev.Message = a.request
	}
	head := a.head
	if strings.Count(head, " ") > 2 {
		var host string
		host, head = cutWord(head)
		p.setText(ev, "vhost", host)
	}
	remote, head := cutWord(head)
	_, user := cutWord(head)
	p.setText(ev, "remote_addr", remote)
	p.setText(ev, "user", user)
	p.setRequest(ev, a.request)
	p.setNumber(ev, "status", a.status)
	bytes, rest := cutWord(strings.TrimLeft(a.rest, " "))
	p.setNumber(ev, "bytes", bytes)
	referer, rest, ok := cutQuoted(rest)
	if ok {
		var agent string
		p.setText(ev, "referer", referer)
		if agent, rest, ok = cutQuoted(rest); ok {
			p.setText(ev, "user_agent", agent)
		}
	}
	p.setExtras(ev, rest)
}

// setRequest sets method, path and protocol of a request line that has all three.
func (p *Parser) setRequest(ev *event.Event, request string) {
	first, last := strings.IndexByte(request, ' '), strings.LastIndexByte(request, ' ')
	if first <= 0 || last <= first || !strings.HasPrefix(request[last+1:], "HTTP/") {
		return
	}
	p.set(ev, "method", event.String(request[:first]))
	p.setText(ev, "path", request[first+1:last])
	p.set(ev, "protocol", event.String(request[last+1:]))
}

// cutQuoted takes a text in quotes from the beginning of s.
func cutQuoted(s string) (text, rest string, ok bool) {
	s = strings.TrimLeft(s, " ")
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	end := stringEnd(s, 1)
	if end < 0 {
		return "", s, false
	}
	return s[1:end], s[end+1:], true
}

// setExtras sets the key=value pairs that people append to the combined format; decimal numbers become numbers.
func (p *Parser) setExtras(ev *event.Event, s string) {
	for i := 0; ; {
		f, ok := nextPair(s, i)
		if !ok {
			return
		}
		i = f.end
		switch {
		case f.bare, f.value == "", f.value == "-":
		case !f.quoted && isDecimal(f.value):
			p.set(ev, f.key, event.JSON(f.value))
		default:
			p.set(ev, f.key, event.String(p.logfmtText(f)))
		}
	}
}

// isDecimal says whether s is a short number as JSON writes it, without an exponent.
func isDecimal(s string) bool {
	if len(s) > maxSmallInt || !isDigit(s[0]) {
		return false
	}
	end, ok := scanNumber(s, 0)
	return ok && end == len(s) && strings.IndexByte(s, 'e') < 0 && strings.IndexByte(s, 'E') < 0
}

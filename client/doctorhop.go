package client

import (
	"net/http"
	"slices"
	"strings"

	"github.com/spilelog/spile/wire"
)

// unnamedHop is a proxy that does not say what it is.
const unnamedHop = "a proxy that does not show its name"

// blame says of a finding who does it and what helps there, from what is known of the way by now.
func (e *examiner) blame(f *Finding) {
	f.Cures = curesOf(f.Cause, e.out.Hops)
	if !f.Cause.byProxy() {
		return
	}
	hops := e.out.Hops
	switch hidden := e.least > len(hops); {
	case len(hops) == 0:
		f.Hop = unnamedHop
	case len(hops) == 1 && !hidden:
		f.Hop = hops[0]
	case !hidden:
		f.Hop = "one of " + strings.Join(hops, ", ")
	default:
		f.Hop = "one of " + strings.Join(hops, ", ") + ", or " + unnamedHop
		f.Cures = curesOf(f.Cause, nil)
	}
}

// settle says it again of all findings, since proxies may have shown themselves after the finding.
func (e *examiner) settle() {
	for _, r := range e.out.Results {
		for i := range r.Findings {
			e.blame(&r.Findings[i])
		}
	}
}

// meet notes the proxies that an answer shows. The server itself sends neither of these headers.
func (e *examiner) meet(h http.Header) {
	if server := h.Get("Server"); server != "" {
		e.note(server)
	}
	e.noteVia(h.Values("Via"))
}

// meetArrived notes the proxies that a request of ours shows as it came to the server. Ours had none of these headers.
func (e *examiner) meetArrived(r *wire.BeaconRequest) {
	e.noteVia(r.Headers["Via"])
	for _, name := range []string{"X-Forwarded-For", "Forwarded"} {
		noted := 0
		for _, line := range r.Headers[name] {
			noted += 1 + strings.Count(line, ",")
		}
		e.least = max(e.least, noted)
	}
}

// noteVia notes the proxies of Via headers: "1.1 name (comment)", of which the first word is a version of HTTP.
func (e *examiner) noteVia(lines []string) {
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			if _, name, ok := strings.Cut(strings.TrimSpace(one), " "); ok && name != "" {
				e.note(name)
			}
		}
	}
}

// note notes one proxy.
func (e *examiner) note(name string) {
	if !slices.Contains(e.out.Hops, name) {
		e.out.Hops = append(e.out.Hops, name)
	}
}

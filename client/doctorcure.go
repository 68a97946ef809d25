package client

import (
	"slices"
	"strings"
)

// Cause is what kind of thing is wrong.
type Cause string

// The causes.
const (
	// CauseName: the server's name cannot be resolved. CausePort: nothing can be connected to.
	CauseName Cause = "name"
	CausePort Cause = "port"
	// CauseCertificate: the TLS handshake fails.
	CauseCertificate Cause = "certificate"
	// CauseForeign: something else than a Spile server answers, or none behind a proxy.
	CauseForeign Cause = "foreign"
	// CauseToken: the server does not take the token.
	CauseToken Cause = "token"
	// CauseClock: the clocks differ.
	CauseClock Cause = "clock"
	// CauseUpgradeStripped: the Upgrade of a WebSocket does not reach the server. CauseUpgradeRefused: something
	// before the server refuses it.
	CauseUpgradeStripped Cause = "upgrade_stripped"
	CauseUpgradeRefused  Cause = "upgrade_refused"
	// CauseBuffered: what the server sends is held back and comes in bunches.
	CauseBuffered Cause = "buffered"
	// CauseCompressed: answers are compressed on the way.
	CauseCompressed Cause = "compressed"
	// CauseHeader: a header of the answer was removed or changed.
	CauseHeader Cause = "header_removed"
	// CauseCut: a stream ends before its end.
	CauseCut Cause = "cut"
	// CauseIdleTimeout: a stream is cut in the silence between two heartbeats.
	CauseIdleTimeout Cause = "idle_timeout"
)

// byProxy says whether somebody between is to blame.
func (c Cause) byProxy() bool {
	switch c {
	case CauseUpgradeStripped, CauseUpgradeRefused, CauseBuffered, CauseCompressed, CauseHeader, CauseCut,
		CauseIdleTimeout:
		return true
	}
	return false
}

// Cure is what helps with one kind of proxy.
type Cure struct {
	// Proxy is the kind: nginx, haproxy.
	Proxy string `json:"proxy"`
	// Lines are directives for its configuration, each with a comment where one is needed.
	Lines []string `json:"lines"`
}

// The kinds of proxies for which cures are known.
const (
	proxyNginx   = "nginx"
	proxyHAProxy = "haproxy"
)

// cures are the directives by cause; those of nginx belong into the location of Spile. The times leave room for four
// heartbeats.
var cures = map[Cause][]Cure{
	CauseUpgradeStripped: {
		{proxyNginx, []string{
			"proxy_http_version 1.1;", "proxy_set_header Upgrade $http_upgrade;",
			`proxy_set_header Connection "upgrade";`,
		}},
		{proxyHAProxy, []string{"# remove what deletes headers, such as: http-request del-header Upgrade"}},
	},
	CauseUpgradeRefused: {
		{proxyNginx, []string{
			"proxy_http_version 1.1;", "proxy_set_header Upgrade $http_upgrade;",
			`proxy_set_header Connection "upgrade";`,
		}},
		{proxyHAProxy, []string{"# remove the http-request deny that matches requests with Upgrade: websocket"}},
	},
	CauseBuffered: {
		{proxyNginx, []string{
			"proxy_buffering off;", "# or remove: proxy_ignore_headers X-Accel-Buffering;",
		}},
		{proxyHAProxy, []string{"option http-no-delay"}},
	},
	CauseCompressed: {
		{proxyNginx, []string{"gzip off;", "# or take text/event-stream and application/x-ndjson out of gzip_types"}},
		{proxyHAProxy, []string{"# take text/event-stream and application/x-ndjson out of: compression type"}},
	},
	CauseHeader: {
		{proxyNginx, []string{
			"# remove: proxy_hide_header Cache-Control; and expires or add_header lines that replace it",
		}},
		{proxyHAProxy, []string{"# remove: http-response del-header or set-header for Cache-Control"}},
	},
	CauseCut: {
		{proxyNginx, []string{"proxy_read_timeout 75s;", "proxy_send_timeout 75s;"}},
		{proxyHAProxy, []string{"timeout client 75s", "timeout server 75s", "timeout tunnel 1h"}},
	},
	CauseIdleTimeout: {
		{proxyNginx, []string{"proxy_read_timeout 75s;", "proxy_send_timeout 75s;"}},
		{proxyHAProxy, []string{"timeout client 75s", "timeout server 75s", "timeout tunnel 1h"}},
	},
}

// curesOf are the cures of a cause: those for the proxies that are there, if any of them is a known one, else all.
func curesOf(cause Cause, hops []string) []Cure {
	all := cures[cause]
	var fit []Cure
	for _, c := range all {
		if slices.ContainsFunc(hops, func(hop string) bool { return strings.Contains(strings.ToLower(hop), c.Proxy) }) {
			fit = append(fit, c)
		}
	}
	if len(fit) == 0 {
		return all
	}
	return fit
}

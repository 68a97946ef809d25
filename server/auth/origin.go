package auth

import (
	"net/http"
	"net/url"
	"strings"
)

// SameOrigin says whether an Origin header names this server: scheme, host and port exactly as in publicURL, or as the
// request itself was addressed. Anything that is not a bare origin does not.
func SameOrigin(r *http.Request, origin, publicURL string) bool {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	got, ok := cleanOrigin(origin, true)
	if !ok {
		return false
	}
	if own, ok := cleanOrigin(scheme+"://"+r.Host, true); ok && own == got {
		return true
	}
	public, ok := cleanOrigin(publicURL, false)
	return ok && public == got
}

// cleanOrigin is scheme://host:port in lower case with the port always there. A bare origin has no path.
func cleanOrigin(text string, bare bool) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	if bare && (u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(text, "#")) {
		return "", false
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		switch scheme {
		case "http":
			port = "80"
		case "https":
			port = "443"
		default:
			return "", false
		}
	}
	return scheme + "://" + host + ":" + port, true
}

package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/wire"
)

// errForeign refuses a page of another origin.
var errForeign = wire.Errorf(wire.CodeForbidden, "a page of another origin may not do this")

// admit applies an access rule: it returns who calls, or a *wire.Error.
func (a *API) admit(r *http.Request, rule access) (auth.Principal, error) {
	switch rule {
	case accessOpen, accessOwn:
		return auth.Principal{}, nil
	case accessUser, accessStream, accessSocket:
	default:
		return auth.Principal{}, wire.Errorf(wire.CodeForbidden, "nobody may call this")
	}
	origins := r.Header.Values("Origin")
	foreign := len(origins) > 1 || len(origins) == 1 && !auth.SameOrigin(r, origins[0], a.o.PublicURL)
	if rule == accessSocket && foreign {
		return auth.Principal{}, errForeign
	}
	if ticket, ok := presentedTicket(r, rule); ok {
		who, err := a.tickets.Use(ticket, r.PathValue("id"))
		return who, errors.Join(err, a.o.Tokens.Check(who))
	}
	if token, ok := presented(r, rule); ok {
		return a.o.Tokens.Verify(token)
	}
	// A browser sends the cookie along with what other pages make it do. What changes something, and a WebSocket, which
	// other pages could read, must prove that it comes from this server's own page.
	safe := rule != accessSocket && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	return a.byCookie(r, foreign || len(origins) == 0 && !safe)
}

// byCookie says who is logged in at the page that sends the request, unless that page has no business to.
func (a *API) byCookie(r *http.Request, foreign bool) (auth.Principal, error) {
	cookie, err := r.Cookie(auth.CookieName)
	if err != nil {
		return auth.Principal{}, wire.Errorf(wire.CodeUnauthorized, "a bearer token is required")
	}
	who, err := a.o.Tokens.Verify(cookie.Value)
	if err != nil {
		return auth.Principal{}, err
	}
	if foreign {
		return auth.Principal{}, errForeign
	}
	return who, nil
}

// presentedTicket is the ticket that the caller chose to show, where the rule allows it. A token in the header counts
// before it.
func presentedTicket(r *http.Request, rule access) (string, bool) {
	if !rule.stream() || r.Header.Get("Authorization") != "" {
		return "", false
	}
	query := r.URL.Query()
	return query.Get("ticket"), query.Has("ticket")
}

// presented is the token that the caller chose to send: the header, or where the rule allows it the query.
func presented(r *http.Request, rule access) (string, bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", true
		}
		return strings.TrimSpace(token), true
	}
	if query := r.URL.Query(); rule.stream() && query.Has("token") {
		return query.Get("token"), true
	}
	return "", false
}

// unauthorized says whether err asks the caller to say who it is.
func unauthorized(err error) bool {
	refusal, ok := errors.AsType[*wire.Error](err)
	return ok && refusal.Code == wire.CodeUnauthorized
}

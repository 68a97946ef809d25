package api

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// newTicket is POST /stream/ticket.
func (a *API) newTicket(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	var request wire.TicketRequest
	if err := readBody(w, r, []field{{"session_id", allowedText, &request.SessionID}}); err != nil {
		return err
	}
	if request.SessionID == "" {
		return wire.Invalid("session_id", "must be the id of a session")
	}
	if _, err := a.o.Sessions.Get(r.Context(), request.SessionID); err != nil {
		return err
	}
	ticket, err := a.tickets.New(who, request.SessionID)
	if err != nil {
		return err
	}
	return a.answer(w, http.StatusCreated, wire.TicketResponse{
		Ticket: ticket, ExpiresInSeconds: int(wire.TicketTTL / time.Second),
	})
}

// tokenLogin is POST /api/v1/login: a good token is exchanged for the cookie, which ends when the token does at the
// latest.
func (a *API) tokenLogin(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	if err := a.ownOrigin(r); err != nil {
		return err
	}
	var request wire.LoginRequest
	if err := readBody(w, r, []field{{"token", allowedText, &request.Token}}); err != nil {
		return err
	}
	who, err := a.o.Tokens.Verify(strings.TrimSpace(request.Token))
	if err != nil {
		return err
	}
	life := min(auth.LoginTTL, time.Until(who.Expires)).Truncate(time.Second)
	if life < time.Second {
		return wire.Errorf(wire.CodeUnauthorized, "the token has expired")
	}
	token := strings.TrimSpace(request.Token)
	// A login makes no further one: that would outlive it.
	if who.Login == "" {
		if token, err = a.o.Tokens.IssueLogin(who.Subject, life); err != nil {
			return err
		}
	}
	a.setCookie(w, r, token, life)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// logout is POST /api/v1/logout: the login is over for everybody who has it. Whoever is not logged in is logged out
// all the same.
func (a *API) logout(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	if err := a.ownOrigin(r); err != nil {
		return err
	}
	a.setCookie(w, r, "", -time.Second)
	// Browsers send a cookie once; whoever sends several means all of them.
	for _, cookie := range r.CookiesNamed(auth.CookieName) {
		who, err := a.o.Tokens.Verify(cookie.Value)
		if err != nil {
			continue // It is good for nothing.
		}
		// The caller may go away meanwhile; what was asked for is done.
		if err := a.o.Tokens.Revoke(context.WithoutCancel(r.Context()), who); err != nil {
			return err
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// ownOrigin refuses a page of another origin, which would log its visitor in as somebody else, or out.
func (a *API) ownOrigin(r *http.Request) error {
	for _, origin := range r.Header.Values("Origin") {
		if !auth.SameOrigin(r, origin, a.o.PublicURL) {
			return errForeign
		}
	}
	return nil
}

// setCookie sets the login cookie for a time, or takes it away with a negative one.
func (a *API) setCookie(w http.ResponseWriter, r *http.Request, token string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: auth.CookieName, Value: token, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil || strings.HasPrefix(a.o.PublicURL, "https:"),
	})
}

// me is GET /me.
func (a *API) me(w http.ResponseWriter, _ *http.Request, who auth.Principal) error {
	return a.answer(w, http.StatusOK, wire.Me{
		Subject: who.Subject, ExpiresAt: wire.At(who.Expires), Server: wire.ServerInfo{Version: a.o.Version},
	})
}

// enrolment is GET /enrolment. Only the administrator is told, since whoever has the token can add machines.
func (a *API) enrolment(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	if who.Subject != auth.AdminSubject {
		return wire.Errorf(wire.CodeForbidden, "only %s may add agents", auth.AdminSubject)
	}
	token, err := a.o.EnrolToken()
	if err != nil {
		return err
	}
	server := a.reachedAt(r)
	return a.answer(w, http.StatusOK, wire.Enrolment{
		Command: "SPILE_ENROL_TOKEN=" + shellQuote(token) + " spile agent --server " + shellQuote(server) +
			" --file '/var/log/*.log'",
		Server: server,
	})
}

// reachedAt is the URL of the server for those who are elsewhere: the public one, or the one by which the caller came.
func (a *API) reachedAt(r *http.Request) string {
	if a.o.PublicURL != "" {
		return a.o.PublicURL
	}
	if !plainHost.MatchString(r.Host) {
		return a.o.BaseURL
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

var (
	// plainHost is what the Host of an honest request looks like.
	plainHost = regexp.MustCompile(`^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(:[0-9]+)?$`)
	// plainWord is what a shell takes as it stands.
	plainWord = regexp.MustCompile(`^[0-9A-Za-z_./:@%+=,-]+$`)
)

// shellQuote is text as one word of a POSIX shell.
func shellQuote(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// pollSession is GET /stream/poll/{id}.
func (a *API) pollSession(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
	id := r.PathValue("id")
	view, err := viewOf(r)
	if err != nil {
		return err
	}
	wait, err := waitOf(r)
	if err != nil {
		return err
	}
	// A viewer that was there before the session ended still gets its end.
	if !a.o.Streams.Polled(id, view.After) {
		if err := a.o.Sessions.Open(r.Context(), id); err != nil {
			return err
		}
	}
	a.o.Streams.ServePoll(w, r, id, view, wait)
	return nil
}

// waitOf reads how long a poll waits.
func waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return wire.PollWait, nil
	}
	n, err := strconv.Atoi(text)
	if most := int(wire.MaxPollWait / time.Second); err != nil || n < 0 || n > most {
		return 0, wire.Invalid("wait", "%q is not valid; must be a whole number of seconds from 0 to %d",
			clipName(text), most)
	}
	return time.Duration(n) * time.Second, nil
}

// Polls serves viewers that poll.
type Polls interface {
	// ServePoll answers one poll.
	ServePoll(w http.ResponseWriter, r *http.Request, id string, v hub.View, wait time.Duration)
	// Polled says whether a poll with this cursor finds a viewer, also of a session that has ended meanwhile.
	Polled(id string, after wire.Cursor) bool
}

// Close ends what would not end by itself, and waits. The handler answers no beacons any more.
func (a *API) Close() error {
	a.beacons.close()
	return nil
}

// detached is a context of a request whose connection was taken over: it ends with stop, not with the request.
func detached(r *http.Request, stop <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

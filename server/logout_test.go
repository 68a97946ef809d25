package server

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/wire"
)

// loggedIn is the cookie of a login with a token.
func (r *rig) loggedIn(token string) *http.Cookie {
	r.t.Helper()
	got := r.ask("POST", "/api/v1/login", wire.LoginRequest{Token: token}, nil)
	if got.StatusCode != http.StatusNoContent || len(got.Cookies()) != 1 {
		r.t.Fatalf("login: %d %s", got.StatusCode, got.body)
	}
	return got.Cookies()[0]
}

// with makes a call of the page with cookies.
func (r *rig) with(method, path string, body any, cookies ...*http.Cookie) *reply {
	r.t.Helper()
	return r.ask(method, path, body, func(req *http.Request) {
		req.Header.Set("Origin", r.base)
		for _, c := range cookies {
			req.AddCookie(c)
		}
	})
}

// TestLogoutEndsTheLogin copies a login's cookie, logs out, and tries the copy in every way there is.
func TestLogoutEndsTheLogin(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, nil)
	stolen, other, third := r.loggedIn(r.token), r.loggedIn(r.token), r.loggedIn(r.token)
	byCode := r.codeLogin()
	// A login makes no second one that would outlive it.
	if again := r.loggedIn(stolen.Value); again.Value != stolen.Value || again.MaxAge > stolen.MaxAge {
		t.Error("a login was exchanged for another one")
	}
	if got := r.with("POST", "/api/v1/logout", nil, stolen, third); got.StatusCode != http.StatusNoContent {
		t.Fatalf("logout: %d %s", got.StatusCode, got.body)
	}
	if got := r.with("POST", "/api/v1/logout", nil, byCode); got.StatusCode != http.StatusNoContent {
		t.Fatalf("logout: %d %s", got.StatusCode, got.body)
	}
	// Logging out with what is no login revokes nothing.
	admin := &http.Cookie{Name: auth.CookieName, Value: r.token}
	if got := r.with("POST", "/api/v1/logout", nil, admin); got.StatusCode != http.StatusNoContent {
		t.Fatalf("logout: %d %s", got.StatusCode, got.body)
	}
	check := func(r *rig) {
		t.Helper()
		for name, copied := range map[string]*http.Cookie{"first": stolen, "third": third, "by-code": byCode} {
			for way, got := range map[string]*reply{
				"cookie":   r.with("GET", "/api/v1/me", nil, copied),
				"bearer":   r.do(r.request("GET", "/api/v1/me", nil, copied.Value)),
				"exchange": r.ask("POST", "/api/v1/login", wire.LoginRequest{Token: copied.Value}, nil),
				"query":    r.ask("GET", "/api/v1/stream/poll/sess_x?token="+url.QueryEscape(copied.Value), nil, nil),
			} {
				if got.StatusCode != http.StatusUnauthorized {
					t.Errorf("%s as %s: %d %s", name, way, got.StatusCode, got.body)
				}
			}
		}
		if got := r.with("GET", "/api/v1/me", nil, other); got.StatusCode != http.StatusOK {
			t.Errorf("another login: %d %s", got.StatusCode, got.body)
		}
		if got := r.call("GET", "/api/v1/me", nil); got.StatusCode != http.StatusOK {
			t.Errorf("the token: %d %s", got.StatusCode, got.body)
		}
	}
	check(r)
	r.stop()
	check(start(t, data, nil))
}

// codeLogin is the cookie of a login with a code.
func (r *rig) codeLogin() *http.Cookie {
	r.t.Helper()
	address, err := url.Parse(r.NewLogin())
	if err != nil {
		r.t.Fatal(err)
	}
	req := r.request("POST", "/login", url.Values{"code": {address.Query().Get("code")}}.Encode(), "")
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := r.do(req)
	if got.StatusCode != http.StatusSeeOther || len(got.Cookies()) != 1 {
		r.t.Fatalf("login by code: %d %s", got.StatusCode, got.body)
	}
	return got.Cookies()[0]
}

// TestLogoutEndsStreams logs out while streams of the login are open and a ticket of it waits.
func TestLogoutEndsStreams(t *testing.T) {
	r, one := linked(t, nil)
	cookie := r.loggedIn(r.token)
	ticket := func() string {
		got := r.with("POST", "/api/v1/stream/ticket", wire.TicketRequest{SessionID: one.SessionID}, cookie)
		return url.QueryEscape(read[wire.TicketResponse](t, got, http.StatusCreated).Ticket)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	target := r.base + "/api/v1/stream/ws/" + one.SessionID + "?events=all&ticket=" + ticket()
	conn, _, err := websocket.Dial(ctx, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	req := r.request("GET", "/api/v1/stream/ndjson/"+one.SessionID+"?events=all", nil, "").WithContext(ctx)
	req.AddCookie(cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	waiting := ticket()
	if got := r.with("POST", "/api/v1/logout", nil, cookie); got.StatusCode != http.StatusNoContent {
		t.Fatalf("logout: %d %s", got.StatusCode, got.body)
	}
	if _, err := io.Copy(io.Discard, lines); ctx.Err() != nil {
		t.Errorf("the stream goes on: %v", err)
	}
	for err = nil; err == nil; {
		_, _, err = conn.Read(ctx)
	}
	if ctx.Err() != nil {
		t.Errorf("the socket goes on: %v", err)
	}
	if got := r.ask("GET", "/api/v1/stream/poll/"+one.SessionID+"?wait=0&ticket="+waiting, nil, nil); got.StatusCode != 401 {
		t.Errorf("a ticket of the login: %d %s", got.StatusCode, got.body)
	}
	if got := r.call("GET", "/api/v1/sessions/"+one.SessionID, nil); got.StatusCode != http.StatusOK {
		t.Errorf("the session: %d %s", got.StatusCode, got.body)
	}
}

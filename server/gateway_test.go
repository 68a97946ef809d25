package server

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/wire"
)

// ask makes a call without a token.
func (r *rig) ask(method, path string, body any, change func(*http.Request)) *reply {
	r.t.Helper()
	req := r.request(method, path, body, "")
	if change != nil {
		change(req)
	}
	return r.do(req)
}

// read reads a JSON answer with a status.
func read[T any](t *testing.T, got *reply, status int) T {
	t.Helper()
	var out T
	if got.StatusCode != status {
		t.Fatalf("%d %s, want %d", got.StatusCode, got.body, status)
	}
	if err := json.Unmarshal(got.body, &out); err != nil {
		t.Fatalf("%s: %v", got.body, err)
	}
	return out
}

// linked is a rig with one agent and one session of it.
func linked(t *testing.T, change func(*Config)) (*rig, wire.StartResponse) {
	t.Helper()
	r := start(t, t.TempDir(), change)
	a := r.enrol("web-1")
	r.connect(a)
	return r, r.started(wire.StartRequest{AgentID: a.id})
}

func TestTicketOpensOneStreamOnce(t *testing.T) {
	r, one := linked(t, nil)
	other := r.started(wire.StartRequest{AgentID: one.AgentID})
	ticket := func() string {
		body := wire.TicketRequest{SessionID: one.SessionID}
		got := read[wire.TicketResponse](t, r.call("POST", "/api/v1/stream/ticket", body), http.StatusCreated)
		if got.ExpiresInSeconds != 30 {
			t.Errorf("lasts %d s", got.ExpiresInSeconds)
		}
		return url.QueryEscape(got.Ticket)
	}
	path := "/api/v1/stream/poll/" + one.SessionID + "?wait=0&ticket="
	good := ticket()
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		if got := r.ask("GET", path+good, nil, nil); got.StatusCode != want {
			t.Errorf("use %d: %d %s", i, got.StatusCode, got.body)
		}
	}
	if got := r.ask("GET", "/api/v1/stream/poll/"+other.SessionID+"?wait=0&ticket="+ticket(), nil, nil); got.StatusCode != 401 {
		t.Errorf("other session: %d %s", got.StatusCode, got.body)
	}
	if got := r.ask("GET", "/api/v1/sessions/"+one.SessionID+"?ticket="+ticket(), nil, nil); got.StatusCode != 401 {
		t.Errorf("no stream: %d %s", got.StatusCode, got.body)
	}
	for _, form := range []string{"sse", "ndjson"} {
		req := r.request("GET", "/api/v1/stream/"+form+"/"+one.SessionID+"?events=all&ticket="+ticket(), nil, "")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		first, err := bufio.NewReader(resp.Body).ReadString('}')
		h := resp.Header
		if err != nil || !strings.Contains(first, "session_started") || h.Get("Cache-Control") != "no-store" ||
			h.Get("X-Accel-Buffering") != "no" {
			t.Errorf("%s: %q %v %v", form, first, err, h)
		}
		_ = resp.Body.Close()
	}
	target := r.base + "/api/v1/stream/ws/" + one.SessionID + "?events=all&ticket=" + ticket()
	conn, resp, err := websocket.Dial(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if resp.Header.Get("X-Accel-Buffering") != "no" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("ws: %v", resp.Header)
	}
	if got := r.call("POST", "/api/v1/stream/ticket", `{"session_id":"sess_none"}`); got.StatusCode != http.StatusNotFound {
		t.Errorf("unknown session: %d %s", got.StatusCode, got.body)
	}
	if got := r.call("POST", "/api/v1/stream/ticket", `{}`); got.StatusCode != http.StatusBadRequest {
		t.Errorf("no session: %d %s", got.StatusCode, got.body)
	}
}

func TestLoginByToken(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	short, err := CreateToken(t.Context(), r.data, "carla", 90*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, token, subject string
		least, most          int
	}{
		{"admin", r.token, "admin", int(auth.LoginTTL.Seconds()), int(auth.LoginTTL.Seconds())},
		{"short-token", short + "\n", "carla", 1, 90},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := r.ask("POST", "/api/v1/login", wire.LoginRequest{Token: test.token}, nil)
			if got.StatusCode != http.StatusNoContent || len(got.Cookies()) != 1 {
				t.Fatalf("%d %s %v", got.StatusCode, got.body, got.Cookies())
			}
			c := got.Cookies()[0]
			if c.Name != auth.CookieName || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode ||
				c.MaxAge < test.least || c.MaxAge > test.most {
				t.Errorf("cookie %+v", c)
			}
			me := read[wire.Me](t, r.ask("GET", "/api/v1/me", nil, func(req *http.Request) { req.AddCookie(c) }), 200)
			left := time.Until(me.ExpiresAt.Time)
			if me.Subject != test.subject || me.Server.Version != "test" || left > time.Duration(test.most)*time.Second {
				t.Errorf("me %+v", me)
			}
		})
	}
	for _, test := range []struct {
		name, token, origin string
		want                int
	}{
		{"no-token", "", "", 401},
		{"wrong-token", "x", "", 401},
		{"own-page", r.token, r.base, 204},
		{"other-page", r.token, "https://evil.example", 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			for path, want := range map[string]int{"/api/v1/login": test.want, "/api/v1/logout": 204} {
				if test.want == 403 {
					want = 403
				}
				var body any
				if path == "/api/v1/login" {
					body = wire.LoginRequest{Token: test.token}
				}
				got := r.ask("POST", path, body, func(req *http.Request) {
					if test.origin != "" {
						req.Header.Set("Origin", test.origin)
					}
				})
				if got.StatusCode != want || strings.Contains(string(got.body), r.token) {
					t.Errorf("%s: %d %s", path, got.StatusCode, got.body)
				}
			}
		})
	}
	out := r.ask("POST", "/api/v1/logout", nil, nil)
	if c := out.Cookies(); out.StatusCode != 204 || len(c) != 1 || c[0].Value != "" || c[0].MaxAge != -1 {
		t.Errorf("logout: %d %+v", out.StatusCode, c)
	}
}

func TestEnrolmentLine(t *testing.T) {
	for _, test := range []struct{ name, public, host, want string }{
		{"as-reached", "", "", "BASE"},
		{"by-name", "", "spile.internal:7800", "http://spile.internal:7800"},
		{"hostile-host", "", "x$(reboot)", "BASE"},
		{"public", "https://logs.example.org/spile", "x", "https://logs.example.org/spile"},
		{"public-odd", "https://logs.example.org/it's", "x", "https://logs.example.org/it's"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := start(t, t.TempDir(), func(c *Config) { c.PublicURL = test.public })
			base := listenURL(r.listener.Addr())
			req := r.request("GET", "", nil, r.token)
			req.URL.Host, req.URL.Scheme, req.URL.Path = r.listener.Addr().String(), "http", "/api/v1/enrolment"
			req.Host = ""
			if test.host != "" {
				req.Host = test.host
			}
			got := r.do(req)
			if test.host == "x$(reboot)" && got.StatusCode == http.StatusBadRequest {
				return // the HTTP server itself refuses it
			}
			line := read[wire.Enrolment](t, got, http.StatusOK)
			want := strings.Replace(test.want, "BASE", base, 1)
			// A shell takes the line apart as it was meant.
			script := `spile() { printf '%s\n' "$SPILE_ENROL_TOKEN" "$@"; }; ` + line.Command
			out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
			if err != nil {
				t.Fatal(err)
			}
			token, err := auth.ReadEnrol(r.data)
			if err != nil {
				t.Fatal(err)
			}
			words := strings.Join([]string{token, "agent", "--server", want, "--file", "/var/log/*.log", ""}, "\n")
			if line.Server != want || string(out) != words {
				t.Errorf("%+v gives %q", line, out)
			}
		})
	}
	r := start(t, t.TempDir(), nil)
	other, err := CreateToken(t.Context(), r.data, "carla", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.do(r.request("GET", "/api/v1/enrolment", nil, other)); got.StatusCode != http.StatusForbidden {
		t.Errorf("for anybody: %d %s", got.StatusCode, got.body)
	}
}

// TestPollThroughTheServer polls as a client would, to the end of the session and past it.
func TestPollThroughTheServer(t *testing.T) {
	r, one := linked(t, nil)
	path := "/api/v1/stream/poll/" + one.SessionID + "?events=all"
	first := read[wire.PollAnswer](t, r.call("GET", path+"&wait=0", nil), http.StatusOK)
	if len(first.Frames) == 0 || first.Ended {
		t.Fatalf("first %+v", first)
	}
	r.call("POST", "/api/v1/stream/stop", wire.StopRequest{SessionID: one.SessionID})
	// The session has ended; its viewer still gets the end, and a new one is refused.
	after := "&after=" + url.QueryEscape(first.Cursor)
	last := read[wire.PollAnswer](t, r.call("GET", path+after, nil), http.StatusOK)
	if !last.Ended || !strings.Contains(string(last.Frames[len(last.Frames)-1]), `"session_ended"`) {
		t.Errorf("last %+v", last)
	}
	for _, query := range []string{"", "&after=" + url.QueryEscape(last.Cursor)} {
		if got := r.call("GET", path+query, nil); got.StatusCode != http.StatusConflict {
			t.Errorf("after the end with %q: %d %s", query, got.StatusCode, got.body)
		}
	}
	for _, query := range []string{"wait=-1", "wait=26", "wait=x", "after=%21", "events=some"} {
		if got := r.call("GET", "/api/v1/stream/poll/"+one.SessionID+"?"+query, nil); got.StatusCode != 400 {
			t.Errorf("%s: %d %s", query, got.StatusCode, got.body)
		}
	}
}

// beaconsOf reads beacons from a stream of texts.
func beaconsOf(t *testing.T, next func() (string, bool)) []wire.Beacon {
	t.Helper()
	var out []wire.Beacon
	for {
		text, ok := next()
		if !ok {
			return out
		}
		if text = strings.TrimPrefix(text, "data: "); text == "" {
			continue
		}
		var b wire.Beacon
		if err := json.Unmarshal([]byte(text), &b); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		out = append(out, b)
	}
}

// checkBeacons holds beacons against what was asked for.
func checkBeacons(t *testing.T, list []wire.Beacon, count int, upgrade string) {
	t.Helper()
	if len(list) != count+1 {
		t.Fatalf("%d beacons, want %d", len(list), count+1)
	}
	for i, b := range list {
		if b.Type != "beacon" || b.N != i || b.SentAt.IsZero() || (b.Request != nil) != (i == 0) {
			t.Errorf("beacon %d: %+v", i, b)
		}
	}
	told := list[0].Request.Headers
	if told["Via"] == nil || told["X-Forwarded-For"] == nil || strings.Join(told["Upgrade"], "") != upgrade {
		t.Errorf("told %v", told)
	}
	for _, secret := range []string{"Authorization", "Cookie"} {
		if told[secret] != nil {
			t.Errorf("%s was told back", secret)
		}
	}
}

func TestBeacons(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	query := "?count=3&interval_ms=50"
	change := func(h http.Header) {
		h.Set("Via", "1.1 proxy")
		h.Set("X-Forwarded-For", "192.0.2.1")
		h.Set("Cookie", "a=b")
	}
	for form, media := range map[string]string{"sse": "text/event-stream", "ndjson": "application/x-ndjson"} {
		t.Run(form, func(t *testing.T) {
			req := r.request("GET", "/api/v1/beacon/"+form+query, nil, r.token)
			change(req.Header)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			h := resp.Header
			if h.Get("Content-Type") != media || h.Get("X-Accel-Buffering") != "no" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("headers %v", h)
			}
			scan := bufio.NewScanner(resp.Body)
			list := beaconsOf(t, func() (string, bool) {
				more := scan.Scan()
				return scan.Text(), more
			})
			checkBeacons(t, list, 3, "")
		})
	}
	t.Run("ws", func(t *testing.T) {
		header := http.Header{"Authorization": {"Bearer " + r.token}}
		change(header)
		conn, resp, err := websocket.Dial(t.Context(), r.base+"/api/v1/beacon/ws"+query, &websocket.DialOptions{HTTPHeader: header})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.CloseNow()
		if resp.Header.Get("X-Accel-Buffering") != "no" {
			t.Errorf("headers %v", resp.Header)
		}
		list := beaconsOf(t, func() (string, bool) {
			_, data, err := conn.Read(t.Context())
			return string(data), err == nil
		})
		checkBeacons(t, list, 3, "websocket")
	})
	for _, bad := range []string{
		"count=-1", "count=101", "count=x", "interval_ms=49", "interval_ms=60001", "count=3&interval_ms=60000",
	} {
		if got := r.call("GET", "/api/v1/beacon/sse?"+bad, nil); got.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, got.StatusCode, got.body)
		}
	}
	if got := r.call("GET", "/api/v1/beacon/ws", nil); got.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("no upgrade: %d %s", got.StatusCode, got.body)
	}
}

// TestBeaconsEndWithTheServer stops a server while beacons are under way; TestMain looks for what is left of them.
func TestBeaconsEndWithTheServer(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	header := http.Header{"Authorization": {"Bearer " + r.token}}
	conn, _, err := websocket.Dial(t.Context(), r.base+"/api/v1/beacon/ws?count=1&interval_ms=60000",
		&websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if _, _, err := conn.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the server took %v to stop", took)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, _, err := conn.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("still open: %v", err)
	}
}

// TestBeaconsAreBounded takes all places.
func TestBeaconsAreBounded(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	for i := range wire.MaxBeacons + 1 {
		resp, err := http.DefaultClient.Do(r.request("GET", "/api/v1/beacon/sse?count=1&interval_ms=60000", nil, r.token))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		want := http.StatusOK
		if i == wire.MaxBeacons {
			want = http.StatusTooManyRequests
		}
		if resp.StatusCode != want {
			t.Errorf("beacon %d: %d", i, resp.StatusCode)
		}
	}
}

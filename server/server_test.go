package server

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/spec"
	"github.com/spilelog/spile/wire"
)

// contract is the OpenAPI document as the tests hold calls against it.
func contract(t *testing.T) routers.Router {
	t.Helper()
	text, err := spec.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	// kin-openapi checks no uuid unless it is told how.
	openapi3.DefineStringFormatValidator("uuid",
		openapi3.NewRegexpFormatValidator(openapi3.FormatOfStringForUUIDOfRFC4122))
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The router compares hosts, and a test's port is not in the document.
	doc.Servers = nil
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return router
}

// rig is a running server with what tests need to call it.
type rig struct {
	*Server
	t      *testing.T
	data   string
	token  string
	router routers.Router
	stop   func()
}

// start runs a server on a folder until stop or the end of the test.
func start(t *testing.T, data string, change func(*Config)) *rig {
	t.Helper()
	c := Config{Listen: "127.0.0.1:0", Data: data, Version: "test"}
	if change != nil {
		change(&c)
	}
	s, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	token, err := os.ReadFile(s.AdminTokenFile())
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Server: s, t: t, data: data, token: strings.TrimSpace(string(token)), router: contract(t), stop: stop}
}

// reply is an answer read to its end.
type reply struct {
	*http.Response
	body []byte
}

// refusal is the body as an error.
func (r *reply) refusal(t *testing.T) wire.Error {
	t.Helper()
	var out wire.Error
	if err := json.Unmarshal(r.body, &out); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
	return out
}

// call makes a call with the admin token and holds the answer against the contract. A string body goes out as it is.
func (r *rig) call(method, path string, body any) *reply {
	r.t.Helper()
	return r.do(r.request(method, path, body, r.token))
}

// request makes a request; a body is JSON.
func (r *rig) request(method, path string, body any, token string) *http.Request {
	r.t.Helper()
	var data []byte
	switch b := body.(type) {
	case nil:
	case string:
		data = []byte(b)
	default:
		var err error
		if data, err = json.Marshal(b); err != nil {
			r.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.base+path, bytes.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req
}

// do sends a request and holds the answer against the contract; a request that succeeded must fit it too.
func (r *rig) do(req *http.Request) *reply {
	r.t.Helper()
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			r.t.Fatal(err)
		}
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	r.hold(req, sent, &reply{resp, body})
	return &reply{resp, body}
}

// hold compares a call with the contract.
func (r *rig) hold(req *http.Request, sent []byte, got *reply) {
	r.t.Helper()
	found, params, err := r.router.FindRoute(req)
	if err != nil {
		return // the page and paths that are not there are no part of the contract
	}
	again := req.Clone(context.Background())
	again.Body = io.NopCloser(bytes.NewReader(sent))
	input := &openapi3filter.RequestValidationInput{
		Request: again, PathParams: params, Route: found,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
		},
	}
	if got.StatusCode < 300 {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			r.t.Errorf("%s %s was accepted against the contract: %v", req.Method, req.URL.Path, err)
		}
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: got.StatusCode, Header: got.Header, Options: input.Options,
	}
	out.SetBodyBytes(got.body)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		r.t.Errorf("%s %s: answer %d %s: %v", req.Method, req.URL.Path, got.StatusCode, got.body, err)
	}
}

// agent is an agent of the test: enrolled, and connected with no session logic of its own.
type agent struct {
	id   string
	name string
	key  ed25519.PrivateKey
	conn *websocket.Conn
	// desired has the server's lists; the oldest is dropped when nobody reads.
	desired chan []wire.DesiredSession
	done    chan struct{}
	// final has the wire.AgentAccounts of a session's last word by its id; others say that nothing passed.
	final sync.Map
}

// enrol makes an agent known.
func (r *rig) enrol(name string) *agent {
	r.t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	a := &agent{name: name, key: key}
	got := r.enrolKey(name, key)
	var response wire.EnrolResponse
	if err := json.Unmarshal(got.body, &response); err != nil || got.StatusCode != http.StatusOK {
		r.t.Fatalf("enrol: %d %s", got.StatusCode, got.body)
	}
	a.id = response.AgentID
	return a
}

// enrolKey makes the enrolment call.
func (r *rig) enrolKey(name string, key ed25519.PrivateKey) *reply {
	r.t.Helper()
	token, err := os.ReadFile(r.EnrolTokenFile())
	if err != nil {
		r.t.Fatal(err)
	}
	return r.do(r.request("POST", wire.EnrolPath, wire.EnrolRequest{
		Token: string(token), Name: name, PublicKey: key.Public().(ed25519.PublicKey),
		Labels: map[string]string{"env": "test"}, Version: "t1",
	}, ""))
}

// connect links the agent as the link's conversation says, and waits until the server shows it online.
func (r *rig) connect(a *agent) {
	r.t.Helper()
	ctx := r.t.Context()
	conn, resp, err := websocket.Dial(ctx, r.base+wire.AgentPath, &websocket.DialOptions{
		Subprotocols: []string{wire.Subprotocol},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	a.conn, a.done = conn, make(chan struct{})
	a.desired = make(chan []wire.DesiredSession, 16)
	r.t.Cleanup(func() { a.disconnect() })
	_, data, err := conn.Read(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	_, body, err := wire.SplitLink(data)
	if err != nil {
		r.t.Fatal(err)
	}
	var challenge wire.Challenge
	if err := json.Unmarshal(body, &challenge); err != nil {
		r.t.Fatal(err)
	}
	hello, err := wire.AppendLink(nil, wire.LinkHello, wire.Hello{
		AgentID: a.id, Name: a.name, Version: "t1", Time: wire.At(time.Now()),
		Signature: ed25519.Sign(a.key, wire.SignedText(challenge.Nonce, a.id)),
		Sources:   []wire.Source{{Name: "nginx", Kind: "file", Files: 1}, {Name: "api", Kind: "file", Files: 2}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := conn.Write(ctx, websocket.MessageBinary, hello); err != nil {
		r.t.Fatal(err)
	}
	go a.read()
	<-a.desired
}

// read takes what the server sends; sessions that are over are reported closed at once.
func (a *agent) read() {
	defer close(a.done)
	open := map[string]bool{}
	for {
		_, data, err := a.conn.Read(context.Background())
		if err != nil {
			return
		}
		kind, body, err := wire.SplitLink(data)
		if err != nil || kind != wire.LinkDesired {
			continue
		}
		var d wire.Desired
		if json.Unmarshal(body, &d) != nil {
			continue
		}
		now := map[string]bool{}
		for _, s := range d.Sessions {
			now[s.ID] = true
			if !open[s.ID] {
				a.report(wire.Report{Session: s.ID, State: wire.ReportOpen, Epoch: s.Epoch + 1, NextItem: 1, NextSeq: 1})
			}
		}
		for id := range open {
			if !now[id] {
				accounts := wire.AgentAccounts{
					Seen: 3, Filtered: 3, Dropped: map[string]uint64{}, LostBytes: map[string]uint64{},
				}
				if final, ok := a.final.Load(id); ok {
					accounts, _ = final.(wire.AgentAccounts)
				}
				a.report(wire.Report{Session: id, State: wire.ReportClosed, Epoch: 1, Accounts: accounts})
			}
		}
		open = now
		select {
		case a.desired <- d.Sessions:
		default:
			<-a.desired
			a.desired <- d.Sessions
		}
	}
}

// report sends one report.
func (a *agent) report(r wire.Report) {
	if data, err := wire.AppendLink(nil, wire.LinkReport, r); err == nil {
		_ = a.conn.Write(context.Background(), websocket.MessageBinary, data)
	}
}

// disconnect drops the link.
func (a *agent) disconnect() {
	if a.conn != nil {
		_ = a.conn.CloseNow()
		<-a.done
	}
}

// waitFor polls until good or fails; what it waits for crosses a real socket, so there is nothing to be told by.
func waitFor(t *testing.T, what string, good func() bool) {
	t.Helper()
	limit := time.After(5 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !good() {
		select {
		case <-limit:
			t.Fatalf("no %s within 5 s", what)
		case <-tick.C:
		}
	}
}

// started opens a session and returns it.
func (r *rig) started(body any) wire.StartResponse {
	r.t.Helper()
	got := r.call("POST", "/api/v1/stream/start", body)
	var out wire.StartResponse
	if err := json.Unmarshal(got.body, &out); err != nil || got.StatusCode != http.StatusCreated {
		r.t.Fatalf("start: %d %s", got.StatusCode, got.body)
	}
	return out
}

// session reads a session.
func (r *rig) session(id string) wire.Session {
	r.t.Helper()
	got := r.call("GET", "/api/v1/sessions/"+id, nil)
	var out wire.Session
	if err := json.Unmarshal(got.body, &out); err != nil || got.StatusCode != http.StatusOK {
		r.t.Fatalf("get: %d %s", got.StatusCode, got.body)
	}
	return out
}

func TestGuideWordForWord(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	a := r.enrol("edge-location-01")
	r.connect(a)
	one := r.started(fmt.Sprintf(`{
    "agent_id": "%s",
    "timeout_seconds": 300,
    "filters": {
      "level": ["ERROR", "WARN"],
      "source": "nginx"
    }
  }`, a.id))
	if one.SessionID != one.Session.ID || one.AgentID != a.id || one.Status != wire.StatusActive ||
		one.WebSocketURL != one.Session.WebSocketURL {
		t.Errorf("the flat form differs from the nested: %+v", one)
	}
	if want := "ws" + strings.TrimPrefix(r.base, "http") + "/api/v1/stream/ws/" + one.SessionID; one.WebSocketURL != want {
		t.Errorf("websocket_url %q, want %q", one.WebSocketURL, want)
	}
	if got := one.Session.ExpiresAt.Sub(one.Session.StartedAt.Time); got != 300*time.Second {
		t.Errorf("lasts %s", got)
	}
	if got := <-a.desired; len(got) != 1 || got[0].ID != one.SessionID || got[0].RemainingMS < 290_000 {
		t.Errorf("the agent was told %+v", got)
	}
	two := r.started(fmt.Sprintf(`{"agent_id": "%s", "timeout_seconds": 300}`, a.name))
	if len(two.Warnings) != 1 {
		t.Errorf("warnings %q, want one about filters", two.Warnings)
	}
	var list wire.SessionList
	got := r.call("GET", "/api/v1/stream/sessions", nil)
	if err := json.Unmarshal(got.body, &list); err != nil || list.Total != 2 || list.Sessions[0].AgentName != a.name {
		t.Errorf("list %s", got.body)
	}
	for range 2 {
		got = r.call("POST", "/api/v1/stream/stop", fmt.Sprintf(`{"session_id": "%s"}`, one.SessionID))
		var s wire.Session
		if err := json.Unmarshal(got.body, &s); err != nil || got.StatusCode != 200 || s.Status != wire.StatusEnded ||
			s.EndReason != wire.EndStopped || s.Accounts.Agents[a.id].Seen != 3 {
			t.Errorf("stop: %d %s", got.StatusCode, got.body)
		}
	}
	if got := r.call("GET", "/api/v1/stream/ws/"+one.SessionID, nil); got.refusal(t).Code != wire.CodeSessionEnded {
		t.Errorf("watching an ended session: %d %s", got.StatusCode, got.body)
	}
	if got := r.call("DELETE", "/api/v1/sessions/"+two.SessionID, nil); got.StatusCode != http.StatusNoContent {
		t.Errorf("delete: %d", got.StatusCode)
	}
}

func TestExpiryAndExtension(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	a := r.enrol("a")
	r.connect(a)
	one := r.started(`{"agent_id":"a","timeout_seconds":60}`)
	got := r.call("PATCH", "/api/v1/sessions/"+one.SessionID, `{"timeout_seconds":1}`)
	if got.StatusCode != http.StatusOK {
		t.Fatalf("extend: %d %s", got.StatusCode, got.body)
	}
	waitFor(t, "end by timeout", func() bool {
		s := r.session(one.SessionID)
		return s.Status == wire.StatusEnded && s.EndReason == wire.EndTimeout
	})
	got = r.call("PATCH", "/api/v1/sessions/"+one.SessionID, `{"timeout_seconds":60}`)
	if got.StatusCode != http.StatusConflict || got.refusal(t).Code != wire.CodeSessionEnded {
		t.Errorf("extend after the end: %d %s", got.StatusCode, got.body)
	}
}

func TestRestart(t *testing.T) {
	data := t.TempDir()
	r := start(t, data, nil)
	a := r.enrol("a")
	r.connect(a)
	long := r.started(`{"agent_id":"a","timeout_seconds":600,"filters":{"level":"error"}}`)
	short := r.started(`{"agent_id":"a","timeout_seconds":1}`)
	r.stop()
	down := time.NewTimer(time.Until(short.Session.ExpiresAt.Time) + 10*time.Millisecond)
	<-down.C
	r2 := start(t, data, nil)
	if r2.token != r.token {
		t.Error("the admin token changed")
	}
	s := r2.session(long.SessionID)
	if s.Status != wire.StatusActive || !s.ExpiresAt.Equal(long.Session.ExpiresAt.Time) {
		t.Errorf("after the restart: %+v", s)
	}
	waitFor(t, "end of what expired meanwhile", func() bool {
		return r2.session(short.SessionID).EndReason == wire.EndTimeout
	})
	var agents wire.AgentList
	got := r2.call("GET", "/api/v1/agents", nil)
	if err := json.Unmarshal(got.body, &agents); err != nil || agents.Agents[0].Status != wire.AgentUnknown {
		t.Errorf("agents %s", got.body)
	}
	r2.connect(a)
	waitFor(t, "online", func() bool {
		got := r2.call("GET", "/api/v1/agents/a", nil)
		return bytes.Contains(got.body, []byte(`"status":"online"`)) && bytes.Contains(got.body, []byte(`"sessions":1`))
	})
}

func TestSecondServerOnTheFolderIsRefused(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	second, err := New(t.Context(), Config{Listen: "127.0.0.1:0", Data: r.data})
	if !errors.Is(err, store.ErrInUse) {
		t.Fatalf("second server: %v, %v", second, err)
	}
	r.stop()
	start(t, r.data, nil)
}

func TestEnrolment(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	a := r.enrol("shop-1")
	if b := r.enrolKey("shop-1", a.key); !bytes.Contains(b.body, []byte(a.id)) {
		t.Errorf("same key: %s", b.body)
	}
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if b := r.enrolKey("shop-1", other); b.StatusCode != http.StatusConflict || !strings.Contains(b.refusal(t).Message, a.id) {
		t.Errorf("name in use: %d %s", b.StatusCode, b.body)
	}
	if err := os.WriteFile(r.EnrolTokenFile(), []byte("another\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := r.do(r.request("POST", wire.EnrolPath, `{"token":"enrol_X","name":"b","public_key":""}`, ""))
	if bad.StatusCode != http.StatusUnauthorized {
		t.Errorf("wrong token: %d %s", bad.StatusCode, bad.body)
	}
	if b := r.enrolKey("shop-2", other); b.StatusCode != http.StatusOK {
		t.Errorf("replaced token: %d %s", b.StatusCode, b.body)
	}
	r.connect(a)
	s := r.started(`{"agent_id":"shop-1"}`)
	if b := r.call("DELETE", "/api/v1/agents/shop-1", nil); b.StatusCode != http.StatusNoContent {
		t.Errorf("forget: %d %s", b.StatusCode, b.body)
	}
	if b := r.call("GET", "/api/v1/agents/"+a.id, nil); b.StatusCode != http.StatusNotFound {
		t.Errorf("forgotten agent: %d %s", b.StatusCode, b.body)
	}
	<-a.done // its link is cut
	if got := r.session(s.SessionID); got.Status != wire.StatusEnded || got.Accounts.Agents[a.id].Seen != 3 {
		t.Errorf("its session: %+v", got)
	}
}

func TestFilesAndModes(t *testing.T) {
	data := filepath.Join(t.TempDir(), "new")
	r := start(t, data, nil)
	for name, want := range map[string]os.FileMode{".": 0o700, "admin.token": 0o600, "enrol.token": 0o600, "spile.db": 0o600} {
		info, err := os.Stat(filepath.Join(data, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
		}
	}
	token, err := CreateToken(t.Context(), data, "ci", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.do(r.request("GET", "/api/v1/agents", nil, token)); got.StatusCode != http.StatusOK {
		t.Errorf("a made token: %d %s", got.StatusCode, got.body)
	}
	if _, err := CreateToken(t.Context(), t.TempDir(), "ci", time.Hour); err == nil {
		t.Error("a token was made in a folder without a server")
	}
}

func TestMetrics(t *testing.T) {
	r := start(t, t.TempDir(), func(c *Config) { c.MetricsOpen = true })
	a := r.enrol("a")
	r.connect(a)
	m := wire.Metrics{IntervalMS: 60_000, CPUPermille: 15, MemoryKiB: 2048, DiskPermille: 500}
	count := wire.SourceCount{Index: 1, Lines: 7, Bytes: 700}
	count.Levels[2], count.Levels[5] = 5, 2
	m.Sources = []wire.SourceCount{count}
	for range 2 {
		if err := a.conn.Write(t.Context(), websocket.MessageBinary, wire.AppendMetrics(nil, &m)); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "two reports", func() bool {
		var out wire.AgentMetrics
		got := r.call("GET", "/api/v1/agents/a/metrics", nil)
		return json.Unmarshal(got.body, &out) == nil && len(out.Points) == 2 && out.Points[1].Sources["api"].Levels["ERROR"] == 2
	})
	text := string(r.do(r.request("GET", "/metrics", nil, "")).body)
	for _, want := range []string{
		fmt.Sprintf(`spile_agent_lines_total{agent="a",agent_id="%s",source="api"} 14`, a.id),
		fmt.Sprintf(`spile_agent_level_lines_total{agent="a",agent_id="%s",level="ERROR",source="api"} 4`, a.id),
		"spile_agents_online 1", "spile_sessions_open 0",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	a.disconnect()
	waitFor(t, "offline", func() bool {
		return bytes.Contains(r.call("GET", "/api/v1/agents/a", nil).body, []byte(`"status":"offline"`))
	})
}

func TestLogin(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	login := r.NewLogin()
	u, err := url.Parse(login)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := r.do(r.request("GET", u.RequestURI(), nil, "")); got.StatusCode != 200 || len(got.Cookies()) != 0 {
			t.Fatalf("GET: %d %v", got.StatusCode, got.Cookies())
		}
	}
	post := func(origin string) *reply {
		req := r.request("POST", "/login", "code="+u.Query().Get("code"), "")
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
		return r.do(req)
	}
	if got := post("http://evil.example"); got.StatusCode != http.StatusForbidden {
		t.Errorf("foreign form: %d", got.StatusCode)
	}
	got := post(r.base)
	if got.StatusCode != http.StatusSeeOther || len(got.Cookies()) != 1 {
		t.Fatalf("first POST: %d %s", got.StatusCode, got.body)
	}
	cookie := got.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %v", cookie)
	}
	if got := post(r.base); got.StatusCode != http.StatusUnauthorized || len(got.Cookies()) != 0 {
		t.Errorf("second POST: %d", got.StatusCode)
	}
	for _, test := range []struct {
		name, method, path, origin string
		want                       int
	}{
		{"read", "GET", "/api/v1/agents", "", 200},
		{"read-own-page", "GET", "/api/v1/agents", r.base, 200},
		{"read-foreign-page", "GET", "/api/v1/agents", "http://127.0.0.1:1", 403},
		{"change-without-origin", "DELETE", "/api/v1/sessions/x", "", 403},
		{"change-foreign", "DELETE", "/api/v1/sessions/x", "https" + strings.TrimPrefix(r.base, "http"), 403},
		{"change-own-page", "DELETE", "/api/v1/sessions/x", r.base, 404},
		{"socket-without-origin", "GET", "/api/v1/stream/ws/x", "", 403},
		{"socket-own-page", "GET", "/api/v1/stream/ws/x", r.base, 404},
	} {
		t.Run(test.name, func(t *testing.T) {
			req := r.request(test.method, test.path, nil, "")
			req.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
			if test.origin != "" {
				req.Header.Set("Origin", test.origin)
			}
			if got := r.do(req); got.StatusCode != test.want {
				t.Errorf("%d %s, want %d", got.StatusCode, got.body, test.want)
			}
		})
	}
}

func TestStreamByPlainCallOfASocket(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	a := r.enrol("shop-1")
	r.connect(a)
	s := r.started(`{"agent_id":"shop-1"}`)
	got := r.call("GET", "/api/v1/stream/ws/"+s.SessionID, nil)
	if got.StatusCode != http.StatusUpgradeRequired || got.refusal(t).Details["Upgrade"] == "" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

func TestStreamAccess(t *testing.T) {
	r := start(t, t.TempDir(), nil)
	a := r.enrol("a")
	r.connect(a)
	s := r.started(`{"agent_id":"a"}`)
	dial := func(path, origin string) (*websocket.Conn, int) {
		t.Helper()
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		conn, resp, err := websocket.Dial(t.Context(), r.base+path, &websocket.DialOptions{HTTPHeader: header})
		if err == nil {
			t.Cleanup(func() { _ = conn.CloseNow() })
		}
		if resp == nil {
			t.Fatal(err)
		}
		return conn, resp.StatusCode
	}
	path := "/api/v1/stream/ws/" + s.SessionID + "?token=" + r.token
	if conn, got := dial(path, ""); got != http.StatusSwitchingProtocols {
		t.Errorf("with a token: %d", got)
	} else {
		waitFor(t, "a viewer", func() bool { return r.session(s.SessionID).Viewers == 1 })
		r.call("POST", "/api/v1/stream/stop", wire.StopRequest{SessionID: s.SessionID})
		var frames []string
		for {
			_, data, err := conn.Read(t.Context())
			if err != nil {
				if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
					t.Errorf("closed with %v", err)
				}
				break
			}
			frames = append(frames, string(data))
		}
		if !slices.ContainsFunc(frames, func(f string) bool { return strings.Contains(f, `"session_ended"`) }) {
			t.Errorf("frames %q", frames)
		}
	}
	s = r.started(`{"agent_id":"a"}`)
	path = "/api/v1/stream/ws/" + s.SessionID
	for _, test := range []struct {
		name, query, origin string
		want                int
	}{
		{"no-token", "", "", 401},
		{"bad-token", "?token=x", "", 401},
		{"own-origin", "?token=" + r.token, r.base, 101},
		{"other-port", "?token=" + r.token, "http://127.0.0.1:1", 403},
		{"null-origin", "?token=" + r.token, "null", 403},
		{"other-scheme", "?token=" + r.token, "https" + strings.TrimPrefix(r.base, "http"), 403},
		{"suffix", "?token=" + r.token, r.base + ".evil.example", 403},
		{"userinfo", "?token=" + r.token, strings.Replace(r.base, "http://", "http://u@", 1), 403},
		{"bad-cursor", "?after=!!&token=" + r.token, "", 400},
		{"bad-from", "?from=later&token=" + r.token, "", 400},
		{"bad-events", "?events=some&token=" + r.token, "", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, got := dial(path+test.query, test.origin); got != test.want {
				t.Errorf("%d, want %d", got, test.want)
			}
		})
	}
	if _, got := dial("/api/v1/stream/ws/sess_x?token="+r.token, ""); got != http.StatusNotFound {
		t.Errorf("unknown session: %d", got)
	}
	if got := r.do(r.request("GET", "/api/v1/agents?token="+r.token, nil, "")); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token in the URL of a call that is no stream: %d", got.StatusCode)
	}
}

package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/spec"
	"github.com/spilelog/spile/wire"
)

// secretsOf is a store of one test, in which nothing was ever revoked.
type secretsOf map[string][]byte

func (s secretsOf) Revoked(context.Context) (map[string]time.Time, error) { return nil, nil }

func (s secretsOf) Revoke(context.Context, map[string]time.Time, time.Time) error { return nil }

func (s secretsOf) Secret(_ context.Context, name string, fresh []byte) ([]byte, error) {
	if s[name] == nil {
		s[name] = fresh
	}
	return s[name], nil
}

// newTest makes a handler whose parts would panic when they are reached.
func newTest(t *testing.T) *API {
	t.Helper()
	tokens, err := auth.NewTokens(t.Context(), secretsOf{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	document, err := spec.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Options{
		Tokens: tokens, Logins: auth.NewLogins(nil), Streams: (*hub.Hub)(nil), OpenAPI: document,
		Link:       http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUpgradeRequired) }),
		Metrics:    http.NotFoundHandler(),
		Page:       fstest.MapFS{"index.html": {Data: []byte("page")}, "app.css": {}, "icon.svg": {Data: []byte("<svg/>")}},
		CheckEnrol: func(string) (bool, error) { return false, nil },
		Ready:      func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestEveryRouteIsClosed calls every route without credentials: only the frozen list answers anything but 401. A new
// route fails here until somebody has decided about it.
func TestEveryRouteIsClosed(t *testing.T) {
	a := newTest(t)
	var open []string
	for _, route := range a.routes() {
		path := strings.ReplaceAll(route.path, "{id}", "x")
		for _, query := range []string{"", "?token=", "?token=x", "?access_token=x"} {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), route.method, path+query, nil))
			if w.Code != http.StatusUnauthorized && query == "" {
				open = append(open, route.method+" "+route.path)
			}
			if w.Code != http.StatusUnauthorized && !route.open() {
				t.Errorf("%s %s%s answers %d without credentials", route.method, path, query, w.Code)
			}
		}
	}
	want := []string{
		"POST /api/v1/enrol", "GET /api/v1/agent", "POST /api/v1/login", "POST /api/v1/logout",
		"GET /api/v1/openapi.json", "GET /healthz", "GET /readyz",
		"GET /login", "POST /login", "GET /",
	}
	// The two that check by themselves: one refuses the body first, the other the code.
	want = slices.DeleteFunc(want, func(s string) bool { return s == "POST /login" })
	if diff := cmp.Diff(want, open); diff != "" {
		t.Errorf("routes that are open (-want +got):\n%s", diff)
	}
}

// open says whether a route needs no token.
func (r route) open() bool { return r.access == accessOpen || r.access == accessOwn }

func TestRouteWithoutRuleIsRefused(t *testing.T) {
	a := newTest(t)
	for _, rule := range []access{accessNone, access(99)} {
		_, err := a.admit(httptest.NewRequestWithContext(t.Context(), "GET", "/x", nil), rule)
		if err == nil {
			t.Errorf("rule %d admits", rule)
		}
	}
}

// TestContractIsComplete holds the table of routes and the document against one another, both ways.
func TestContractIsComplete(t *testing.T) {
	a := newTest(t)
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(a.o.OpenAPI, &document); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for path, operations := range document.Paths {
		for method := range operations {
			if method != "parameters" {
				want = append(want, strings.ToUpper(method)+" "+path)
			}
		}
	}
	for _, route := range a.routes() {
		if route.path != "/" && route.path != "/login" {
			got = append(got, route.method+" "+route.path)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document and routes differ (-document +routes):\n%s", diff)
	}
}

func TestMethodsAndPaths(t *testing.T) {
	a := newTest(t)
	for _, test := range []struct {
		name, method, path string
		want               int
		allow              string
	}{
		{"wrong-method", "GET", "/api/v1/stream/start", 405, "POST"},
		{"many-methods", "PUT", "/api/v1/sessions/x", 405, "GET, PATCH, DELETE"},
		{"no-path", "GET", "/api/v1/nothing", 404, ""},
		{"page", "GET", "/", 200, ""},
		{"page-file", "HEAD", "/app.css", 200, ""},
		{"page-escape", "GET", "/..%2f..%2fetc/passwd", 404, ""},
		{"post-to-page", "POST", "/", 405, "GET"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), test.method, test.path, nil))
			if w.Code != test.want || w.Header().Get("Allow") != test.allow {
				t.Errorf("%d Allow %q %s", w.Code, w.Header().Get("Allow"), w.Body)
			}
		})
	}
}

// TestSocketWantsAnUpgrade calls a WebSocket as a plain program would: the refusal is JSON as everywhere.
func TestSocketWantsAnUpgrade(t *testing.T) {
	a := newTest(t)
	for _, path := range []string{wire.AgentPath} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "GET", path, nil)
		a.ServeHTTP(w, r)
		var refusal wire.Error
		if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil || refusal.Details["Upgrade"] == "" {
			t.Errorf("%s: %v %q", path, err, w.Body)
		}
		if w.Code != http.StatusUpgradeRequired || w.Header().Get("Upgrade") != "websocket" {
			t.Errorf("%s: %d, Upgrade %q", path, w.Code, w.Header().Get("Upgrade"))
		}
	}
}

// TestLoginBelowAFolder holds the login to relative addresses, since a proxy may serve all this below a folder.
func TestLoginBelowAFolder(t *testing.T) {
	a := newTest(t)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/login", nil))
	if body := w.Body.String(); strings.Contains(body, `="/`) {
		t.Errorf("an address from the root:\n%s", body)
	}
	form := strings.NewReader("code=" + a.o.Logins.New())
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/login", form)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w = httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "./" {
		t.Errorf("%d to %q", w.Code, w.Header().Get("Location"))
	}
}

// TestIconNeedsNoLogin asks for the icon as a browser at /login does: by the name of the page, and by the old one.
func TestIconNeedsNoLogin(t *testing.T) {
	a := newTest(t)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/login", nil))
	if !strings.Contains(w.Body.String(), `<link rel="icon" href="icon.svg"`) {
		t.Errorf("the login page names no icon:\n%s", w.Body)
	}
	for _, path := range []string{"/icon.svg", "/favicon.ico"} {
		w := httptest.NewRecorder()
		a.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
		if w.Code != http.StatusOK || w.Body.String() != "<svg/>" || w.Header().Get("Content-Type") != "image/svg+xml" {
			t.Errorf("%s: %d %q %s", path, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}

func FuzzReadObject(f *testing.F) {
	f.Add([]byte(`{"a":"x","b":{"c":1}}`))
	f.Add([]byte(`{"a":"x","a":"y"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var text string
		var number int
		bad := map[string]string{}
		readObject(data, "", []field{{"a", "text", &text}, {"b", "an object", []field{{"c", "a number", &number}}}}, bad)
		if len(bad) > 0 {
			return
		}
		// What is accepted is an object of exactly these members, so writing it again says the same.
		var strict struct {
			A string `json:"a"`
			B struct {
				C int `json:"c"`
			} `json:"b"`
		}
		if err := json.Unmarshal(data, &strict); err != nil || strict.A != text || strict.B.C != number {
			t.Errorf("%q was read as %q and %d, encoding/json says %+v, %v", data, text, number, strict, err)
		}
	})
}

// fullStore refuses to write a session.
type fullStore struct {
	Sessions
	err error
}

func (s fullStore) Open(context.Context, string) error { return nil }

func (s fullStore) Stop(context.Context, string) (wire.Session, error) { return wire.Session{}, s.err }

// TestFailuresOfTheStore says in an answer's code whether a failure is of the disk, and no more than that.
func TestFailuresOfTheStore(t *testing.T) {
	for _, test := range []struct {
		name   string
		err    error
		status int
		code   wire.Code
	}{
		{"disk-full", fmt.Errorf("save session: %w: secret path", store.ErrUnwritable), 507, wire.CodeStorage},
		{"anything-else", errors.New("secret path"), 500, wire.CodeInternal},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newTest(t)
			a.o.Sessions = fullStore{err: test.err}
			r := httptest.NewRequestWithContext(t.Context(), "DELETE", "/api/v1/sessions/sess_x", nil)
			token, err := a.o.Tokens.Issue("test", time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			var refusal wire.Error
			if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil {
				t.Fatal(err)
			}
			if w.Code != test.status || refusal.Code != test.code || strings.Contains(w.Body.String(), "secret") {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, test.status, test.code)
			}
		})
	}
}

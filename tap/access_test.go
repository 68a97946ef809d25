package tap

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/wire"
)

func TestAccess(t *testing.T) {
	filter := func(r *http.Request) (bool, string) { return r.Header.Get("X-Team") == "core", "only the core team" }
	auth := &BasicAuth{User: "ann", Password: "pass:word"}
	tests := []struct {
		name                 string
		o                    Options
		user, password, team string
		code                 int
		message              string
	}{
		{"open", Options{}, "", "", "", 200, ""},
		{"right-password", Options{BasicAuth: auth}, "ann", "pass:word", "", 200, ""},
		{"wrong-password", Options{BasicAuth: auth}, "ann", "pass:wor", "", 401, "wanted"},
		{"wrong-user", Options{BasicAuth: auth}, "bob", "pass:word", "", 401, "wanted"},
		{"no-password", Options{BasicAuth: auth}, "", "", "", 401, "wanted"},
		{"filter-allows", Options{RequestFilter: filter}, "", "", "core", 200, ""},
		{"filter-refuses", Options{RequestFilter: filter}, "", "", "", 403, "only the core team"},
		{"both-pass", Options{BasicAuth: auth, RequestFilter: filter}, "ann", "pass:word", "core", 200, ""},
		{"both-only-password", Options{BasicAuth: auth, RequestFilter: filter}, "ann", "pass:word", "", 403, "core team"},
		{"both-only-filter", Options{BasicAuth: auth, RequestFilter: filter}, "", "", "core", 401, "wanted"},
		{
			"no-message",
			Options{RequestFilter: func(*http.Request) (bool, string) { return false, "" }},
			"", "", "", 403, "may not watch",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.o)
			for _, target := range []string{"/", "/?level=bogus"} {
				req := httptest.NewRequestWithContext(t.Context(), http.MethodHead, target, http.NoBody)
				if test.code != 200 {
					req.Method = http.MethodGet
				} else if target != "/" {
					continue // Who may watch is told what is wrong with the query.
				}
				if test.user != "" {
					req.SetBasicAuth(test.user, test.password)
				}
				req.Header.Set("X-Team", test.team)
				w := httptest.NewRecorder()
				r.tap.ServeHTTP(w, req)
				if w.Code != test.code || !strings.Contains(w.Body.String(), test.message) {
					t.Errorf("GET %s: %d %s", target, w.Code, w.Body)
				}
				challenge := w.Header().Get("WWW-Authenticate")
				if (challenge == `Basic realm="log", charset="UTF-8"`) != (test.code == 401) {
					t.Errorf("challenge %q", challenge)
				}
				if r.tap.Streams() != 0 {
					t.Error("a refused request left a stream")
				}
			}
		})
	}
}

func TestMethods(t *testing.T) {
	r := newRig(t, Options{})
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
		w := httptest.NewRecorder()
		r.tap.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/", http.NoBody))
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
	w := httptest.NewRecorder()
	r.tap.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/?level=x", http.NoBody))
	if w.Code != http.StatusBadRequest || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d with %d bytes", w.Code, w.Body.Len())
	}
}

func TestMaxStreams(t *testing.T) {
	r := newRig(t, Options{MaxStreams: 2})
	r.watchAt(t, "/")
	v := r.watchAt(t, "/?level=error")
	w := r.get(t, "/")
	var body wire.Error
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || body.Code != wire.CodeRateLimited {
		t.Errorf("got %d, Retry-After %q, %+v", w.Code, w.Header().Get("Retry-After"), body)
	}
	v.leave()
	r.watchAt(t, "/")
}

func TestClosed(t *testing.T) {
	r := newRig(t, Options{})
	other := newRig(t, Options{})
	second, err := Handler(r.handler, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := second.sink.Name(); got != "tap-2" {
		t.Errorf("the second tap is called %q", got)
	}
	for _, tp := range []*Tap{second, r.tap, r.tap} {
		if err := tp.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if n := len(r.handler.Backends()); n != 1 {
		t.Errorf("%d backends are left, want the console", n)
	}
	if w := r.get(t, "/"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d", w.Code)
	}
	// A handler that is closed closes its tap.
	v := other.watchAt(t, "/?format=text")
	if err := other.handler.Close(t.Context()); err != nil {
		t.Error(err)
	}
	<-v.done
	if !strings.HasSuffix(v.String(), "-- the stream ended: the log was closed --\n") {
		t.Errorf("got %q", v)
	}
}

func TestCloseIsBounded(t *testing.T) {
	r := newRig(t, Options{WriteTimeout: time.Hour})
	v := r.watchAt(t, "/")
	release := v.stall()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := r.tap.Close(ctx); err == nil {
		t.Error("it did not say that a viewer is left")
	}
	if r.lowest() != slog.LevelInfo {
		t.Errorf("the threshold is %v", r.lowest())
	}
	release()
	<-v.done
}

func TestHeaders(t *testing.T) {
	standard := map[string]string{
		"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
		"X-Accel-Buffering": "no", "Referrer-Policy": "no-referrer", "Content-Security-Policy": "*",
	}
	with := func(extra map[string]string) map[string]string {
		m := maps.Clone(standard)
		maps.Copy(m, extra)
		return m
	}
	tests := []struct {
		name string
		o    Options
		want map[string]string
	}{
		{"usual", Options{}, standard},
		{"additional", Options{AdditionalHeaders: http.Header{"x-foo": {"bar"}}}, with(map[string]string{"X-Foo": "bar"})},
		{
			"additional-replaces-its-name",
			Options{AdditionalHeaders: http.Header{"Cache-Control": {"no-cache"}}},
			with(map[string]string{"Cache-Control": "no-cache"}),
		},
		{"replaced", Options{
			Headers: http.Header{"X-Foo": {"bar"}}, AdditionalHeaders: http.Header{"X-More": {"1"}},
		}, map[string]string{
			"Content-Type": "text/html; charset=utf-8", "X-Content-Type-Options": "nosniff", "X-Foo": "bar",
		}},
		{"replaced-type", Options{Headers: http.Header{"Content-Type": {"text/x-log"}}}, map[string]string{
			"Content-Type": "text/x-log", "X-Content-Type-Options": "nosniff",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.o)
			v := r.watchAt(t, "/?format=html")
			if got, want := slices.Sorted(maps.Keys(v.header)), slices.Sorted(maps.Keys(test.want)); !slices.Equal(got, want) {
				t.Errorf("headers %v, want %v", got, want)
			}
			for name, want := range test.want {
				if got := v.header.Get(name); want != "*" && got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestPolicy(t *testing.T) {
	const rest = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src"
	tests := []struct{ name, head, want string }{
		{"none", "<html>", rest + " 'none'"},
		{"one", "<style>a{}</style>", rest + " 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='"},
		{"two", "<style media=x>a{}</style><style></style>", rest + " 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='" +
			" 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"},
		{"open", "<style>a{}", rest + " 'none'"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := policy([]byte(test.head)); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestOptionsRefused(t *testing.T) {
	tests := []struct {
		name, want string
		o          Options
	}{
		{"both-metadata", "AllMetadata", Options{Metadata: []string{"a"}, AllMetadata: true}},
		{"empty-key", "key 2 is empty", Options{Metadata: []string{"a", ""}}},
		{"key-twice", `"a" is there twice`, Options{Metadata: []string{"a", "a"}}},
		{"key-with-separator", "Separator", Options{Metadata: []string{"a:b"}}},
		{"default-below-floor", "below MinLevel", Options{DefaultLevel: slog.LevelDebug, MinLevel: slog.LevelInfo}},
		{"nil-leaser", "Lower", Options{Lower: []*Leaser{nil}}},
		{"empty-password", "password is empty", Options{BasicAuth: &BasicAuth{User: "a"}}},
		{"user-with-colon", "colon", Options{BasicAuth: &BasicAuth{User: "a:b", Password: "c"}}},
		{"bad-realm", "realm", Options{BasicAuth: &BasicAuth{Password: "c", Realm: "a\"\n"}}},
		{"negative-duration", "MaxDuration", Options{MaxDuration: -1}},
		{"negative-streams", "MaxStreams", Options{MaxStreams: -1}},
		{"small-buffer", "Buffer: must be 4096 or more, is 100", Options{Buffer: 100}},
		{"negative-write-timeout", "WriteTimeout", Options{WriteTimeout: -1}},
		{"negative-heartbeat", "Heartbeat", Options{Heartbeat: -1}},
		{"negative-history", "History.Bytes", Options{History: History{Bytes: -1}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := spile.New()
			if _, err := Handler(h, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v does not say %q", err, test.want)
			}
			if len(h.Backends()) != 0 {
				t.Error("a backend was added all the same")
			}
		})
	}
	if _, err := Handler(nil, Options{}); err == nil {
		t.Error("no handler: no error")
	}
}

func TestCannotStream(t *testing.T) {
	r := newRig(t, Options{})
	w := httptest.NewRecorder()
	r.tap.ServeHTTP(noFlush{w}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if w.Code != http.StatusInternalServerError || r.tap.Streams() != 0 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// noFlush hides all but the three methods of a response.
type noFlush struct{ w *httptest.ResponseRecorder }

func (n noFlush) Header() http.Header         { return n.w.Header() }
func (n noFlush) Write(p []byte) (int, error) { return n.w.Write(p) }
func (n noFlush) WriteHeader(code int)        { n.w.WriteHeader(code) }

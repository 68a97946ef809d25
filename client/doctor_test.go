package client_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// sick is a server behind something that does harm.
type sick struct {
	// strip refuses each Upgrade as the server does that does not see it, deny as a proxy does.
	strip, deny bool
	// hold gathers everything until the end, pack compresses, bare removes Cache-Control.
	hold, pack, bare bool
	// cutAfter ends streams after so many beacons when it is not 0.
	cutAfter int
	// badToken takes no token, foreign is another server, ahead is by how much the clock is.
	badToken, foreign bool
	ahead             time.Duration
	// via are Via headers of answers; arrived are headers of requests as they come to the server.
	via     []string
	arrived map[string][]string
}

// ServeHTTP answers as the server behind the harm would.
func (s *sick) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "nginx/1.27")
	w.Header()["Via"] = s.via
	switch {
	case s.foreign:
		http.Error(w, "<html>", http.StatusNotFound)
	case r.URL.Path == "/healthz":
		_, _ = w.Write([]byte(`{"status":"ok"}`))
	case s.badToken:
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(wire.Errorf(wire.CodeUnauthorized, "the token has expired"))
	case strings.HasSuffix(r.URL.Path, "/me"):
		_ = json.NewEncoder(w).Encode(wire.Me{Subject: "x", ExpiresAt: wire.At(time.Now().Add(time.Hour))})
	case strings.HasSuffix(r.URL.Path, "/ws"):
		s.socket(w, r)
	default:
		s.plain(w, r)
	}
}

// beacons calls send for each beacon that is asked for.
func (s *sick) beacons(r *http.Request, send func(text []byte) error) {
	count, _ := strconv.Atoi(r.URL.Query().Get("count"))
	interval, _ := strconv.Atoi(r.URL.Query().Get("interval_ms"))
	tick := time.NewTicker(time.Duration(max(interval, 1)) * time.Millisecond)
	defer tick.Stop()
	for n := range count + 1 {
		if s.cutAfter > 0 && n == s.cutAfter {
			return
		}
		b := wire.Beacon{Type: "beacon", N: n, SentAt: wire.At(time.Now().Add(s.ahead))}
		if n == 0 {
			b.Request = &wire.BeaconRequest{Proto: r.Proto, Host: r.Host, Headers: s.arrived}
		}
		text, _ := json.Marshal(b)
		if send(text) != nil {
			return
		}
		if n < count {
			<-tick.C
		}
	}
}

// socket sends beacons over WebSocket.
func (s *sick) socket(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.strip:
		w.WriteHeader(http.StatusUpgradeRequired)
		_ = json.NewEncoder(w).Encode(wire.Invalid("Upgrade", "must be websocket"))
		return
	case s.deny:
		http.Error(w, "<html>", http.StatusForbidden)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	s.beacons(r, func(text []byte) error { return conn.Write(r.Context(), websocket.MessageText, text) })
}

// plain sends beacons over plain HTTP.
func (s *sick) plain(w http.ResponseWriter, r *http.Request) {
	form, media := "%s\n", "application/x-ndjson"
	if strings.HasSuffix(r.URL.Path, "/sse") {
		form, media = "data: %s\n\n", "text/event-stream"
	}
	w.Header().Set("Content-Type", media)
	if !s.bare {
		w.Header().Set("Cache-Control", "no-store")
	}
	if s.pack && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		defer packed.Close()
		s.beacons(r, func(text []byte) error {
			_, err := fmt.Fprintf(packed, form, text)
			if s.hold {
				return err
			}
			return errors.Join(err, packed.Flush(), http.NewResponseController(w).Flush())
		})
		return
	}
	s.beacons(r, func(text []byte) error {
		_, err := fmt.Fprintf(w, form, text)
		if s.hold {
			return err
		}
		return errors.Join(err, http.NewResponseController(w).Flush())
	})
}

func TestExamineNamesTheCause(t *testing.T) {
	tests := []struct {
		name string
		sick sick
		idle time.Duration
		want map[client.Check]client.Cause
		// through is the way that is left.
		through client.Transport
		bad     bool
	}{
		{name: "healthy", idle: 200 * time.Millisecond, through: client.TransportWebSocket},
		{
			name: "upgrade-stripped", sick: sick{strip: true}, through: client.TransportSSE, bad: true,
			want: map[client.Check]client.Cause{client.CheckWebSocket: client.CauseUpgradeStripped},
		},
		{
			name: "upgrade-refused", sick: sick{deny: true}, through: client.TransportSSE, bad: true,
			want: map[client.Check]client.Cause{client.CheckWebSocket: client.CauseUpgradeRefused},
		},
		{
			name: "held-back", sick: sick{strip: true, hold: true}, through: client.TransportPoll, bad: true,
			want: map[client.Check]client.Cause{
				client.CheckWebSocket: client.CauseUpgradeStripped, client.CheckSSE: client.CauseBuffered,
				client.CheckNDJSON: client.CauseBuffered,
			},
		},
		{
			name: "compressed", sick: sick{pack: true}, through: client.TransportWebSocket,
			want: map[client.Check]client.Cause{
				client.CheckSSE: client.CauseCompressed, client.CheckNDJSON: client.CauseCompressed,
			},
		},
		{
			name: "header-removed", sick: sick{bare: true}, through: client.TransportWebSocket, bad: true,
			want: map[client.Check]client.Cause{client.CheckSSE: client.CauseHeader, client.CheckNDJSON: client.CauseHeader},
		},
		{
			name: "cut", sick: sick{cutAfter: 4}, through: client.TransportPoll, bad: true,
			want: map[client.Check]client.Cause{
				client.CheckWebSocket: client.CauseCut, client.CheckSSE: client.CauseCut, client.CheckNDJSON: client.CauseCut,
			},
		},
		{
			name: "cut-when-idle", sick: sick{cutAfter: 1}, idle: 200 * time.Millisecond,
			through: client.TransportPoll, bad: true,
			want: map[client.Check]client.Cause{
				client.CheckWebSocket: client.CauseCut, client.CheckSSE: client.CauseCut, client.CheckNDJSON: client.CauseCut,
				client.CheckIdle: client.CauseIdleTimeout,
			},
		},
		{
			name: "bad-token", sick: sick{badToken: true}, bad: true,
			want: map[client.Check]client.Cause{client.CheckToken: client.CauseToken},
		},
		{
			name: "another-server", sick: sick{foreign: true}, bad: true,
			want: map[client.Check]client.Cause{client.CheckHealth: client.CauseForeign},
		},
		{
			name: "clock-ahead", sick: sick{ahead: time.Hour}, through: client.TransportWebSocket,
			want: map[client.Check]client.Cause{client.CheckClock: client.CauseClock},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(&tt.sick)
			defer server.Close()
			c, err := client.New(client.Options{BaseURL: server.URL, Token: "secret"})
			if err != nil {
				t.Fatal(err)
			}
			told := 0
			found, err := c.Examine(t.Context(), client.ExamineOptions{
				Idle: tt.idle, Count: 20, Interval: 50 * time.Millisecond, OnResult: func(client.Result) { told++ },
			})
			if err != nil {
				t.Fatal(err)
			}
			got := map[client.Check]client.Cause{}
			for _, r := range found.Results {
				for i, f := range r.Findings {
					if i == 0 {
						got[r.Check] = f.Cause
					}
					if len(f.Cures) == 1 && f.Cures[0].Proxy != "nginx" {
						t.Errorf("cure for %+v", f)
					}
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" && len(tt.want)+len(got) > 0 {
				t.Errorf("%s\n%+v", diff, found.Results)
			}
			if found.Good == tt.bad || found.Transport != tt.through || told != len(found.Results) {
				t.Errorf("good %v by %q, told %d: %+v", found.Good, found.Transport, told, found.Results)
			}
		})
	}
}

// TestExamineNamesEveryHop lets one of several proxies hold streams back: which one cannot be told, so that all are named.
func TestExamineNamesEveryHop(t *testing.T) {
	for _, test := range []struct {
		name    string
		via     []string
		arrived map[string][]string
		want    string
		cures   []string
	}{
		{name: "one", want: "nginx/1.27", cures: []string{"nginx"}},
		{
			name: "one-that-counts-itself", arrived: map[string][]string{"X-Forwarded-For": {"10.0.0.1"}},
			want: "nginx/1.27", cures: []string{"nginx"},
		},
		{
			name: "two-in-the-answer", via: []string{"1.1 haproxy, 1.1 nginx/1.27"},
			want: "one of nginx/1.27, haproxy", cures: []string{"nginx", "haproxy"},
		},
		{
			name: "second-in-the-request", arrived: map[string][]string{"Via": {"1.1 varnish (Varnish/7)"}},
			want: "one of nginx/1.27, varnish (Varnish/7)", cures: []string{"nginx"},
		},
		{
			name: "second-without-a-name", arrived: map[string][]string{"X-Forwarded-For": {"10.0.0.1, 10.0.0.2"}},
			want: "one of nginx/1.27, or a proxy that does not show its name", cures: []string{"nginx", "haproxy"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			// The WebSocket is refused before anything of the way is known.
			server := httptest.NewServer(&sick{strip: true, hold: true, via: test.via, arrived: test.arrived})
			defer server.Close()
			c, err := client.New(client.Options{BaseURL: server.URL, Token: "secret"})
			if err != nil {
				t.Fatal(err)
			}
			found, err := c.Examine(t.Context(), client.ExamineOptions{Count: 20, Interval: 50 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			blamed := 0
			for _, r := range found.Results {
				for _, f := range r.Findings {
					blamed++
					var cures []string
					for _, cure := range f.Cures {
						cures = append(cures, cure.Proxy)
					}
					if f.Hop != test.want || !slices.Equal(cures, test.cures) {
						t.Errorf("%s by %q, cured in %q", f.Cause, f.Hop, cures)
					}
				}
			}
			if blamed != 3 {
				t.Errorf("%d findings: %+v", blamed, found.Results)
			}
		})
	}
}

func TestExamineWithoutAServer(t *testing.T) {
	for name, test := range map[string]struct {
		url  string
		want client.Cause
	}{
		"no-name": {"http://nowhere.invalid", client.CauseName},
		"no-port": {"http://127.0.0.1:1", client.CausePort},
		"no-tls":  {"TLS", client.CauseCertificate},
	} {
		t.Run(name, func(t *testing.T) {
			if test.url == "TLS" {
				server := httptest.NewTLSServer(http.NotFoundHandler())
				defer server.Close()
				test.url = server.URL
			}
			c, err := client.New(client.Options{BaseURL: test.url})
			if err != nil {
				t.Fatal(err)
			}
			found, err := c.Examine(t.Context(), client.ExamineOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var causes []client.Cause
			for _, r := range found.Results {
				for _, f := range r.Findings {
					causes = append(causes, f.Cause)
				}
			}
			if len(causes) != 1 || causes[0] != test.want || found.Good {
				t.Errorf("found %v in %+v", causes, found.Results)
			}
		})
	}
	c, err := client.New(client.Options{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Examine(t.Context(), client.ExamineOptions{Idle: time.Hour}); err == nil {
		t.Error("an hour of silence is accepted")
	}
}

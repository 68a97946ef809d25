package hub

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/wire"
)

// TestClosingHubIsUnavailable lets viewers come while a hub closes, and when it has: the session goes on with the next
// server, so that nobody may hear that it is over or was never there.
func TestClosingHubIsUnavailable(t *testing.T) {
	t.Parallel()
	fab := fabric.NewMemory()
	t.Cleanup(func() { _ = fab.Close() })
	h := New(Options{Fabric: fab})
	err := h.Open(Session{
		ID: "sess_test", Agents: []wire.AgentRef{{ID: testAgent}}, ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	ways := map[string]func(http.ResponseWriter, *http.Request){
		"ws":     func(w http.ResponseWriter, r *http.Request) { h.ServeWebSocket(w, r, "sess_test", View{}) },
		"sse":    func(w http.ResponseWriter, r *http.Request) { h.ServeSSE(w, r, "sess_test", View{}) },
		"ndjson": func(w http.ResponseWriter, r *http.Request) { h.ServeNDJSON(w, r, "sess_test", View{}) },
		"poll":   func(w http.ResponseWriter, r *http.Request) { h.ServePoll(w, r, "sess_test", View{}, 0) },
	}
	come := func(when string) {
		for name, serve := range ways {
			w := httptest.NewRecorder()
			serve(w, httptest.NewRequest(http.MethodGet, "/", nil))
			var refusal wire.Error
			if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil {
				t.Errorf("%s, %s: %d %s", when, name, w.Code, w.Body)
			}
			if w.Code != http.StatusServiceUnavailable || refusal.Code != wire.CodeUnavailable {
				t.Errorf("%s, %s: %d %v", when, name, w.Code, refusal)
			}
		}
	}
	// The moment between being found and being taken in.
	s := h.find("sess_test")
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	come("closing")
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	come("closed")
}

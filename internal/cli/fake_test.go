package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/spilelog/spile/wire"
)

// fleet is a server that knows agents and one session with fixed frames.
type fleet struct {
	agents  []wire.Agent
	frames  []string
	session wire.Session
	// refusal, when set, is the answer to start.
	refusal *wire.Error

	// mu guards what follows.
	mu      sync.Mutex
	started []wire.StartRequest
	stops   int
	stopped chan struct{}
}

// The frames that the fleet's session is made of.
const (
	frameLog = `{"type":"log","timestamp":"2024-01-15T10:00:00.000Z","level":"ERROR","source":"app",` +
		`"message":"broken","metadata":{"k":"v"},"raw":"ERROR broken k=v","agent":"id-1","epoch":1,"seq":%d}`
	frameGap = `{"type":"control","event":"gap","agent":"id-1","epoch":1,"from":2,"to":4,"count":3,"unit":"events",` +
		`"reason":"buffer_overrun"}`
	frameEnded = `{"type":"control","event":"session_ended","reason":"%s","accounts":{"agents":{"id-1":{"seen":9,` +
		`"filtered":5,"dropped":{"buffer_overrun":3},"sent":1}}}}`
)

// newFleet is a fleet with one agent.
func newFleet(frames ...string) *fleet {
	return &fleet{
		agents: []wire.Agent{{ID: "id-1", Name: "web-1", Status: wire.AgentOnline}}, frames: frames,
		session: wire.Session{
			ID: "sess_1", AgentID: "id-1", AgentName: "web-1", Agents: []wire.AgentRef{{ID: "id-1", Name: "web-1"}},
			Status: wire.StatusActive, Mode: wire.ModeLive, ExpiresAt: wire.At(time.Date(2024, 1, 15, 10, 5, 0, 0, time.UTC)),
		},
		stopped: make(chan struct{}),
	}
}

// serve starts the server and returns its address.
func (f *fleet) serve(t *testing.T) string {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, v any) {
		w.WriteHeader(status)
		if err := json.NewEncoder(w).Encode(v); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET /api/v1/agents", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, wire.AgentList{Agents: f.agents, Total: len(f.agents)})
	})
	mux.HandleFunc("POST /api/v1/stream/start", func(w http.ResponseWriter, r *http.Request) {
		var req wire.StartRequest
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.started = append(f.started, req)
		if f.refusal != nil {
			answer(w, f.refusal.Code.Status(), f.refusal)
			return
		}
		answer(w, http.StatusCreated, wire.StartResponse{Session: f.session, Warnings: []string{"no filter"}})
	})
	mux.HandleFunc("POST /api/v1/stream/stop", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.stops++; f.stops == 1 {
			close(f.stopped)
		}
		answer(w, http.StatusOK, f.session)
	})
	mux.HandleFunc("GET /api/v1/sessions/{id}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, f.session)
	})
	mux.HandleFunc("GET /api/v1/stream/ws/{id}", f.stream)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// stream sends the frames; without an end among them it waits for a stop and then sends one.
func (f *fleet) stream(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	ctx := conn.CloseRead(r.Context())
	text := strings.Join(f.frames, "\n")
	if text != "" && conn.Write(ctx, websocket.MessageText, []byte(text)) != nil {
		return
	}
	if strings.Contains(text, "session_ended") {
		return
	}
	select {
	case <-f.stopped:
		// The viewer may have gone, which is its right.
		_ = conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, frameEnded, "stopped"))
	case <-ctx.Done():
	}
}

// result is what a run of the command line left.
type result struct {
	exit           int
	stdout, stderr string
}

// buffer is a buffer for concurrent writers that signals its first write.
type buffer struct {
	mu    sync.Mutex
	buf   bytes.Buffer
	first chan struct{}
}

// Write appends data.
func (b *buffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.first != nil {
		close(b.first)
		b.first = nil
	}
	return b.buf.Write(data)
}

// run runs the command line with an environment.
func run(ctx context.Context, env map[string]string, args ...string) result {
	stdout, stderr := &buffer{}, &buffer{}
	exit := Main(ctx, args, Surroundings{
		Stdin: strings.NewReader(""), Stdout: stdout, Stderr: stderr, Getenv: func(name string) string { return env[name] },
	})
	return result{exit, stdout.buf.String(), stderr.buf.String()}
}

// noLeak fails the test if a goroutine outlives it and its clean-ups.
func noLeak(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

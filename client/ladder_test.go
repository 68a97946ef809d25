package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// way is what happens to a transport between the client and the server.
type way string

const (
	good way = "good"
	// stripped loses the Upgrade, which the server refuses; forbidden is refused by a proxy.
	stripped, forbidden way = "stripped", "forbidden"
	// held reaches the server, whose answer never comes.
	held way = "held"
	// denied is refused by the server itself.
	denied way = "denied"
	// cut breaks after every third message.
	cut way = "cut"
	// idle loses each second answer to a poll, and lets none wait.
	idle way = "idle"
)

// proxied is a server of one session behind something that treats each transport in its way.
type proxied struct {
	t      *testing.T
	ways   map[client.Transport]way
	frames []string

	// mu guards what follows.
	mu    sync.Mutex
	tried []string
	waits []string
	polls int
	// begun says that somebody asked for the stream without a place: as at a real server only the first one to do so
	// gets it from its beginning.
	begun bool
}

// serve starts the server and returns a client for it.
func (p *proxied) serve() *client.Client {
	mux := http.NewServeMux()
	for form, transport := range map[string]client.Transport{
		"ws": client.TransportWebSocket, "sse": client.TransportSSE, "poll": client.TransportPoll,
	} {
		mux.HandleFunc("GET /api/v1/stream/"+form+"/{id}", func(w http.ResponseWriter, r *http.Request) {
			p.pass(w, r, transport)
		})
	}
	server := httptest.NewServer(mux)
	p.t.Cleanup(server.Close)
	c, err := client.New(client.Options{BaseURL: server.URL, Token: "secret"})
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// pass does to a request what its way does.
func (p *proxied) pass(w http.ResponseWriter, r *http.Request, transport client.Transport) {
	p.mu.Lock()
	p.tried = append(p.tried, string(transport))
	p.mu.Unlock()
	switch p.ways[transport] {
	case stripped:
		w.WriteHeader(http.StatusUpgradeRequired)
		_ = json.NewEncoder(w).Encode(wire.Invalid("Upgrade", "must be websocket"))
	case forbidden:
		http.Error(w, "<html>no</html>", http.StatusForbidden)
	case denied:
		w.WriteHeader(http.StatusUnauthorized)
		_ = json.NewEncoder(w).Encode(wire.Errorf(wire.CodeUnauthorized, "no"))
	case held:
		p.place(r)
		<-r.Context().Done()
	default:
		switch transport {
		case client.TransportWebSocket:
			p.socket(w, r)
		case client.TransportSSE:
			p.events(w, r)
		case client.TransportPoll:
			p.poll(w, r)
		}
	}
}

// place is how many frames the caller has.
func (p *proxied) place(r *http.Request) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	query := r.URL.Query()
	cursor, err := wire.ParseCursor(query.Get("after"))
	if err != nil || query.Get("events") != "all" || r.Header.Get("Authorization") != "Bearer secret" {
		p.t.Errorf("asked for %q with %v", r.URL, r.Header)
	}
	for _, at := range cursor {
		if wire.FormatUUID(at.Agent) == agentID {
			return int(at.Seq)
		}
	}
	if p.begun && query.Get("from") != "start" {
		return len(p.frames)
	}
	p.begun = true
	return 0
}

// started is the first frame of a connection.
func started(from int) string {
	id, _ := wire.ParseUUID(agentID)
	cursor := wire.Cursor{{Agent: id, Epoch: 7, Seq: uint64(from)}}
	return fmt.Sprintf(`{"type":"control","event":"session_started","next_seq":{%q:%d},"cursor":%q}`,
		agentID, from+1, cursor.String())
}

// rest are the frames from a place on, and the end.
func (p *proxied) rest(from int) []string { return append(slices.Clone(p.frames[from:]), ended) }

// socket serves over WebSocket.
func (p *proxied) socket(w http.ResponseWriter, r *http.Request) {
	from := p.place(r)
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	for i, frame := range append([]string{started(from)}, p.rest(from)...) {
		if p.ways[client.TransportWebSocket] == cut && i == 3 {
			return
		}
		if conn.Write(r.Context(), websocket.MessageText, []byte(frame+"\n")) != nil {
			return
		}
	}
	_ = conn.Close(websocket.StatusNormalClosure, "")
}

// events serves server-sent events.
func (p *proxied) events(w http.ResponseWriter, r *http.Request) {
	from := p.place(r)
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, ":\n\n")
	for i, frame := range append([]string{started(from)}, p.rest(from)...) {
		if p.ways[client.TransportSSE] == cut && i == 3 {
			return
		}
		_, _ = fmt.Fprintf(w, "id: x\ndata: %s\n\n", frame)
		_ = http.NewResponseController(w).Flush()
	}
}

// poll answers one poll, two frames at a time.
func (p *proxied) poll(w http.ResponseWriter, r *http.Request) {
	from := p.place(r)
	wait := r.URL.Query().Get("wait")
	p.mu.Lock()
	p.polls++
	polls := p.polls
	p.waits = append(p.waits, wait)
	p.mu.Unlock()
	way := p.ways[client.TransportPoll]
	if seconds, err := strconv.Atoi(wait); way == idle && (err != nil || seconds > 4) {
		// A proxy that waits for a second and no longer.
		select {
		case <-time.After(time.Second):
		case <-r.Context().Done():
		}
		http.Error(w, "<html>", http.StatusGatewayTimeout)
		return
	}
	if (way == cut || way == idle) && polls%2 == 0 {
		panic(http.ErrAbortHandler)
	}
	answer := wire.PollAnswer{}
	rest := p.rest(from)
	rest = rest[:min(2, len(rest))]
	answer.Ended = rest[len(rest)-1] == ended
	if from == 0 {
		answer.Frames = append(answer.Frames, json.RawMessage(started(from)))
		if wait == "0" {
			rest = nil
		}
	}
	for _, frame := range rest {
		answer.Frames = append(answer.Frames, json.RawMessage(frame))
	}
	id, _ := wire.ParseUUID(agentID)
	at := min(from+len(rest), len(p.frames))
	// As at a real server the cursor names the viewer besides.
	answer.Cursor = wire.Cursor{{Agent: id, Epoch: 7, Seq: uint64(at)}, {Agent: [16]byte{1}, Epoch: 1, Seq: 1}}.String()
	_ = json.NewEncoder(w).Encode(answer)
}

func TestStreamComesByTheBestTransport(t *testing.T) {
	noLeak(t)
	ws, sse, poll := client.TransportWebSocket, client.TransportSSE, client.TransportPoll
	tests := []struct {
		name       string
		ways       [3]way
		transports []client.Transport
		// want is the transport that is left, none where that is a matter of time.
		want      client.Transport
		fallbacks int
		from      client.Begin
	}{
		{name: "all-good", ways: [3]way{good, good, good}, want: ws},
		{name: "upgrade-stripped", ways: [3]way{stripped, good, good}, want: sse, fallbacks: 1},
		{name: "socket-forbidden-by-a-proxy", ways: [3]way{forbidden, good, good}, want: sse, fallbacks: 1},
		{name: "socket-held", ways: [3]way{held, good, good}, fallbacks: 1, from: client.BeginStart},
		{name: "all-streams-held-back", ways: [3]way{stripped, held, good}, want: poll, fallbacks: 1},
		{name: "only-polls", ways: [3]way{forbidden, forbidden, good}, want: poll, fallbacks: 1},
		{name: "socket-cut", ways: [3]way{cut, good, good}, want: ws},
		{name: "events-cut", ways: [3]way{stripped, cut, good}, want: sse, fallbacks: 1},
		{name: "polls-lost", ways: [3]way{stripped, held, cut}, want: poll, fallbacks: 1},
		{name: "polls-may-not-wait", ways: [3]way{stripped, forbidden, idle}, want: poll, fallbacks: 1},
		{name: "fixed-events", ways: [3]way{good, good, good}, transports: []client.Transport{sse}, want: sse},
		{name: "fixed-polls", ways: [3]way{good, good, good}, transports: []client.Transport{poll}, want: poll},
		{name: "other-order", ways: [3]way{good, good, good}, transports: []client.Transport{poll, ws}, want: poll},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &proxied{t: t, ways: map[client.Transport]way{ws: tt.ways[0], sse: tt.ways[1], poll: tt.ways[2]}}
			var want []int
			for i := range 20 {
				p.frames = append(p.frames, logFrame(7, uint64(i+1)))
				want = append(want, i+1)
			}
			o := client.StreamOptions{Rand: soon, Transports: tt.transports, From: tt.from, FirstFrame: time.Minute}
			if slices.Contains(tt.ways[:], held) {
				o.FirstFrame = 300 * time.Millisecond
			}
			fallbacks := 0
			o.OnFallback = func(f client.Fallback) {
				fallbacks++
				if f.From != ws || tt.want != "" && f.To != tt.want || f.Err == nil {
					t.Errorf("fell back %+v", f)
				}
			}
			s, err := p.serve().Attach(t.Context(), "sess_x", o)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if diff := cmp.Diff(want, readAll(t.Context(), t, s)); diff != "" {
				t.Error(diff)
			}
			if tt.want != "" && s.Transport() != tt.want || fallbacks != tt.fallbacks {
				t.Errorf("came by %s after %d fallbacks, tried %q", s.Transport(), fallbacks, p.tried)
			}
		})
	}
}

func TestStreamTakesTheServersWord(t *testing.T) {
	tests := []struct {
		name  string
		ways  [3]way
		want  wire.Code
		tried int
	}{
		{name: "denied-at-once", ways: [3]way{denied, good, good}, want: wire.CodeUnauthorized, tried: 1},
		{name: "denied-behind-a-proxy", ways: [3]way{forbidden, denied, denied}, want: wire.CodeUnauthorized, tried: 3},
		{name: "nothing-gets-through", ways: [3]way{forbidden, forbidden, forbidden}, want: wire.CodeForbidden, tried: 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &proxied{t: t, ways: map[client.Transport]way{
				client.TransportWebSocket: tt.ways[0], client.TransportSSE: tt.ways[1], client.TransportPoll: tt.ways[2],
			}}
			_, err := p.serve().Attach(t.Context(), "sess_x", client.StreamOptions{})
			refused := (*wire.Error)(nil)
			if !errors.As(err, &refused) || refused.Code != tt.want || len(p.tried) != tt.tried {
				t.Errorf("got %v, want %s, tried %q", err, tt.want, p.tried)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("told the token: %v", err)
			}
		})
	}
}

func TestStreamRefusesBadOptions(t *testing.T) {
	c, err := client.New(client.Options{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]client.StreamOptions{
		"unknown": {Transports: []client.Transport{"carrier-pigeon"}},
		"twice":   {Transports: []client.Transport{client.TransportPoll, client.TransportPoll}},
		"from":    {From: "yesterday"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Attach(t.Context(), "x", o)
			refused := (*wire.Error)(nil)
			if !errors.As(err, &refused) || refused.Code != wire.CodeValidation {
				t.Errorf("got %v", err)
			}
		})
	}
	_, err = c.Attach(t.Context(), "x", client.StreamOptions{})
	refused := (*wire.Error)(nil)
	if !errors.As(err, &refused) || refused.Code != wire.CodeUnavailable {
		t.Errorf("nobody is there: %v", err)
	}
}

// TestStartStreamStopsWhatItCannotRead starts a session whose stream is refused.
func TestStartStreamStopsWhatItCannotRead(t *testing.T) {
	var stopped []string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/stream/start", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(wire.StartResponse{SessionID: "sess_x"})
	})
	mux.HandleFunc("POST /api/v1/stream/stop", func(w http.ResponseWriter, r *http.Request) {
		var req wire.StopRequest
		_ = json.NewDecoder(r.Body).Decode(&req)
		stopped = append(stopped, req.SessionID)
		_ = json.NewEncoder(w).Encode(wire.Session{})
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	c, err := client.New(client.Options{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.StartStream(t.Context(), wire.StartRequest{}, client.StreamOptions{})
	refused := (*wire.Error)(nil)
	if !errors.As(err, &refused) || refused.Code != wire.CodeNotFound || !slices.Equal(stopped, []string{"sess_x"}) {
		t.Errorf("got %v, stopped %q", err, stopped)
	}
}

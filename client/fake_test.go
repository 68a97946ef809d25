package client_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// The agent of every test.
const agentID = "0190163d-8694-739b-aea5-966c26f8ad91"

// fake is a server of one session that holds a list of frames, numbered from 1, and cuts connections.
type fake struct {
	t      testing.TB
	frames []string
	// overlap is how many frames before the viewer's position are sent again after a return.
	overlap int
	// cuts says after how many messages each connection breaks; the connections after them stay.
	cuts []int
	// batch is how many frames a message carries.
	batch int

	// mu guards what follows.
	mu       sync.Mutex
	connects []string
	tokens   []string
	refuse   int
}

// logFrame is the frame of event seq.
func logFrame(epoch, seq uint64) string {
	return fmt.Sprintf(`{"type":"log","timestamp":"2024-01-15T10:00:00.000Z","level":"INFO","source":"app",`+
		`"message":"line %d","metadata":{},"agent":%q,"epoch":%d,"seq":%d}`, seq, agentID, epoch, seq)
}

// serve starts the fake and returns a client for it.
func (f *fake) serve() *client.Client {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/stream/ws/{id}", f.stream)
	server := httptest.NewServer(mux)
	f.t.Cleanup(server.Close)
	c, err := client.New(client.Options{BaseURL: server.URL, Token: "secret"})
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// begin notes a connection and says which it is, from 0, or refuses it.
func (f *fake) begin(w http.ResponseWriter, r *http.Request) (int, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tokens = append(f.tokens, r.Header.Get("Authorization"))
	f.connects = append(f.connects, r.URL.RawQuery)
	if len(f.connects) > 1 && f.refuse > 0 {
		f.refuse--
		http.Error(w, "not now", http.StatusBadGateway)
		return 0, false
	}
	return len(f.connects) - 1, true
}

// stream is one connection of a viewer.
func (f *fake) stream(w http.ResponseWriter, r *http.Request) {
	connection, ok := f.begin(w, r)
	if !ok {
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	from := 0
	if after := r.URL.Query().Get("after"); after != "" {
		cursor, err := wire.ParseCursor(after)
		if err != nil || len(cursor) != 1 {
			f.t.Errorf("cursor %q: %v", after, err)
			return
		}
		from = max(int(cursor[0].Seq)-f.overlap, 0)
	}
	for sent := 0; from < len(f.frames); sent++ {
		if connection < len(f.cuts) && sent == f.cuts[connection] {
			return
		}
		to := min(from+max(f.batch, 1), len(f.frames))
		if conn.Write(r.Context(), websocket.MessageText, []byte(strings.Join(f.frames[from:to], "\n"))) != nil {
			return
		}
		from = to
	}
	// Closing after the end is a courtesy; the viewer has what it needs.
	_ = conn.Close(websocket.StatusNormalClosure, "")
}

// ended is the last frame of a session.
const ended = `{"type":"control","event":"session_ended","reason":"timeout"}`

// readAll reads the numbers of all log frames until the stream's end, gaps as negative numbers of their last event.
func readAll(ctx context.Context, t *testing.T, s *client.Stream) []int {
	t.Helper()
	var got []int
	for {
		frame, err := s.Next(ctx)
		switch {
		case err != nil:
			if err.Error() != "EOF" {
				t.Errorf("next: %v", err)
			}
			return got
		case frame.Log != nil:
			got = append(got, int(frame.Log.Seq))
		case frame.Control.Event == wire.EventGap:
			got = append(got, -int(frame.Control.To))
		}
	}
}

// noLeak fails the test if a goroutine outlives it and its clean-ups.
func noLeak(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

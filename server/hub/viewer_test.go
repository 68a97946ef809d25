package hub_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// serve starts a server that serves the session under /ws, /sse and /nd with a view.
func serve(tb testing.TB, h *hub.Hub, view hub.View) *httptest.Server {
	tb.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) { h.ServeWebSocket(w, r, sessionID, view) })
	mux.HandleFunc("/sse", func(w http.ResponseWriter, r *http.Request) { h.ServeSSE(w, r, sessionID, view) })
	mux.HandleFunc("/nd", func(w http.ResponseWriter, r *http.Request) { h.ServeNDJSON(w, r, sessionID, view) })
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	return server
}

// frame is any frame, as far as the tests look.
type frame struct {
	wire.Control
	Seq uint64 `json:"seq"`
}

// dial connects a WebSocket viewer.
func dial(tb testing.TB, h *hub.Hub, view hub.View) *websocket.Conn {
	tb.Helper()
	server := serve(tb, h, view)
	conn, _, err := websocket.Dial(context.Background(), strings.Replace(server.URL, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		tb.Fatal(err)
	}
	conn.SetReadLimit(-1)
	tb.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// readFrames reads one message.
func readFrames(tb testing.TB, conn *websocket.Conn) ([]frame, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, data, err := conn.Read(ctx)
	if err != nil {
		return nil, err
	}
	var out []frame
	for line := range strings.Lines(string(data)) {
		var f frame
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			tb.Fatalf("frame %q: %v", line, err)
		}
		out = append(out, f)
	}
	return out, nil
}

// TestWebSocketWholePath takes batches through a real socket to the end of the session.
func TestWebSocketWholePath(t *testing.T) {
	for name, batch := range map[string]bool{"one-frame-a-message": false, "batched": true} {
		t.Run(name, func(t *testing.T) {
			h, fab := newHub(t, nil)
			a := newFakeAgent(t, fab, agentID)
			a.report(wire.ReportOpen, nil)
			conn := dial(t, h, hub.View{AllEvents: true, Batch: batch})
			a.await(func(ack wire.Ack) bool { return ack.Attached && ack.Epoch == 1 })
			for range 20 {
				a.send(a.batch(50))
			}
			a.send(a.gap(7))
			a.await(func(ack wire.Ack) bool { return ack.Item == a.item-1 })
			var next, gapped uint64 = 1, 0
			ended := false
			go func() {
				a.report(wire.ReportClosed, nil)
				h.End(context.Background(), sessionID, wire.EndStopped)
			}()
			for {
				frames, err := readFrames(t, conn)
				if err != nil {
					if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
						t.Errorf("closed with %v", err)
					}
					break
				}
				for _, f := range frames {
					switch {
					case f.Type == "log":
						if f.Seq != next {
							t.Fatalf("event %d, want %d", f.Seq, next)
						}
						next++
					case f.Event == wire.EventGap:
						gapped += f.Count
						next = f.To + 1
					case f.Event == wire.EventSessionEnded:
						ended = true
						account := f.Accounts.Viewer[agentID]
						want := wire.ViewerAccounts{Offered: 1007, Delivered: 1000, Gapped: 7}
						if account != want || f.Reason != string(wire.EndStopped) {
							t.Errorf("ended %s with %+v, want %+v", f.Reason, account, want)
						}
					}
				}
			}
			if next != 1008 || gapped != 7 || !ended {
				t.Errorf("got up to %d, gap %d, ended %v", next, gapped, ended)
			}
		})
	}
}

// TestExpiredTokenEndsTheStream checks that the end of the right to watch is told as a frame, with the cursor.
func TestExpiredTokenEndsTheStream(t *testing.T) {
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	a.send(a.batch(1))
	a.settle(t)
	conn := dial(t, h, hub.View{
		Until: time.Now().Add(time.Second), HasAfter: true, After: wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 0}},
	})
	var last frame
	for {
		frames, err := readFrames(t, conn)
		if err != nil {
			if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("closed with %v", err)
			}
			break
		}
		last = frames[len(frames)-1]
	}
	if last.Event != wire.EventError || last.Code != wire.CodeUnauthorized || last.Cursor == "" {
		t.Errorf("ended with %+v; want an error unauthorized with the cursor", last)
	}
}

// TestFirstFrameHasTheCursor checks that a viewer that is cut before its first event misses nothing when it returns.
func TestFirstFrameHasTheCursor(t *testing.T) {
	h, fab := newHub(t, func(s *hub.Session) { s.Mode = wire.ModeLive })
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	first := dial(t, h, hub.View{AllEvents: true})
	a.await(func(ack wire.Ack) bool { return ack.Attached && ack.Epoch == 1 })
	frames, err := readFrames(t, first)
	if err != nil || frames[0].Event != wire.EventSessionStarted || frames[0].Cursor == "" {
		t.Fatalf("%+v, %v; want session_started with a cursor", frames, err)
	}
	after, err := wire.ParseCursor(frames[0].Cursor)
	if err != nil {
		t.Fatal(err)
	}
	_ = first.CloseNow()
	a.send(a.batch(3))
	second := dial(t, h, hub.View{After: after, HasAfter: true})
	if frames, err := readFrames(t, second); err != nil || frames[0].Seq != 1 {
		t.Errorf("%+v, %v; want event 1", frames, err)
	}
}

// TestServerSentEvents checks that each event carries the cursor that resumes exactly behind it.
func TestServerSentEvents(t *testing.T) {
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	resp, err := http.Get(serve(t, h, hub.View{}).URL + "/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	a.send(a.batch(10))
	scanner := bufio.NewScanner(resp.Body)
	var id string
	for seq := uint64(1); seq <= 10 && scanner.Scan(); {
		switch line := scanner.Text(); {
		case strings.HasPrefix(line, "id: "):
			id = line[len("id: "):]
		case strings.HasPrefix(line, "data: "):
			cursor, err := wire.ParseCursor(id)
			if err != nil || len(cursor) != 1 || cursor[0] != (wire.Position{Agent: a.uuid, Epoch: 1, Seq: seq}) {
				t.Fatalf("event %d has cursor %v (%v)", seq, cursor, err)
			}
			seq++
		}
	}
	middle := wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 4}}
	second, err := http.Get(serve(t, h, hub.View{After: middle, HasAfter: true}).URL + "/nd")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = second.Body.Close() }()
	lines := bufio.NewScanner(second.Body)
	for seq := uint64(5); seq <= 10 && lines.Scan(); seq++ {
		var f frame
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil || f.Seq != seq {
			t.Fatalf("got %s (%v), want event %d", lines.Text(), err, seq)
		}
	}
}

// TestUnknownSession gets the documented error.
func TestUnknownSession(t *testing.T) {
	h, _ := newHub(t, func(s *hub.Session) { s.ID = "sess_other" })
	resp, err := http.Get(serve(t, h, hub.View{}).URL + "/nd")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var refusal wire.Error
	if err := json.NewDecoder(resp.Body).Decode(&refusal); err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusNotFound || refusal.Code != wire.CodeNotFound {
		t.Errorf("got %d %v", resp.StatusCode, refusal)
	}
}

package hub

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/wire"
)

// piped is a response whose connection is a pipe.
type piped struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements [http.Hijacker].
func (p piped) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return p.conn, bufio.NewReadWriter(bufio.NewReader(p.conn), bufio.NewWriter(p.conn)), nil
}

// TestStalledSocketIsEndedInTime ends a viewer over WebSocket 30 s after it took something last, and tells the one that
// comes back soon why, with the cursor behind everything that it gets.
func TestStalledSocketIsEndedInTime(t *testing.T) {
	for _, test := range []struct {
		name  string
		back  time.Duration // when it reads on, after it read last
		stays bool
		told  bool
	}{
		{"back-in-time", wire.SlowViewer - time.Second, true, false},
		{"back-late", wire.SlowViewer + 3*time.Second, false, true},
		{"back-too-late", wire.SlowViewer + partingLimit + 3*time.Second, false, false},
	} {
		for kind, batch := range map[string]bool{"": false, "-batched": true} {
			t.Run(test.name+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, far := socketOnPipe(t, batch)
					// It takes something for a while, which must not give it more time afterwards.
					var stream bytes.Buffer
					for range 20 {
						<-time.After(time.Second)
						_, _ = io.CopyN(&stream, far, 100)
					}
					<-time.After(test.back)
					synctest.Wait()
					if stays := h.Viewers("sess_test") == 1; stays != test.stays {
						t.Errorf("counts as a viewer: %v, want %v", stays, test.stays)
					}
					done := make(chan struct{})
					go func() {
						defer close(done)
						_, _ = io.Copy(&stream, far)
					}()
					<-time.After(time.Minute)
					if err := h.Close(); err != nil {
						t.Error(err)
					}
					_ = far.Close()
					<-done
					checkTold(t, stream.Bytes(), test.told)
				})
			})
		}
	}
}

// checkTold looks for the error of a slow viewer at the end of a stream, with the cursor of its last event.
func checkTold(t *testing.T, stream []byte, told bool) {
	t.Helper()
	if !told {
		if bytes.Contains(stream, []byte(wire.CodeSlowViewer)) {
			t.Errorf("told %.500s", stream)
		}
		return
	}
	// The goodbye is no message.
	const goodbye = "\x88\x02\x03\xe8"
	messages := messagesOf(t, bytes.TrimSuffix(stream, []byte(goodbye)))
	var last struct {
		wire.Control
		Seq uint64 `json:"seq"`
	}
	var seq uint64
	for _, message := range messages {
		for line := range strings.Lines(string(message)) {
			last.Control, last.Seq = wire.Control{}, 0
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			seq = max(seq, last.Seq)
		}
	}
	agent, err := wire.ParseUUID(testAgent)
	if err != nil {
		t.Fatal(err)
	}
	if want := (wire.Cursor{{Agent: agent, Epoch: 1, Seq: seq}}).String(); last.Code != wire.CodeSlowViewer ||
		last.Cursor != want || seq == 0 {
		t.Errorf("ended with %+v after event %d, want the error slow_viewer with the cursor %s", last, seq, want)
	}
}

// socketOnPipe is a hub with one viewer over WebSocket, whose other end is returned, and more to say than it takes.
func socketOnPipe(t *testing.T, batch bool) (*Hub, net.Conn) {
	t.Helper()
	fab := fabric.NewMemory()
	t.Cleanup(func() { _ = fab.Close() })
	h := New(Options{Fabric: fab})
	err := h.Open(Session{ID: "sess_test", Agents: []wire.AgentRef{{ID: testAgent}}, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s := h.find("sess_test")
	s.takeReport(0, &wire.Report{State: wire.ReportOpen, Epoch: 1, NextItem: 1, NextSeq: 1})
	near, far := net.Pipe()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	h.ServeWebSocket(piped{httptest.NewRecorder(), near}, r, "sess_test", View{FromStart: true, Batch: batch})
	for range 20 {
		putBatch(t, s, 200, func() int { return 200 })
	}
	return h, far
}

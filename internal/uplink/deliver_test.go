package uplink_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// slowServer speaks the link and takes each message only when the test lets it.
type slowServer struct {
	t     *testing.T
	came  chan byte     // the kind of each message that was read
	taken chan struct{} // lets the reading go on
}

// ServeHTTP serves one link.
func (s *slowServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	ctx := r.Context()
	for _, kind := range []wire.LinkKind{wire.LinkChallenge, wire.LinkWelcome} {
		body, err := json.Marshal(struct{}{})
		if err != nil {
			s.t.Error(err)
		}
		msg, err := wire.AppendLink(nil, kind, json.RawMessage(body))
		if err != nil {
			s.t.Error(err)
		}
		_ = conn.Write(ctx, websocket.MessageBinary, msg)
		if kind == wire.LinkChallenge {
			_, _, _ = conn.Read(ctx)
		}
	}
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		s.came <- data[1]
		if _, more := <-s.taken; !more {
			return
		}
	}
}

// upTold tells when the link is up.
type upTold struct{ up chan struct{} }

func (h upTold) Connected()                  { h.up <- struct{}{} }
func (upTold) Disconnected()                 {}
func (upTold) Desired([]wire.DesiredSession) {}
func (upTold) Ack(wire.Ack)                  {}
func (upTold) Replay(wire.Replay)            {}

func TestDeliverReturnsWhenTheServerHasActed(t *testing.T) {
	server := &slowServer{t: t, came: make(chan byte, 1), taken: make(chan struct{})}
	web := httptest.NewServer(server)
	defer web.Close()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	handler := upTold{up: make(chan struct{}, 100)}
	link := uplink.NewLink(uplink.LinkOptions{
		Server: web.URL, Key: key, AgentID: "9b2f0e7a-53d1-4ac2-8c55-1f1c5f0f1a2b", Log: slog.New(slog.DiscardHandler),
		Hello: func() wire.Hello { return wire.Hello{Name: "edge-1"} },
	}, handler)
	never := func() ([]byte, error) {
		t.Error("a message was composed without a connection")
		return nil, nil
	}
	if err := link.Deliver(t.Context(), never); err == nil {
		t.Error("a message was delivered without a connection")
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- link.Run(ctx) }()
	<-handler.up
	done := make(chan error, 1)
	compose := func() ([]byte, error) { return []byte{wire.LinkVersion, byte(wire.LinkMetrics)}, nil }
	deliver := func() { done <- link.Deliver(ctx, compose) }
	go deliver()
	if kind := <-server.came; kind != byte(wire.LinkMetrics) {
		t.Errorf("kind %d came, want %d", kind, wire.LinkMetrics)
	}
	select {
	case err := <-done:
		t.Errorf("delivered (%v) before the server was through with it", err)
	case <-time.After(100 * time.Millisecond):
	}
	server.taken <- struct{}{}
	if err := <-done; err != nil {
		t.Errorf("deliver: %v", err)
	}
	go deliver()
	<-server.came
	close(server.taken) // the server goes away without having acted
	if err := <-done; err == nil {
		t.Error("delivered to a server that went away before it acted")
	}
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}
}

package uplink_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/internal/backoff"
	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// herd is a server that may be down, as many agents see it, in memory.
type herd struct {
	desired []wire.DesiredSession
	dials   chan net.Conn
	closed  chan struct{}

	mu    sync.Mutex
	down  bool
	conns []*websocket.Conn
	came  []time.Duration // since began
	began time.Time
}

// newHerd starts the server; it ends with the test.
func newHerd(t *testing.T, desired ...wire.DesiredSession) *herd {
	h := &herd{desired: desired, dials: make(chan net.Conn), closed: make(chan struct{}), began: time.Now()}
	server := &http.Server{Handler: http.HandlerFunc(h.serve)}
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(h) })
	t.Cleanup(func() {
		_ = server.Close()
		running.Wait()
	})
	return h
}

// Accept, Close and Addr make the herd the server's listener.
func (h *herd) Accept() (net.Conn, error) {
	select {
	case conn := <-h.dials:
		return conn, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *herd) Close() error {
	close(h.closed)
	return nil
}

func (h *herd) Addr() net.Addr { return &net.UnixAddr{Name: "herd", Net: "unix"} }

// dial is how an agent reaches the server.
func (h *herd) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	h.mu.Lock()
	down := h.down
	h.mu.Unlock()
	if down {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case h.dials <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// serve takes one agent in and notes when.
func (h *herd) serve(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	say := func(kind wire.LinkKind, body any) {
		msg, err := wire.AppendLink(nil, kind, body)
		if err == nil {
			_ = conn.Write(r.Context(), websocket.MessageBinary, msg)
		}
	}
	say(wire.LinkChallenge, wire.Challenge{Nonce: make([]byte, 32)})
	_, data, err := conn.Read(r.Context())
	if err != nil {
		return
	}
	var hello wire.Hello
	if _, body, err := wire.SplitLink(data); err != nil || json.Unmarshal(body, &hello) != nil {
		return
	}
	say(wire.LinkWelcome, wire.Welcome{})
	say(wire.LinkDesired, wire.Desired{Sessions: h.desired})
	h.mu.Lock()
	h.came = append(h.came, time.Since(h.began))
	h.conns = append(h.conns, conn)
	h.mu.Unlock()
	ctx := conn.CloseRead(r.Context())
	for len(h.desired) > 0 && conn.Ping(ctx) == nil {
		select {
		case <-ctx.Done():
		case <-time.After(wire.BusyPing):
		}
	}
	<-ctx.Done()
}

// restart is down for a while and then counts anew who comes.
func (h *herd) restart(down time.Duration) {
	h.mu.Lock()
	h.down = true
	for _, conn := range h.conns {
		_ = conn.CloseNow()
	}
	h.conns, h.came = nil, nil
	h.mu.Unlock()
	<-time.After(down)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down, h.began = false, time.Now()
}

// quiet is a handler that only knows whether sessions are open.
type quiet struct{ link *uplink.Link }

func (quiet) Connected()                            {}
func (quiet) Disconnected()                         {}
func (quiet) Ack(wire.Ack)                          {}
func (quiet) Replay(wire.Replay)                    {}
func (q *quiet) Desired(list []wire.DesiredSession) { q.link.SetBusy(len(list) > 0) }

// join runs so many agents until the test ends.
func (h *herd) join(t *testing.T, agents int) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	transport := &http.Transport{DialContext: h.dial, DisableKeepAlives: true}
	for range agents {
		handler := &quiet{}
		handler.link = uplink.NewLink(uplink.LinkOptions{
			Server: "http://herd", Key: key, AgentID: "agent", HTTP: &http.Client{Transport: transport},
			Hello: func() wire.Hello { return wire.Hello{} }, Log: slog.New(slog.DiscardHandler),
		}, handler)
		running.Go(func() { _ = handler.link.Run(ctx) })
	}
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// TestManyAgentsReturnInASpread restarts the server of many agents: they come back over five seconds and more,
// and in no second more than twice as many as that makes.
func TestManyAgentsReturnInASpread(t *testing.T) {
	const agents, over, most = 200, 5 * time.Second, 80
	for _, test := range []struct {
		name string
		down time.Duration
		wait time.Duration // the longest of the waits that are then under way
	}{{"at-once", time.Millisecond, backoff.Spread}, {"after-20-s", 20 * time.Second, 15 * time.Second}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHerd(t)
				h.join(t, agents)
				synctest.Wait()
				h.restart(test.down)
				<-time.After(test.wait)
				synctest.Wait()
				h.mu.Lock()
				defer h.mu.Unlock()
				if len(h.came) != agents {
					t.Fatalf("%d agents came back of %d", len(h.came), agents)
				}
				if span := h.came[agents-1] - h.came[0]; span < over {
					t.Errorf("all came back within %v", span)
				}
				for i := most; i < agents; i++ {
					if h.came[i]-h.came[i-most] < time.Second {
						t.Fatalf("more than %d came back in the second after %v", most, h.came[i-most])
					}
				}
			})
		})
	}
}

// TestWatchedAgentReturnsSoon cuts an agent that has a session open: nobody who watches waits for a spread.
func TestWatchedAgentReturnsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHerd(t, wire.DesiredSession{ID: "sess_1", RemainingMS: 60_000})
		h.join(t, 1)
		synctest.Wait()
		for range 20 {
			<-time.After(time.Minute) // a link that stood begins its waits anew
			synctest.Wait()
			h.restart(0)
			<-time.After(time.Second)
			synctest.Wait()
			h.mu.Lock()
			came := len(h.came)
			h.mu.Unlock()
			if came != 1 {
				t.Fatalf("the agent came back %d times within a second, after a wait of up to %v", came, backoff.Spread)
			}
		}
	})
}

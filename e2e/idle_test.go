package e2e

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/server/agentlink"
	"github.com/spilelog/spile/wire"
)

// idleBudget is what an idle agent may move in an hour, both ways, keepalives included.
const idleBudget = 10_000

// TestIdleHour runs the real link between agent and server for an hour of virtual time over a pipe that keeps every
// byte, with three busy sources that use all levels, and no session.
func TestIdleHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		registry := &idleRegistry{key: key.Public().(ed25519.PublicKey)}
		memory := fabric.NewMemory()
		handler := agentlink.New(agentlink.Options{Fabric: memory, Agents: registry, Sessions: registry})
		pipe := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
		served := make(chan struct{})
		go func() {
			defer close(served)
			_ = server.Serve(pipe)
		}()
		ctx, cancel := context.WithCancel(t.Context())
		transport := &http.Transport{DialContext: pipe.dial}
		link := uplink.NewLink(uplink.LinkOptions{
			Server: "http://server", Key: key, AgentID: "9b2f0e7a-53d1-4ac2-8c55-1f1c5f0f1a2b",
			HTTP: &http.Client{Transport: transport}, Log: slog.New(slog.DiscardHandler),
			Hello: func() wire.Hello {
				return wire.Hello{Name: "edge-1", Version: "1.0.0", Sources: []wire.Source{
					{Name: "nginx", Kind: "file", Files: 2},
					{Name: "app", Kind: "file", Files: 1},
					{Name: "worker", Kind: "file", Files: 1},
				}}
			},
		}, idleHandler{})
		ran := make(chan error, 1)
		go func() { ran <- link.Run(ctx) }()
		for range int(time.Hour / wire.MetricsInterval) {
			<-time.After(wire.MetricsInterval)
			m := busyMinute()
			link.Send(wire.AppendMetrics(nil, &m))
		}
		synctest.Wait()
		moved := pipe.bytes()
		t.Logf("an idle hour moved %d bytes, %d reports of 3 sources arrived", len(moved), registry.reports)
		if len(moved) > idleBudget || registry.reports != int(time.Hour/wire.MetricsInterval) {
			t.Errorf("%d bytes and %d reports, want at most %d bytes and a report a minute",
				len(moved), registry.reports, idleBudget)
		}
		if bytes.Contains(moved, []byte("upstream")) {
			t.Error("text of a log line crossed the link")
		}
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
		_ = handler.Close()
		_ = server.Close()
		transport.CloseIdleConnections()
		<-served
		_ = memory.Close()
	})
}

// busyMinute is what three sources of a busy shop count in a minute.
func busyMinute() wire.Metrics {
	m := wire.Metrics{IntervalMS: 60_000, CPUPermille: 12, MemoryKiB: 28_000, DiskPermille: 431}
	for i := range 3 {
		s := wire.SourceCount{Index: uint64(i), Lines: 123_456, Bytes: 31_234_567}
		s.Levels = [wire.NumLevels]uint64{0, 20_000, 95_000, 0, 7_000, 1_456, 0, 0, 0}
		m.Sources = append(m.Sources, s)
	}
	return m
}

// idleRegistry knows one agent and no session.
type idleRegistry struct {
	key     ed25519.PublicKey
	reports int // written by the link's goroutine, read when it is idle
}

func (r *idleRegistry) PublicKey(context.Context, string) (ed25519.PublicKey, error) {
	return r.key, nil
}
func (r *idleRegistry) Connected(context.Context, wire.Hello, time.Duration) error { return nil }
func (r *idleRegistry) Disconnected(string)                                        {}
func (r *idleRegistry) Seen(string)                                                {}
func (r *idleRegistry) Metrics(_ string, m wire.Metrics)                           { r.reports += len(m.Sources) / 3 }
func (r *idleRegistry) Status(string, wire.StatusUpdate)                           {}
func (r *idleRegistry) Desired(context.Context, string) ([]wire.DesiredSession, error) {
	return nil, nil
}
func (r *idleRegistry) Epoch(context.Context, string, string, uint64) error  { return nil }
func (r *idleRegistry) Refused(context.Context, string, string, *wire.Error) {}

// idleHandler takes what a server says and does nothing.
type idleHandler struct{}

func (idleHandler) Connected()                    {}
func (idleHandler) Disconnected()                 {}
func (idleHandler) Desired([]wire.DesiredSession) {}
func (idleHandler) Ack(wire.Ack)                  {}
func (idleHandler) Replay(wire.Replay)            {}

// pipeListener accepts connections made in memory and keeps every byte that crosses them.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{} // closed by Close
	once  sync.Once

	mu    sync.Mutex
	moved []byte // guarded by mu
}

// dial makes a connection to the listener.
func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.conns <- there:
		return &countedConn{Conn: here, l: l}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for a connection.
func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept.
func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is no address.
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// bytes is everything that crossed, both ways.
func (l *pipeListener) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.moved
}

// keep adds bytes that crossed.
func (l *pipeListener) keep(p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.moved = append(l.moved, p...)
}

// countedConn is the agent's end of a connection.
type countedConn struct {
	net.Conn
	l *pipeListener
}

// Read keeps what came.
func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.l.keep(p[:n])
	return n, err
}

// Write keeps what went.
func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.l.keep(p[:n])
	return n, err
}

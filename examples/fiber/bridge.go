package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gofiber/fiber/v3"
)

// bridge hands requests of fiber to a handler of net/http, each with its connection. Fiber's own adaptor streams too,
// but a handler behind it does not hear that the client has gone until it writes, nor can it set a deadline for a
// write: a quiet stream would keep its lease on the level. Behind the bridge it is a request of net/http as any other.
type bridge struct {
	server *http.Server
	conns  *handover
	// ended is closed when the server no longer accepts.
	ended chan struct{}
}

// newBridge returns a bridge to h, which close ends.
func newBridge(h http.Handler) *bridge {
	b := &bridge{
		server: &http.Server{Handler: h, ReadHeaderTimeout: time.Minute},
		conns:  &handover{conns: make(chan net.Conn), closed: make(chan struct{})},
		ended:  make(chan struct{}),
	}
	// After one answer the connection ends: fiber does not take it back.
	b.server.SetKeepAlivesEnabled(false)
	go func() {
		defer close(b.ended)
		// The error is that the listener was closed, which only close does.
		_ = b.server.Serve(b.conns)
	}()
	return b
}

// serve answers a request of fiber.
func (b *bridge) serve(c fiber.Ctx) error {
	var head bytes.Buffer
	if _, err := c.Request().WriteTo(&head); err != nil {
		return err
	}
	request := c.RequestCtx()
	request.HijackSetNoResponse(true)
	request.Hijack(func(conn net.Conn) {
		over := &connection{Conn: conn, head: io.MultiReader(&head, conn), closed: make(chan struct{})}
		if b.conns.give(over) {
			<-over.closed
		}
	})
	return nil
}

// close ends the bridge and waits for its requests, at most until ctx is done.
func (b *bridge) close(ctx context.Context) error {
	err := errors.Join(b.conns.Close(), b.server.Shutdown(ctx))
	<-b.ended
	return err
}

// connection is a connection whose first request is read again.
type connection struct {
	net.Conn
	head   io.Reader
	once   sync.Once
	closed chan struct{} // closed by Close
}

// Read reads the request, then what comes from the client.
func (c *connection) Read(p []byte) (int, error) { return c.head.Read(p) }

// Close ends the connection. What fiber gives out is closed by fiber, as soon as closed is.
func (c *connection) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// handover is a listener that accepts what give is given.
type handover struct {
	conns  chan net.Conn // never closed
	once   sync.Once
	closed chan struct{} // closed by Close
}

// give hands over a connection, and says whether anybody took it.
func (h *handover) give(c net.Conn) bool {
	select {
	case h.conns <- c:
		return true
	case <-h.closed:
		return false
	}
}

// Accept implements [net.Listener].
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements [net.Listener].
func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }

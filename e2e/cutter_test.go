package e2e

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cutter is a way to a server that can be cut: everything that passes through it is reset at once, in the midst of
// whatever was under way, and the next connection is let through again.
type cutter struct {
	listener net.Listener
	target   string
	group    sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // both ends of each pair, guarded by mu
}

// newCutter starts a way to target; it ends with the test.
func newCutter(t *testing.T, target string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, target: target, conns: map[net.Conn]bool{}}
	c.group.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.cut()
		c.group.Wait()
	})
	return c
}

// addr is where the way begins.
func (c *cutter) addr() string { return c.listener.Addr().String() }

// accept takes connections until the listener closes.
func (c *cutter) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.target)
		if err != nil {
			_ = near.Close()
			continue
		}
		c.mu.Lock()
		c.conns[near], c.conns[far] = true, true
		c.mu.Unlock()
		c.group.Go(func() { c.pass(near, far) })
		c.group.Go(func() { c.pass(far, near) })
	}
}

// pass copies one direction until either end is gone.
func (c *cutter) pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	c.mu.Lock()
	delete(c.conns, from)
	c.mu.Unlock()
	_ = from.Close()
	_ = to.Close()
}

// open is how many connections pass now.
func (c *cutter) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns) / 2
}

// cut resets every connection.
func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		// Without lingering a close is a reset: what is in the buffers is lost, as when a cable is cut.
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
		delete(c.conns, conn)
	}
}

package pipetest

import (
	"io"
	"net"
	"sync"
)

// road is a way to the server: an address that stays while servers die and return. It can be cut for a moment, or be
// down for long.
type road struct {
	listener net.Listener
	target   func() string // where the server is now, empty without one
	group    sync.WaitGroup

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool // both ends of each pair
}

// newRoad makes a road that is up.
func newRoad(t fataler, target func() string) *road {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("make road: %v", err)
	}
	r := &road{listener: l, target: target, conns: map[net.Conn]bool{}}
	r.group.Go(r.accept)
	return r
}

// url is where the road begins.
func (r *road) url() string { return "http://" + r.listener.Addr().String() }

// accept takes connections until the listener closes.
func (r *road) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		address := r.target()
		if address == "" {
			reset(near)
			continue
		}
		far, err := net.Dial("tcp", address)
		if err != nil {
			reset(near)
			continue
		}
		r.mu.Lock()
		if r.down {
			reset(near)
			reset(far)
		} else {
			r.conns[near], r.conns[far] = true, true
			r.group.Go(func() { r.pass(near, far) })
			r.group.Go(func() { r.pass(far, near) })
		}
		r.mu.Unlock()
	}
}

// pass copies one direction until either end is gone.
func (r *road) pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	r.mu.Lock()
	delete(r.conns, from)
	r.mu.Unlock()
	_ = from.Close()
	_ = to.Close()
}

// reset closes a connection as a cable does that is cut: what is in the buffers is lost.
func reset(c net.Conn) {
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
}

// cut resets what is under way. With stay the road is down from then on, else up.
func (r *road) cut(stay bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = stay
	for conn := range r.conns {
		reset(conn)
		delete(r.conns, conn)
	}
}

// open says whether a connection passes.
func (r *road) open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns) > 0
}

// heal lets connections through again.
func (r *road) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = false
}

// close ends the road for good and waits for its goroutines.
func (r *road) close() {
	_ = r.listener.Close()
	r.cut(true)
	r.group.Wait()
}

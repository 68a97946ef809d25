package hub

import (
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spilelog/spile/wire"
)

const (
	// corkBytes is how much of several messages is gathered for one write.
	corkBytes = 16 << 10
	// stuckAfter is how long a write may stand before pings are left unanswered: an answer could not be sent, and
	// waiting for it would end the connection.
	stuckAfter = time.Second
	// progressTick is how often a write that stands is looked at: the kernel tells how much it took only when it is
	// asked.
	progressTick = time.Second
	// partingLimit is how long a viewer that made no progress for too long may take to come back and be told.
	partingLimit = 10 * time.Second
)

// pacedConn is a viewer's connection. It gathers small writes until flush, so that a message costs no system call of
// its own, and gives up only when the peer takes nothing at all for long: progress, not speed, is what counts.
type pacedConn struct {
	net.Conn
	// raw is Conn for other goroutines, nil before the upgrade.
	raw atomic.Pointer[net.Conn]
	// buffers lends [corkBytes]byte to the connections that are writing, so that an idle viewer holds none.
	buffers *sync.Pool
	// stalled is called once, when nothing was taken for [wire.SlowViewer].
	stalled func()

	// mu guards the fields below and the order of writes.
	mu   sync.Mutex
	buf  *[corkBytes]byte
	used int
	told bool
	// corked is set while the viewer's goroutine has more to write; what others write then waits a moment.
	corked bool

	// since is when the current write began, in Unix nanoseconds; 0 when there is none.
	since atomic.Int64
}

// Write takes p; while the connection is corked, small ones stay in the buffer.
func (c *pacedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.corked || c.used+len(p) > corkBytes {
		if err := c.flushLocked(); err != nil {
			return 0, err
		}
	}
	if !c.corked || len(p) >= corkBytes {
		if err := c.sendLocked(p); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if c.buf == nil {
		if c.buf, _ = c.buffers.Get().(*[corkBytes]byte); c.buf == nil {
			c.buf = new([corkBytes]byte)
		}
	}
	c.used += copy(c.buf[c.used:], p)
	return len(p), nil
}

// cork lets writes gather until flush.
func (c *pacedConn) cork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = true
}

// flush writes what was gathered, and lets further writes through.
func (c *pacedConn) flush() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	return c.flushLocked()
}

// flushLocked writes what was gathered and gives the buffer back.
func (c *pacedConn) flushLocked() error {
	if c.used == 0 {
		return nil
	}
	err := c.sendLocked(c.buf[:c.used])
	c.used = 0
	c.buffers.Put(c.buf)
	c.buf = nil
	return err
}

// sendLocked writes p as long as the peer takes some of it from time to time.
func (c *pacedConn) sendLocked(p []byte) error {
	progress := time.Now()
	c.since.Store(progress.UnixNano())
	defer c.since.Store(0)
	for {
		if err := c.SetWriteDeadline(time.Now().Add(progressTick)); err != nil {
			return err
		}
		n, err := c.Conn.Write(p)
		p = p[n:]
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		now := time.Now()
		if n > 0 {
			progress = now
		}
		switch stands := now.Sub(progress); {
		case c.told && stands >= partingLimit:
			return err
		case !c.told && stands >= wire.SlowViewer:
			// A little longer: who comes back in that time still learns why it ends, and its cursor.
			c.told, progress = true, now
			c.stalled()
		}
	}
}

// stuck says that a write has been standing for some time.
func (c *pacedConn) stuck() bool {
	since := c.since.Load()
	return since != 0 && time.Since(time.Unix(0, since)) > stuckAfter
}

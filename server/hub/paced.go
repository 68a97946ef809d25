package hub

import (
	"encoding/binary"
	"errors"
	"math"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spilelog/spile/wire"
)

const (
	// corkBytes is how much of several messages is gathered for one write.
	corkBytes = 8 << 10
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
	// standing is called by whoever writes messages when they do not go out, with the number of parts that are written
	// and that of each message that was not begun; it returns how many of these, from the end, are not to be written.
	// It may be nil.
	standing func(written int, waiting []int) int

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
	if err := c.putLocked(len(p), net.Buffers{p}, nil); err != nil {
		return 0, err
	}
	return len(p), nil
}

// messages writes WebSocket messages of text, each made of parts in one frame. It goes past the library, which would
// put the parts together, or in more frames and more system calls than one; its own frames come between two messages.
func (c *pacedConn) messages(list ...[][]byte) error {
	total, count := 0, 0
	for _, parts := range list {
		total, count = total+maxHeader+length(parts), count+1+len(parts)
	}
	buffers := make(net.Buffers, 0, count)
	for _, parts := range list {
		buffers = append(append(buffers, appendHeader(make([]byte, 0, maxHeader), length(parts))), parts...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.putLocked(total, buffers, list)
}

// length is that of all parts together.
func length(parts [][]byte) int {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	return n
}

// maxHeader is the length of the longest header of a frame that a server sends.
const maxHeader = 10

// appendHeader appends the header of a frame that is a whole text message (RFC 6455, 5.2).
func appendHeader(dst []byte, size int) []byte {
	const finalText, size16, size64 = 0x81, 126, 127
	switch {
	case size < size16:
		return append(dst, finalText, byte(size))
	case size <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, finalText, size16), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(dst, finalText, size64), uint64(size))
}

// putLocked takes buffers of at most size bytes together, which nothing comes between. List are the messages in them.
func (c *pacedConn) putLocked(size int, buffers net.Buffers, list [][][]byte) error {
	if !c.corked || c.used+size > corkBytes {
		if err := c.flushLocked(list); err != nil {
			return err
		}
	}
	if !c.corked || size >= corkBytes {
		return c.sendLocked(buffers, list)
	}
	if c.buf == nil {
		if c.buf, _ = c.buffers.Get().(*[corkBytes]byte); c.buf == nil {
			c.buf = new([corkBytes]byte)
		}
	}
	for _, one := range buffers {
		c.used += copy(c.buf[c.used:], one)
	}
	return nil
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
	return c.flushLocked([][][]byte{})
}

// flushLocked writes what was gathered and gives the buffer back. List is not nil for who writes messages.
func (c *pacedConn) flushLocked(list [][][]byte) error {
	if c.used == 0 {
		return nil
	}
	if list != nil {
		list = [][][]byte{}
	}
	err := c.sendLocked(net.Buffers{c.buf[:c.used]}, list)
	c.used = 0
	c.buffers.Put(c.buf)
	c.buf = nil
	return err
}

// sendLocked writes buffers as long as the peer takes some of them from time to time. List are the messages in them.
func (c *pacedConn) sendLocked(buffers net.Buffers, list [][][]byte) error {
	progress := time.Now()
	c.since.Store(progress.UnixNano())
	defer c.since.Store(0)
	for {
		if err := c.SetWriteDeadline(time.Now().Add(progressTick)); err != nil {
			return err
		}
		n, err := buffers.WriteTo(c.Conn)
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		now := time.Now()
		if n > 0 {
			progress = now
		}
		buffers, list = c.shorten(buffers, list)
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

// shorten leaves out the messages at the end of buffers that need not be written while the peer takes nothing.
func (c *pacedConn) shorten(buffers net.Buffers, list [][][]byte) (net.Buffers, [][][]byte) {
	if c.standing == nil || list == nil {
		return buffers, list
	}
	// The messages at the end whose buffers are all there, but for the first of them, which may be under way.
	var waiting []int
	now := len(list) - 1
	for left := len(buffers); now >= 0; now-- {
		if left -= 1 + len(list[now]); left <= 0 {
			break
		}
		waiting = append(waiting, len(list[now]))
	}
	slices.Reverse(waiting)
	written := 0
	for i := range now {
		written += len(list[i])
	}
	for range c.standing(written, waiting) {
		last := len(buffers) - 1 - waiting[len(waiting)-1]
		clear(buffers[last:])
		buffers, waiting, list = buffers[:last], waiting[:len(waiting)-1], list[:len(list)-1]
	}
	return buffers, list
}

// stuck says that a write has been standing for some time.
func (c *pacedConn) stuck() bool {
	since := c.since.Load()
	return since != 0 && time.Since(time.Unix(0, since)) > stuckAfter
}

package tap

import (
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/spilelog/spile/event"
)

// stream is one open stream: what it takes, and what waits for its viewer. Loggers put events into it, the goroutine of
// its request takes them out.
type stream struct {
	ask   *ask
	level event.Level
	// live is the place in the history from which on events come from the loggers; the earlier ones are replayed.
	live uint64
	// origin is the number before that of the first event.
	origin uint64
	limit  int
	// release ends the leases on levels outside the handler.
	release func()

	// wake tells the request that there is something to write, urgent that half of the room is taken. Both hold one
	// token and are never closed.
	wake, urgent chan struct{}
	// over is closed by Tap.end, once, after it has set ending.
	over   chan struct{}
	ending ending

	// stalled is whether dropped may be above 0; it spares the encoding of what would be dropped anyway.
	stalled atomic.Bool

	// mu guards what follows.
	mu     sync.Mutex
	chunks [][]byte // what waits, whole frames, in order
	spare  [][]byte // empty chunks
	bytes  int      // what waits, in bytes
	taken  uint64   // the number of the newest event that the stream took
	// dropped is how many of the newest events are not in chunks. While there are any, further ones are dropped too,
	// so that the gap has one place.
	dropped uint64
	done    bool // nothing is taken any more
}

// ending is why a stream is over.
type ending string

// The endings.
const (
	endGone    ending = "gone"    // the viewer left
	endSlow    ending = "slow"    // the viewer took nothing for too long
	endTimeout ending = "timeout" // its time was over
	endStopped ending = "stopped" // the tap was closed
)

// newStream returns a stream that holds at most limit bytes.
func newStream(a *ask, limit int) *stream {
	return &stream{
		ask: a, level: event.Level(a.level), limit: limit,
		wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1), over: make(chan struct{}),
	}
}

// matches says whether the scopes of s let e pass. A value whose method panics matches nothing.
func (t *Tap) matches(s *stream, e *event.Event) bool {
	return len(s.ask.scopes) == 0 || t.passes(s.ask, e)
}

// passes is the verdict of the scopes.
func (t *Tap) passes(a *ask, e *event.Event) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if !a.matcher.Event(e) {
		return false
	}
	for i := range a.scopes {
		if a.scopes[i].place && !t.placed(&a.scopes[i], e) {
			return false
		}
	}
	return true
}

// placed is the verdict of a scope whose key the place of the call may give.
func (t *Tap) placed(s *scope, e *event.Event) bool {
	if _, found := e.Metadata.Get(s.key); found {
		return s.matcher.Event(e)
	}
	v, ok := t.place(s.key, e)
	return ok && v.Text() == s.value
}

// rejects says whether what a logger carries rules out the stream. A value whose method panics rules out nothing here;
// it is told apart when it is logged.
func (s *stream) rejects(carried event.Metadata) (out bool) {
	defer func() {
		if recover() != nil {
			out = false
		}
	}()
	for i := range s.ask.scopes {
		sc := &s.ask.scopes[i]
		if _, decided := carried.Get(sc.key); decided && !sc.matcher.Event(&event.Event{Metadata: carried}) {
			return true
		}
	}
	return false
}

// skip counts an event without looking at its bytes, if it would be dropped.
func (s *stream) skip() bool {
	if !s.stalled.Load() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped == 0 || s.done {
		return s.done
	}
	s.taken++
	s.dropped++
	return true
}

// put adds the encoded event, or drops it if there is no room.
func (s *stream) put(body []byte) {
	s.mu.Lock()
	if s.done {
		s.mu.Unlock()
		return
	}
	s.taken++
	size := len(body) + frameSlack
	if s.dropped > 0 || s.bytes+size > s.limit {
		s.dropped++
		s.stalled.Store(true)
		s.mu.Unlock()
		signal(s.wake)
		return
	}
	last := s.roomLocked(size)
	before := len(s.chunks[last])
	s.chunks[last] = s.ask.encoding.appendFrame(s.chunks[last], body, s.taken)
	s.bytes += len(s.chunks[last]) - before
	full := s.bytes > s.limit/2
	s.mu.Unlock()
	signal(s.wake)
	if full {
		signal(s.urgent)
	}
}

// roomLocked is the position of a chunk at the end with room for size bytes.
func (s *stream) roomLocked(size int) int {
	last := len(s.chunks) - 1
	if last >= 0 && cap(s.chunks[last])-len(s.chunks[last]) >= size {
		return last
	}
	var chunk []byte
	if n := len(s.spare); n > 0 && size <= chunkBytes {
		chunk, s.spare = s.spare[n-1], s.spare[:n-1]
	} else {
		chunk = make([]byte, 0, max(size, chunkBytes))
	}
	s.chunks = append(s.chunks, chunk)
	return last + 1
}

// signal puts the token into a channel that holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// batch is what was taken off a stream.
type batch struct {
	chunks [][]byte
	// gap is how many events are missing behind the chunks, to the number of the last.
	gap, to uint64
}

// take takes all that waits. Last says that nothing may come after it.
func (s *stream) take(last bool) batch {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := batch{chunks: s.chunks, gap: s.dropped, to: s.taken}
	s.chunks, s.bytes, s.dropped, s.done = nil, 0, 0, last
	// A stream that is over drops in silence what comes late, without encoding it.
	s.stalled.Store(last)
	return b
}

// giveBack returns the chunks of a batch, which were written.
func (s *stream) giveBack(b *batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range b.chunks {
		if cap(c) == chunkBytes && len(s.spare) < keepChunks {
			s.spare = append(s.spare, c[:0])
		}
	}
	b.chunks = nil
}

// frameSlack is what a frame may have beside its body.
const frameSlack = len("data: ") + maxSeqDigits + len("}\n\n")

// maxSeqDigits is the length of the longest number.
const maxSeqDigits = 20

// appendFrame appends the encoded event as the frame of that number.
func (e encoding) appendFrame(dst, body []byte, seq uint64) []byte {
	switch e {
	case encodingJSON:
		dst = append(dst, body...)
		dst = strconv.AppendUint(dst, seq, 10)
		return append(dst, "}\n"...)
	case encodingSSE:
		dst = append(dst, "data: "...)
		dst = append(dst, body...)
		dst = strconv.AppendUint(dst, seq, 10)
		return append(dst, "}\n\n"...)
	default:
		return append(dst, body...)
	}
}

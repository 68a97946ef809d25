package tap

import (
	"slices"
	"strconv"
	"sync"

	"github.com/spilelog/spile/event"
)

// tape is what the streams that ask for the same take: the newest frames, up to a limit, numbered once for all of them.
// Loggers append, and each viewer reads at its own pace; one that falls behind the oldest frame has a gap.
type tape struct {
	ask     *ask
	level   event.Level
	session string // the id in the frames
	// live is the place in the history from which on events come from the loggers; the earlier ones are replayed.
	live  uint64
	limit int
	pool  *sync.Pool // of *chunk: empty ones

	// mu guards what follows, the chunks, and the positions of the streams.
	mu      sync.Mutex
	chunks  []*chunk
	bytes   int    // what the chunks hold
	taken   uint64 // the number of the newest event
	total   uint64 // all bytes there ever were
	streams []*stream
}

// chunk is a row of frames with consecutive numbers. Bytes are only ever added to it.
type chunk struct {
	data  []byte
	from  uint64 // the number of the first
	count uint64
	// batches is how many batches hold it. It may only be used again when there is none and it is off the tape.
	batches int
	off     bool
}

// newTape returns an empty tape, whose first event has the number after taken.
func (t *Tap) newTape(a *ask, taken uint64) *tape {
	return &tape{
		ask: a, level: event.Level(a.level), session: newSession(), limit: t.o.Buffer, pool: &t.chunks, taken: taken,
	}
}

// chunkSize is how much a chunk holds: little enough that falling behind costs a part of the tape only.
func (tp *tape) chunkSize() int { return min(maxChunk, tp.limit/4) }

// join makes s read from here on.
func (tp *tape) join(s *stream) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	s.next, s.read = tp.taken+1, tp.total
	s.origin = s.next
	if n := len(tp.chunks); n > 0 {
		s.offset = len(tp.chunks[n-1].data)
	}
	tp.streams = append(tp.streams, s)
}

// leave ends that.
func (tp *tape) leave(s *stream) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	if i := slices.Index(tp.streams, s); i >= 0 {
		tp.streams = slices.Delete(tp.streams, i, i+1)
	}
	tp.trimLocked()
}

// put appends the encoded event and wakes the viewers. It never waits for one.
func (tp *tape) put(body []byte) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.taken++
	// What is too long for the whole tape is a gap.
	if size := len(body) + frameSlack; size <= tp.limit {
		tp.appendLocked(body, size)
	}
	for _, s := range tp.streams {
		if !s.woken {
			s.woken = true
			signal(s.wake)
		}
		if !s.urged && tp.total-s.read > uint64(tp.limit)/2 {
			s.urged = true
			signal(s.urgent)
		}
	}
}

// appendLocked appends the frame of the newest event, which has size bytes at most.
func (tp *tape) appendLocked(body []byte, size int) {
	for len(tp.chunks) > 0 && tp.bytes+size > tp.limit {
		tp.shiftLocked()
	}
	c := tp.roomLocked(size)
	before := len(c.data)
	c.data = tp.ask.encoding.appendFrame(c.data, body, tp.taken)
	c.count++
	tp.bytes += len(c.data) - before
	tp.total += uint64(len(c.data) - before)
}

// roomLocked is the last chunk, which has room for size bytes and goes on to the newest number.
func (tp *tape) roomLocked(size int) *chunk {
	if n := len(tp.chunks); n > 0 {
		if c := tp.chunks[n-1]; cap(c.data)-len(c.data) >= size && c.from+c.count == tp.taken {
			return c
		}
	}
	c := &chunk{}
	if size > tp.chunkSize() {
		c.data = make([]byte, 0, size)
	} else if used, ok := tp.pool.Get().(*chunk); ok {
		c = used
	} else {
		c.data = make([]byte, 0, tp.chunkSize())
	}
	*c = chunk{data: c.data[:0], from: tp.taken}
	tp.chunks = append(tp.chunks, c)
	return c
}

// shiftLocked takes the oldest chunk off.
func (tp *tape) shiftLocked() {
	c := tp.chunks[0]
	tp.chunks = slices.Delete(tp.chunks, 0, 1)
	tp.bytes -= len(c.data)
	c.off = true
	tp.reuseLocked(c)
}

// reuseLocked gives a chunk that nobody needs any more to whoever needs one next.
func (tp *tape) reuseLocked(c *chunk) {
	if c.off && c.batches == 0 && cap(c.data) == tp.chunkSize() {
		tp.pool.Put(c)
	}
}

// trimLocked takes off what every stream has read.
func (tp *tape) trimLocked() {
	oldest := tp.taken + 1
	for _, s := range tp.streams {
		oldest = min(oldest, s.next)
	}
	for len(tp.chunks) > 0 && tp.chunks[0].from+tp.chunks[0].count <= oldest {
		tp.shiftLocked()
	}
}

// batch is what a stream has to write next.
type batch struct {
	pieces []piece
	// behind is how many events are missing behind the pieces.
	behind uint64
}

// piece is a row of frames.
type piece struct {
	data  []byte
	count uint64
	// missing is how many events are missing before it.
	missing uint64
	chunk   *chunk
}

// take gives s all that it has not read. The pieces are its own until giveBack.
func (tp *tape) take(s *stream) batch {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	b := batch{pieces: s.pieces[:0]}
	for _, c := range tp.chunks {
		if c.from+c.count <= s.next {
			continue
		}
		p := piece{data: c.data, count: c.count, chunk: c}
		if c.from > s.next {
			p.missing = c.from - s.next
		} else if c.from < s.next {
			// It has grown since the stream read it to its end.
			p.data, p.count = c.data[s.offset:], c.from+c.count-s.next
		}
		c.batches++
		s.next = c.from + c.count
		s.offset = len(c.data)
		b.pieces = append(b.pieces, p)
	}
	b.behind = tp.taken + 1 - s.next
	s.next, s.read = tp.taken+1, tp.total
	s.woken, s.urged = false, false
	s.pieces = b.pieces
	tp.trimLocked()
	return b
}

// giveBack says that the pieces of a batch were written.
func (tp *tape) giveBack(b *batch) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	for i := range b.pieces {
		c := b.pieces[i].chunk
		c.batches--
		tp.reuseLocked(c)
	}
	clear(b.pieces)
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

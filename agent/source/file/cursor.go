package file

import (
	"bytes"
	"hash/crc64"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

const (
	// blockSize bounds the bytes that one Next returns.
	blockSize = 1 << 20
	// maxTries bounds how often one read begins again because the file changed under it.
	maxTries = 4
	// minHole is the run of NUL bytes at a file's beginning that counts as a hole where no truncation was seen.
	minHole = 64
)

// cursor is where a reader stands in one generation.
type cursor struct {
	gen *generation
	off int64 // the beginning of the next line
	// scan, when beyond off, is how far the line at off was searched for its end.
	scan int64
	// limit, when not zero, bounds the reads of one step: what an older file grew by meanwhile comes first.
	limit int64
	// tried is the size at which no further whole line was found.
	tried int64
	// before holds the last bytes before max(off, scan), nbefore of them.
	before  [window]byte
	nbefore int
	// owed, where due, is the checksum of those bytes, which were not read yet.
	owed uint64
	due  bool
	// end is what the generation had when the reader began; history says that off has not reached it.
	end     int64
	history bool
	solid   bool // the NULs at the beginning are data
	// stream reads a compressed generation, nil while it is not open; cost is about what it will hold, first the time
	// of the first line that has one.
	stream *stream
	cost   int
	first  time.Time
}

// at is the offset where the next read begins.
func (c *cursor) at() int64 { return max(c.off, c.scan) }

// remember keeps the last bytes of data, which end where the next read begins.
func (c *cursor) remember(data []byte) {
	if len(data) >= window {
		c.nbefore = copy(c.before[:], data[len(data)-window:])
		return
	}
	keep := min(c.nbefore, window-len(data))
	copy(c.before[:], c.before[c.nbefore-keep:c.nbefore])
	c.nbefore = keep + copy(c.before[keep:], data)
}

// saw says whether b is the bytes before the cursor.
func (c *cursor) saw(b []byte) bool {
	if !c.due {
		return bytes.Equal(b, c.before[:c.nbefore])
	}
	if len(b) != c.nbefore || crc64.Checksum(b, ecma) != c.owed {
		return false
	}
	copy(c.before[:], b)
	c.due = false
	return true
}

// read returns the next block of a cursor, and whether the generation is finished with it.
func (r *reader) read(c *cursor) (b *source.Block, finished bool) {
	g := c.gen
	if g.packing() != "" {
		return r.readPacked(c)
	}
	for range maxTries {
		size, sealed := r.sizeNow(c)
		if c.off >= size && sealed {
			return r.ended(c)
		}
		if c.off >= size || size == c.tried && !sealed {
			r.caughtUp(c, size)
			return nil, false
		}
		b, state := r.fetch(c, size, sealed)
		switch state {
		case fetched:
			if c.off >= c.end {
				r.passed(c)
			}
			return b, false
		case partial:
			c.tried = size
			r.caughtUp(c, size)
			return nil, false
		}
		r.set.resync(c)
	}
	return nil, false
}

// ended goes on where a sealed generation has no more to read.
func (r *reader) ended(c *cursor) (b *source.Block, finished bool) {
	if b := r.remembered(c); b != nil {
		return b, false
	}
	switch {
	case c.gen.waits.Load():
		r.passed(c)
		return nil, false
	case c.gen.handle.Load() == nil && r.unpackInstead(c):
		return r.readPacked(c)
	}
	return r.finish(c), true
}

// sizeNow is how far a cursor may read now, and whether nothing follows.
func (r *reader) sizeNow(c *cursor) (size int64, sealed bool) {
	sealed = c.gen.sealed.Load() // before size
	size = c.gen.size.Load()
	if len(r.turns) > 0 && c.history && c.off < c.end && c.end < size {
		return c.end, false // what came later is not history
	}
	if c.limit > 0 && c.limit < size {
		return c.limit, false
	}
	return size, sealed
}

func (r *reader) caughtUp(c *cursor, size int64) {
	if c.history && size >= c.end {
		r.passed(c)
	}
}

// finish tells what of a sealed generation nobody can read; nil where nothing is known to be missing.
func (r *reader) finish(c *cursor) *source.Block {
	g := c.gen
	bytes := max(0, g.lost.Load()-c.off)
	if bytes == 0 && !g.torn.Load() {
		return nil
	}
	why := wire.ReasonTruncated
	if g.words != nil && g.words.why != "" {
		why = g.words.why
	}
	b := r.gapBlock(c, source.Gap{Bytes: bytes, AtLeast: g.torn.Load(), Reason: why})
	b.At.Over = true
	return b
}

// gapBlock makes a block of a gap that begins at the cursor, and moves the cursor over it.
func (r *reader) gapBlock(c *cursor, gap source.Gap) *source.Block {
	gap.Source, gap.Path = c.gen.source, c.gen.name()
	r.gap = gap
	r.blockOf(c, nil, c.off+gap.Bytes)
	r.block.Gap = &r.gap
	return &r.block
}

// blockOf fills the block with data that ends at to, and moves the cursor there.
func (r *reader) blockOf(c *cursor, data []byte, to int64) {
	g := c.gen
	r.block = source.Block{
		Source: g.source, Path: g.path, Place: g.place, At: g.position(c.off),
		From: c.off, To: to, Data: data,
	}
	c.off, c.scan = to, 0
}

// state is the outcome of a fetch.
type state int

const (
	fetched state = iota
	partial       // no whole line yet
	changed       // the file is not what it was
	further       // the next read may tell
)

// fetch reads on from the cursor.
func (r *reader) fetch(c *cursor, size int64, sealed bool) (*source.Block, state) {
	for {
		data, ok := r.bytes(c, size)
		if !ok {
			return nil, changed
		}
		if r.chunk < blockSize && c.at()+int64(len(data)) < size && bytes.IndexByte(data, '\n') < 0 {
			r.chunk = blockSize
			continue
		}
		var b *source.Block
		var s state
		if c.at() == 0 && data[0] == 0 && !c.solid {
			b, s = r.overHole(c, size, sealed) // the search uses the buffer
		} else {
			b, s = r.split(c, data, size, sealed)
		}
		if s != further {
			return b, s
		}
	}
}

// overHole tells the hole at a generation's beginning, if there is one.
func (r *reader) overHole(c *cursor, size int64, sealed bool) (*source.Block, state) {
	run := r.hole(c, size)
	if run == size && !sealed {
		return nil, partial
	}
	if run == 0 {
		c.solid = true
		return nil, further
	}
	c.nbefore = min(window, int(run))
	clear(c.before[:])
	c.due = false
	return r.gapBlock(c, source.Gap{Bytes: run, Reason: wire.ReasonHole}), fetched
}

// split returns what of the lines in data, which was read where the cursor stands, can be returned now.
func (r *reader) split(c *cursor, data []byte, size int64, sealed bool) (*source.Block, state) {
	at := c.at()
	if at > c.off {
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			c.remember(data[:i+1])
			return r.cut(c, at+int64(i), at+int64(i)+1)
		}
	} else if last := bytes.LastIndexByte(data, '\n'); last >= 0 {
		return r.lines(c, data[:last+1])
	} else if len(data) <= wire.MaxLine {
		if !sealed {
			return nil, partial
		}
		c.remember(data)
		r.blockOf(c, data, size)
		return &r.block, fetched
	}
	c.remember(data)
	c.scan = at + int64(len(data))
	switch {
	case c.scan < size:
		return nil, further
	case sealed:
		return r.cut(c, size, size)
	}
	return nil, partial
}

// lines returns the whole lines of data up to the first that is too long, or that one cut.
func (r *reader) lines(c *cursor, data []byte) (*source.Block, state) {
	keep := wholeLines(data)
	if keep == 0 {
		end := bytes.IndexByte(data, '\n')
		c.remember(data[:end+1])
		return r.cut(c, c.off+int64(end), c.off+int64(end)+1)
	}
	c.remember(data[:keep])
	r.blockOf(c, data[:keep], c.off+int64(keep))
	return &r.block, fetched
}

// cut returns the kept beginning of the line from off to end; to is where the next line begins.
func (r *reader) cut(c *cursor, end, to int64) (*source.Block, state) {
	h := c.gen.handle.Load()
	buf := r.buffer(wire.MaxLine)
	if h == nil {
		return nil, changed
	}
	if n, _ := h.f.ReadAt(buf, c.off); n < len(buf) {
		return nil, changed
	}
	size := end - c.off
	r.blockOf(c, buf, to)
	r.block.CutFrom = size
	return &r.block, fetched
}

// bytes reads up to a block from where the cursor stands, and believes it only if what lies before it is what the
// cursor saw, before the read and after it.
func (r *reader) bytes(c *cursor, size int64) ([]byte, bool) {
	h := c.gen.handle.Load()
	if h == nil {
		return nil, false
	}
	at := c.at()
	from := at - int64(c.nbefore)
	buf := r.buffer(c.nbefore + int(min(size-at, int64(r.chunk))))
	if n, _ := h.f.ReadAt(buf, from); n < len(buf) {
		return nil, false
	}
	if !c.saw(buf[:c.nbefore]) {
		return nil, false
	}
	if h := c.gen.head.Load(); h.bytes == nil && h.n > 0 && from == h.from && len(buf) >= h.len() {
		if !h.prefixes(buf) {
			return nil, false
		}
	} else if from >= h.from && from < h.from+int64(len(h.bytes)) {
		known := h.bytes[from-h.from:]
		if n := min(len(known), len(buf)); !bytes.Equal(known[:n], buf[:n]) {
			return nil, false
		}
	}
	again := r.small[:min(window, len(buf))]
	if n, _ := h.f.ReadAt(again, from); n < len(again) || !bytes.Equal(again, buf[:n]) {
		return nil, false
	}
	return buf[c.nbefore:], true
}

// buffer returns n bytes that are valid until the next call.
func (r *reader) buffer(n int) []byte {
	if r.buf == nil || cap(*r.buf) < n {
		r.dropBuffer()
		if pooled, ok := r.set.buffers.Get().(*[]byte); ok && n > keepBuffer {
			r.buf = pooled
		} else if n > keepBuffer {
			b := make([]byte, blockSize+window)
			r.buf = &b
		} else {
			b := make([]byte, max(4<<10, n))
			r.buf = &b
		}
	}
	return (*r.buf)[:n]
}

// keepBuffer is the size up to which a reader keeps its buffer while it has nothing to read.
const keepBuffer = 64 << 10

// dropBuffer gives a large buffer back.
func (r *reader) dropBuffer() {
	if r.buf != nil && cap(*r.buf) > keepBuffer {
		r.set.buffers.Put(r.buf)
		r.buf = nil
	}
}

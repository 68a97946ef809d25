package file

import (
	"bytes"
	"os"
	"sync/atomic"
	"time"

	"github.com/spilelog/spile/agent/source"
)

// window is how many bytes before an offset are compared before data at the offset is believed.
const window = 64

// handle is an open file that several generations may share: a truncated file goes on under the same descriptor.
type handle struct {
	f    *os.File
	refs atomic.Int32
}

func newHandle(f *os.File) *handle {
	h := &handle{f: f}
	h.refs.Store(1)
	return h
}

func (h *handle) retain() *handle {
	h.refs.Add(1)
	return h
}

func (h *handle) release() {
	if h != nil && h.refs.Add(-1) == 0 {
		_ = h.f.Close() // opened for reading only: nothing can be lost by a failing close
	}
}

// generation is one life of one file. The tracker publishes through the atomics, readers only load them.
type generation struct {
	place    uint64
	source   string
	path     string
	dev, ino uint64
	born     int64 // in nanoseconds of Unix time, 0 where the file system does not say
	// hollow says that the generation began with a truncation, so that a stale writer may leave a hole before its
	// first byte.
	hollow bool
	// packed says how the file is compressed. Such a generation is sealed from the beginning, belongs to one reader and
	// only its size is not known before it was read: sizes and offsets count what it holds.
	packed format
	// rotated is the name of a rotated file that is read for history, for the words of a gap.
	rotated string
	// why is the reason of the gap at its end, truncated where it is empty.
	why string
	// gone is the position whose bytes are gone, where the generation stands for nothing else.
	gone *source.Position

	// handle is nil where the bytes exist no more.
	handle atomic.Pointer[handle]
	head   atomic.Pointer[head]
	// size is the end of what can be read. It is stored before sealed, and loaded after it.
	size atomic.Int64
	// lost is the end of what was once seen; beyond size it can be read no more. torn says that more may have been
	// written unseen.
	lost atomic.Int64
	torn atomic.Bool
	// sealed says that size never grows again.
	sealed atomic.Bool
	// modified is mtime in nanoseconds of Unix time, of the look that size is of.
	modified atomic.Int64
	refs     atomic.Int32

	// The rest belongs to the tracker, under Set.mu.
	seen    int64     // the size at the last look, which flushLocked publishes
	top     int64     // a size that was seen, though not what lies there
	next    uint64    // the place that it comes before, where that was found earlier
	sibling *sibling  // by what name it was rotated away, nil where that is not known
	mark    []byte    // the last bytes before seen
	mtime   time.Time // of the file at the last look
	grown   time.Time // when the tracker last saw it grow
}

// name is the file that a gap names.
func (g *generation) name() string {
	if g.rotated != "" {
		return g.rotated
	}
	return g.path
}

func (g *generation) retain() *generation {
	g.refs.Add(1)
	return g
}

func (g *generation) release() {
	if g.refs.Add(-1) == 0 {
		g.handle.Swap(nil).release()
	}
}

func (g *generation) position(offset int64) source.Position {
	if g.gone != nil {
		return *g.gone
	}
	h := g.head.Load()
	p := source.Position{
		Source: g.source, Path: g.path, Device: g.dev, Inode: g.ino, Born: g.born,
		Print: h.crc, PrintLen: len(h.bytes), PrintAt: h.from, Offset: offset, Packed: string(g.packed),
	}
	if g.packed == "" {
		p.Modified, p.Size = g.modified.Load(), max(g.size.Load(), g.lost.Load())
	}
	return p
}

// publish lets the readers see what was last seen.
func (g *generation) publish() {
	g.modified.Store(g.mtime.UnixNano())
	g.size.Store(g.seen)
}

// same says whether the bytes that the tracker last saw are still there.
func (g *generation) same(f *os.File) bool {
	if h := g.head.Load(); len(h.bytes) > 0 && !h.begins(f) {
		return false
	}
	if len(g.mark) == 0 {
		return true
	}
	b := make([]byte, len(g.mark))
	n, _ := f.ReadAt(b, g.seen-int64(len(b)))
	return n == len(b) && bytes.Equal(b, g.mark)
}

// grow notes size after it has read what later looks compare. It is published by flushLocked, so that older generations
// that the same pass finds come first.
func (g *generation) grow(f *os.File, size int64) bool {
	if h := g.head.Load(); len(h.bytes) < headSize {
		from := h.from
		if len(h.bytes) == 0 {
			from = g.dataStart(f, size)
		}
		if n := min(size-from, headSize); n > int64(len(h.bytes)) {
			b, err := readAt(f, from, int(n))
			if err != nil || !bytes.HasPrefix(b, h.bytes) {
				return false
			}
			g.head.Store(newHead(from, b))
		}
	}
	mark := make([]byte, min(size, window))
	if n, _ := f.ReadAt(mark, size-int64(len(mark))); n < len(mark) {
		return false
	}
	if h := g.head.Load(); len(h.bytes) > 0 && !h.begins(f) { // the mark may be of another life
		return false
	}
	g.mark = mark
	g.seen = size
	return true
}

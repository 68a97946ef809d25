package file

import (
	"os"
	"sync/atomic"
	"time"

	"github.com/spilelog/spile/agent/source"
)

// window is how many bytes before an offset are compared before data at the offset is believed.
const window = 64

// handle is an open file that several generations may share: a truncated file goes on under the same descriptor.
type handle struct {
	f    *lazyFile
	refs atomic.Int32
}

// newHandle is a handle of an open file, which stays open until it is given a name.
func (s *Set) newHandle(f *os.File) *handle {
	h := &handle{f: s.openFiles.add(f)}
	h.refs.Store(1)
	return h
}

func (h *handle) retain() *handle {
	h.refs.Add(1)
	return h
}

func (h *handle) release() {
	if h != nil && h.refs.Add(-1) == 0 {
		h.f.close()
	}
}

// words are what the gap of a generation is told with, and what else few of them need.
type words struct {
	// packed says how the file is compressed. Such a generation is sealed from the beginning, belongs to one reader and
	// only its size is not known before it was read: sizes and offsets count what it holds.
	packed format
	// rotated is the name of a rotated file that is read for history, why the reason of the gap at the end: truncated
	// where it is empty.
	rotated, why string
	// gone is the position whose bytes are gone, where the generation stands for nothing else.
	gone *source.Position
}

// story is what few generations have to tell, and the tracker of them. Set.mu guards it.
type story struct {
	twin    *generation // the next one of the same identity in Set.held
	sibling *sibling    // by what name it was rotated away, nil where that is not known
	top     int64       // a size that was seen, though not what lies there
	// unsure says, of a generation whose name was lost while it was closed, that more may have been written to it.
	unsure bool
	// before is the life before, where it waits for this one to tell what of it is lost.
	before *generation
}

// generation is one life of one file. The tracker publishes through the atomics, readers only load them. It is small:
// there may be very many.
type generation struct {
	place    uint64
	source   string
	path     string
	dev, ino uint64
	born     int64 // in nanoseconds of Unix time, 0 where the file system does not say
	// words are nil mostly.
	words *words

	// handle is nil where the bytes exist no more.
	handle atomic.Pointer[handle]
	head   atomic.Pointer[head]
	// size is the end of what can be read. It is stored before sealed, and loaded after it.
	size atomic.Int64
	// lost is the end of what was once seen; beyond size it can be read no more. torn says that more may have been
	// written unseen.
	lost atomic.Int64
	torn atomic.Bool
	// waits says that the next life may still tell how much is lost: nobody is told of the loss before.
	waits atomic.Bool
	// sealed says that size never grows again.
	sealed atomic.Bool
	// modified is mtime in nanoseconds of Unix time, of the look that size is of.
	modified atomic.Int64
	refs     atomic.Int32
	// hollow says that the generation began with a truncation, so that a stale writer may leave a hole before its
	// first byte.
	hollow bool

	// The rest belongs to the tracker, under Set.mu.
	draining bool          // it is in Set.draining
	names    int32         // how many tracks lead to it
	next     uint64        // the place that it comes before, where that was found earlier
	seen     int64         // the size at the last look, which flushLocked publishes
	mark     mark          // the last bytes before seen
	mtime    int64         // of the file at the last look, in nanoseconds of Unix time
	grown    time.Duration // when the tracker last saw it grow, since Set.started
	story    *story        // nil mostly
}

// packing says how the file is compressed, empty where it is not.
func (g *generation) packing() format {
	if g.words == nil {
		return ""
	}
	return g.words.packed
}

// tell returns the story to be added to.
func (g *generation) tell() *story {
	if g.story == nil {
		g.story = &story{}
	}
	return g.story
}

// twin returns the next generation of the same identity in Set.held.
func (g *generation) twin() *generation {
	if g.story == nil {
		return nil
	}
	return g.story.twin
}

// rotated returns the sibling that it became, nil where that is not known.
func (g *generation) rotated() *sibling {
	if g.story == nil {
		return nil
	}
	return g.story.sibling
}

// top is the largest size that was seen, though perhaps not what lies there.
func (g *generation) top() int64 {
	if g.story == nil {
		return g.seen
	}
	return max(g.seen, g.story.top)
}

// unsure says, of a generation whose name was lost while it was closed, that more may have been written to it.
func (g *generation) unsure() bool { return g.story != nil && g.story.unsure }

// written is when the file was written last, by the last look.
func (g *generation) written() time.Time { return time.Unix(0, g.mtime) }

// name is the file that a gap names.
func (g *generation) name() string {
	if g.words != nil && g.words.rotated != "" {
		return g.words.rotated
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
	if g.words != nil && g.words.gone != nil {
		return *g.words.gone
	}
	h := g.head.Load()
	p := source.Position{
		Source: g.source, Path: g.path, Device: g.dev, Inode: g.ino, Born: g.born,
		Print: h.crc, PrintLen: h.len(), PrintAt: h.from, Offset: offset, Packed: string(g.packing()),
	}
	if g.packing() == "" {
		p.Modified, p.Size = g.modified.Load(), max(g.size.Load(), g.lost.Load())
	}
	return p
}

// publish lets the readers see what was last seen.
func (g *generation) publish() {
	g.modified.Store(g.mtime)
	g.size.Store(g.seen)
}

// same says whether the bytes that the tracker last saw are still there.
func (g *generation) same(f contents) bool {
	if h := g.head.Load(); h.len() > 0 && !h.begins(f) {
		return false
	}
	return g.marked(f)
}

// grow notes size after it has read what later looks compare. It is published by flushLocked, so that older generations
// that the same pass finds come first.
func (g *generation) grow(f *lazyFile, size int64) bool {
	if h := g.head.Load(); h.len() < headSize {
		from := h.from
		if h.len() == 0 {
			from = g.dataStart(f, size)
		}
		if n := min(size-from, headSize); n > int64(h.len()) {
			b, err := readAt(f, from, int(n))
			if err != nil || !h.prefixes(b) {
				return false
			}
			g.head.Store(newHead(from, b))
		}
	}
	mark := make([]byte, min(size, window))
	if n, _ := f.ReadAt(mark, size-int64(len(mark))); n < len(mark) {
		return false
	}
	if h := g.head.Load(); h.len() > 0 && !h.begins(f) { // the mark may be of another life
		return false
	}
	g.mark = newMark(mark)
	g.seen = size
	return true
}

package file

import (
	"bytes"
	"errors"
	"hash/crc64"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spilelog/spile/agent/source"
)

// keepReplay is how long a file of a replay is kept open.
const keepReplay = 10 * time.Second

// maxReplayed bounds the files that a replay keeps open; maxStreams bounds their memory.
const maxReplayed = 8

// replay keeps the compressed files that were read last for the rebuilding of batches: their ranges follow one another,
// in turn over several files, and each can only be read forward.
type replay struct {
	mu    sync.Mutex // guards files
	files []*replayed
	// over says that nothing is to be kept any more; it is set without mu.
	over atomic.Bool
}

// replayed is one file of a replay.
type replayed struct {
	at   source.Position
	h    *handle
	st   *stream
	used time.Time
}

// dropLocked closes a file.
func (p *replay) dropLocked(i int) {
	p.files[i].st.close()
	p.files[i].h.release()
	p.files = slices.Delete(p.files, i, i+1)
}

// rest closes the files that nobody has needed for a while, or all at once.
func (p *replay) rest(now bool) {
	p.over.Store(now)
	if !p.mu.TryLock() {
		return // it is needed
	}
	defer p.mu.Unlock()
	for i := len(p.files) - 1; i >= 0; i-- {
		if now || time.Since(p.files[i].used) > keepReplay {
			p.dropLocked(i)
		}
	}
}

// roomLocked closes the files that were used least lately until another one fits in.
func (p *replay) roomLocked(cost int) {
	for _, f := range p.files {
		cost += f.st.cost()
	}
	for len(p.files) > 0 && (len(p.files) >= maxReplayed || cost > maxStreams) {
		oldest := 0
		for i, f := range p.files {
			if f.used.Before(p.files[oldest].used) {
				oldest = i
			}
		}
		cost -= p.files[oldest].st.cost()
		p.dropLocked(oldest)
	}
}

// unpackRange reads a range of what a compressed file holds, nil where none has the bytes of the position.
func (s *Set) unpackRange(at source.Position, from, to int64) []byte {
	p := &s.replay
	p.mu.Lock()
	defer p.mu.Unlock()
	at.Offset = 0
	i := slices.IndexFunc(p.files, func(f *replayed) bool { return f.at == at })
	if i >= 0 && p.files[i].st.base > from {
		p.dropLocked(i)
		i = -1
	}
	if i < 0 {
		h, how := s.packedHolder(at)
		if h == nil {
			return nil
		}
		st := newStream(h.f, how, s.limits, from)
		p.roomLocked(st.cost())
		i = len(p.files)
		p.files = append(p.files, &replayed{at: at, h: h, st: st})
	}
	f := p.files[i]
	f.used = time.Now()
	out := f.st.slice(from, to)
	if out == nil || p.over.Load() {
		p.dropLocked(i)
	}
	return out
}

// packedHolder opens the compressed sibling that holds the bytes of a position.
func (s *Set) packedHolder(at source.Position) (*handle, format) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[at.Path]
	if t == nil || !s.running {
		return nil, ""
	}
	b, siblings := s.seekPackedLocked(t, at)
	defer closePacked(siblings)
	if b == nil {
		return nil, ""
	}
	return b.h.retain(), b.packed
}

// seekPackedLocked finds the sibling that has the print of a position, also while it is being renamed. The caller
// closes what was opened to be looked at.
func (s *Set) seekPackedLocked(t *track, at source.Position) (found *packedSibling, all []*packedSibling) {
	dir := filepath.Dir(t.path)
	for range maxRounds {
		closePacked(all)
		before := modified(dir)
		all = s.packedLocked(t)
		if found = s.findPackedLocked(t, all, at); found != nil ||
			before.Equal(modified(dir)) && !slices.ContainsFunc(all, func(b *packedSibling) bool { return b.missed }) {
			break
		}
	}
	return found, all
}

// packedSibling is a compressed sibling, opened once it was looked at.
type packedSibling struct {
	relative
	head []byte
	h    *handle // nil where it cannot be opened
	// tried says that it was looked at, missed that it was gone from its name by then, used that a place is made of it.
	tried, missed, used bool
}

// packedLocked lists the compressed siblings of a track.
func (s *Set) packedLocked(t *track) []*packedSibling {
	all := s.relativesLocked(filepath.Dir(t.path), func(string) bool { return true })
	return packedOf(slices.DeleteFunc(all, func(rel relative) bool { return rel.track != t }))
}

// packedOf are those of some siblings that are compressed and can be read.
func packedOf(all []relative) []*packedSibling {
	var out []*packedSibling
	for _, rel := range all {
		if rel.packed == formatGzip || rel.packed == formatZstd {
			out = append(out, &packedSibling{relative: rel})
		}
	}
	return out
}

// lookLocked opens a sibling and reads its head.
func (b *packedSibling) lookLocked(s *Set) bool {
	if b.tried {
		return b.h != nil
	}
	b.tried = true
	f, info, err := s.openFile(b.path)
	if err != nil {
		b.missed = errors.Is(err, fs.ErrNotExist)
		return false
	}
	h := s.newHandle(f)
	if dev, ino := identity(info); b.id != (fileID{dev, ino}) {
		b.missed = true
		h.release()
		return false
	}
	b.head, _, _, _, _ = peek(f, b.packed, s.limits, nil) // an error is told by its reader
	b.h = h
	return true
}

// findPackedLocked finds the sibling that has the print of a position, by identity before content alone.
func (s *Set) findPackedLocked(t *track, siblings []*packedSibling, at source.Position) *packedSibling {
	if at.PrintLen <= 0 || at.PrintLen > headSize || at.PrintAt < 0 || at.Path != t.path {
		return nil
	}
	for _, byID := range []bool{true, false} {
		for _, b := range siblings {
			if byID != (b.id == fileID{at.Device, at.Inode}) || !b.lookLocked(s) {
				continue
			}
			if b.printed(s, &at) {
				return b
			}
		}
	}
	return nil
}

// printed says whether what a sibling holds has the print of p.
func (b *packedSibling) printed(s *Set, p *source.Position) bool {
	data := b.head
	if p.PrintAt > 0 {
		st := newStream(b.h.f, b.packed, s.limits, p.PrintAt)
		data = bytes.Clone(st.slice(p.PrintAt, p.PrintAt+int64(p.PrintLen)))
		st.close()
	}
	return len(data) >= p.PrintLen && crc64.Checksum(data[:p.PrintLen], ecma) == p.Print
}

// generationLocked makes a generation of a sibling, which belongs to one reader.
func (b *packedSibling) generationLocked(s *Set, t *track) *generation {
	s.lastID++
	g := &generation{place: s.lastID, source: t.source, path: t.path, dev: b.id.dev, ino: b.id.ino}
	g.mtime, g.words = b.mtime.UnixNano(), &words{rotated: b.path, packed: b.packed}
	g.handle.Store(b.h.retain())
	g.head.Store(newHead(0, b.head))
	g.sealed.Store(true)
	g.refs.Store(1)
	b.used = true
	return g
}

// unpackInstead goes on in the compressed copy of a file whose bytes are nowhere else any more: it was copied,
// truncated and compressed before anybody looked.
func (r *reader) unpackInstead(c *cursor) bool {
	old := c.gen
	if head := old.head.Load(); old.packing() != "" || head.len() == 0 {
		return false
	}
	g := r.set.packedCopy(old)
	if g == nil {
		return false
	}
	st := newStream(g.handle.Load().f, g.packing(), r.set.limits, c.off-int64(c.nbefore))
	if seen := st.slice(c.off-int64(c.nbefore), c.off); !c.saw(seen) {
		st.close()
		g.release()
		return false
	}
	g.next = old.next
	g.lost.Store(old.lost.Load())
	g.torn.Store(old.torn.Load())
	c.gen, c.stream = g, st
	r.streams += st.cost()
	old.release()
	return true
}

// packedCopy makes a generation of the compressed sibling that begins like g.
func (s *Set) packedCopy(g *generation) *generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tracks[g.path]
	if t == nil || !s.running {
		return nil
	}
	b, siblings := s.seekPackedLocked(t, g.position(0))
	defer closePacked(siblings)
	if b == nil {
		return nil
	}
	return b.generationLocked(s, t)
}

// closePacked closes what was opened to be looked at.
func closePacked(siblings []*packedSibling) {
	for _, b := range siblings {
		b.h.release()
		b.h = nil
	}
}

// laterPackedLocked lists the compressed siblings that came later, to be read from their beginning.
func (s *Set) laterPackedLocked(t *track, siblings []*packedSibling, after *newer, known []place) []place {
	var later []place
	for _, b := range siblings {
		at := place{number: rotationNumber(b.path), path: b.path, packed: true, mtime: b.mtime}
		if b.used || !after.holds(at) || !b.lookLocked(s) {
			continue
		}
		if after.last == nil && b.mtime.UnixNano() >= bornOf(b.h.f) {
			continue // the time is that of the compression, and nothing else tells what is younger
		}
		at.gen = b.generationLocked(s, t)
		if s.madeOf(b, at.gen, known) || s.madeOf(b, at.gen, []place{{gen: t.gen}}) {
			at.gen.release()
			continue
		}
		later = append(later, at)
	}
	return later
}

// madeOf says whether a compressed generation is made of one of the others, as where the compression is in progress.
func (s *Set) madeOf(b *packedSibling, g *generation, places []place) bool {
	for _, p := range places {
		o := p.gen
		if o == nil || o.packing() != "" || o.handle.Load() == nil {
			continue
		}
		beside := o.rotated() != nil && o.rotated().path+"."+string(b.packed) == b.path
		switch {
		case len(b.head) == 0:
			if beside {
				return true
			}
		case beside || len(b.head) == headSize:
			if startsAlike(b.head, o.beginning().start()) && s.contained(g, o) {
				return true
			}
		}
	}
	return false
}

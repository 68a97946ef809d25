package file

import (
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"time"
)

// tearTime is how near its last growth a truncation must come for unseen lines to be likely: between the last look and
// the truncation. Between the end of a copy and the truncation they are as unlikely as that time is short beside the
// one in which the file was seen to be quiet: tearShare and tearTick, the grain of the clock with some room, bound it.
const (
	tearTime  = 2 * time.Second
	tearShare = 10
	tearTick  = 100 * time.Millisecond
)

// truncatedLocked ends the track's generation where it was cut, in the copy that was made of it if there is one, and
// begins the next generation in the same file.
func (s *Set) truncatedLocked(t *track, info fs.FileInfo) {
	old := t.gen
	h := old.handle.Load().retain()
	old.waits.Store(true)
	s.sealTruncatedLocked(old)
	if now, err := h.f.Stat(); err == nil {
		info = now // the search for a copy took its time
	}
	s.leadLocked(t, s.newGenerationLocked(t, h, info))
	t.gen.hollow = true
	t.gen.tell().before = old
	s.doubtful[old] = time.Now()
	old.release()
	s.growLocked(t.gen, h.f, info.Size())
	s.live = append(s.live, t.gen.retain())
	s.rotated[filepath.Dir(t.path)] = true
}

// sealTruncatedLocked ends a generation whose bytes are no longer in its own file.
func (s *Set) sealTruncatedLocked(g *generation) {
	g.lost.Store(g.top())
	cut := time.Now()
	if info, err := g.handle.Load().f.Stat(); err == nil && info.ModTime().Before(cut) {
		cut = info.ModTime() // it was written since, or that is the time
	}
	f := s.folderLocked(filepath.Dir(g.path))
	copied, size := s.seekCopyLocked(f, g)
	g.torn.Store(g.mayTear(cut, copied))
	g.seen = size
	g.size.Store(size)
	g.handle.Swap(copied).release()
	g.sealed.Store(true)
	s.wakeLocked(g)
	s.log.Debug("file_truncated", slog.String("path", g.path), slog.Uint64("place", g.place),
		slog.Int64("seen_bytes", g.lost.Load()), slog.Int64("copied_bytes", size))
}

// mayTear says whether lines may have been written unseen before the file was cut, and after it was copied.
func (g *generation) mayTear(cut time.Time, copied *handle) bool {
	if copied == nil {
		return cut.Sub(g.written()) < tearTime
	}
	info, err := copied.f.Stat()
	if err != nil || info.Size() != g.seen { // the copy does not tell since when it was quiet
		return true
	}
	made := info.ModTime()
	return made.Sub(g.written()) < min(tearTime, tearTick+tearShare*max(0, cut.Sub(made)))
}

// seekCopyLocked finds the copy that was made of a generation, also while it is being renamed.
func (s *Set) seekCopyLocked(f *folder, g *generation) (*handle, int64) {
	for range maxRounds {
		s.collectLocked(f)
		s.meetCaughtLocked(f) // what the listing could not find any more
		copied, size, missed := s.copyLocked(f, g)
		if copied != nil || !missed {
			return copied, size
		}
	}
	return nil, 0
}

// copyLocked finds the copy that was made of a generation before it was truncated: the sibling that begins like it
// and, as far as it reaches, has the bytes that were seen last. It returns an open file and its size, or nil.
// A sibling that could not be opened under the name that it was listed by is missed.
func (s *Set) copyLocked(f *folder, g *generation) (copied *handle, size int64, missed bool) {
	var best *sibling
	var bestFile *handle
	var bestSize int64
	for _, b := range f.siblings {
		if !s.mayCopyLocked(g, b) {
			continue
		}
		h := s.reopen(b)
		if h == nil {
			missed = missed || b.seen
			continue
		}
		info, err := h.f.Stat()
		if err != nil || s.heldLocked(b.id, h.f) != nil || !g.head.Load().alike(h.f) ||
			!g.continues(h.f, info.Size()) || best != nil && !g.likelier(b, best) {
			h.release()
			continue
		}
		bestFile.release()
		best, bestFile, bestSize = b, h, info.Size()
	}
	if best != nil {
		g.tell().sibling = best
		best.of, best.fresh = g.place, false
		best.close()
	}
	return bestFile, bestSize, missed
}

// mayCopyLocked says whether a sibling, by what is known of it, may be the copy that was made of g.
func (s *Set) mayCopyLocked(g *generation, b *sibling) bool {
	t := s.familyLocked(b.path)
	return t != nil && t.path == g.path && (b.of == 0 || b.of == g.place) &&
		g.head.Load().like(b.head)
}

// copiesLocked are the siblings, of those given but not known, that are copies of what a track's file has now. What is
// older than a sibling that is none is none either, though it may begin as the file does.
func (s *Set) copiesLocked(t *track, family []*sibling, known map[*sibling]bool) map[*sibling]bool {
	copies := map[*sibling]bool{}
	if t.gen == nil {
		return copies
	}
	for _, b := range slices.Backward(family) {
		if known[b] {
			continue
		}
		h := s.reopen(b)
		if h == nil {
			continue
		}
		info, err := h.f.Stat()
		copied := err == nil && t.gen.copied(h.f, info)
		h.release()
		if !copied {
			break
		}
		copies[b] = true
	}
	return copies
}

// likelier says whether a rather than b is the copy that was made of g, where both begin like it: the first that was
// made after g was seen to be written. What was made before is mostly of an earlier life.
func (g *generation) likelier(a, b *sibling) bool {
	late := !a.mtime.Before(g.written())
	if late != !b.mtime.Before(g.written()) {
		return late
	}
	if late {
		return a.before(b)
	}
	return b.before(a)
}

// continues says whether the file has what was seen last of g, as far as it reaches.
func (g *generation) continues(f contents, size int64) bool {
	if size < g.seen {
		return true // copied before the last growth; readers compare what they need
	}
	return g.marked(f)
}

// reopen opens a sibling again by its name, unless it waits open; nil where it is another file by now.
func (s *Set) reopen(b *sibling) *handle {
	if b.open != nil {
		return b.open.retain()
	}
	f, info, err := s.openFile(b.path)
	if err != nil {
		return nil
	}
	if dev, ino := identity(info); dev != b.id.dev || ino != b.id.ino {
		_ = f.Close()
		return nil
	}
	return s.newHandle(f)
}

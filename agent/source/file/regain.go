package file

import (
	"log/slog"
	"path/filepath"
	"time"
)

// unsureLocked says whether more may have been written to a track's file than the last look saw, and than any look
// will: the file was closed, and its name is gone. Where every write is told, one that was not told did not happen.
func (s *Set) unsureLocked(t *track) bool {
	return !t.folder.watched || t.unusual().link != "" || t.written || s.missed >= t.looked
}

// regainLocked looks for the new name of a file that was closed when it lost its old one, and says whether it is open
// now.
func (s *Set) regainLocked(g *generation) bool {
	id := fileID{g.dev, g.ino}
	f := g.handle.Load().f
	b := s.folderLocked(filepath.Dir(g.path)).siblings[id]
	if b == nil {
		return false // a listing may still find it by another name
	}
	f.name(b.path, id, g.born)
	if f.pin() != nil {
		return false
	}
	if !s.openFiles.crowded() {
		f.keep()
	}
	f.unpin()
	g.tell().sibling = b
	return true
}

// seekLocked looks out for the new name of a file that was closed when it lost its old one, and gives up when its
// folder was listed again after RotateWait.
func (s *Set) seekLocked(g *generation) {
	f := s.folderLocked(filepath.Dir(g.path))
	f.changed = s.tick
	s.scheduleFolderLocked(f)
	since, sought := s.seeking[g]
	switch {
	case !sought:
		s.seeking[g] = time.Now()
		s.rotated[f.dir] = true
	case time.Since(since) < s.rotateWait:
	case f.looked.Sub(since) < s.rotateWait:
		s.rotated[f.dir] = true
	default:
		s.sealVanishedLocked(g)
		s.drainedLocked(g)
	}
}

// sealVanishedLocked ends a generation whose file was closed and has no name any more that could be found.
func (s *Set) sealVanishedLocked(g *generation) {
	s.sealInLocked(g, nil, 0)
	s.log.Debug("file_vanished", slog.String("path", g.path), slog.Uint64("place", g.place),
		slog.Int64("seen_bytes", g.lost.Load()), slog.Bool("unsure", g.unsure()))
}

// sealInLocked ends a generation that was sought, in a copy of it if there is one.
func (s *Set) sealInLocked(g *generation, copied *handle, size int64) {
	g.lost.Store(g.top())
	g.torn.Store(g.unsure())
	g.seen = size
	g.size.Store(size)
	g.handle.Swap(copied).release()
	g.sealed.Store(true)
	s.wakeLocked(g)
}

// copyOfSoughtLocked says whether a fresh sibling is the copy of a file that is sought, which was truncated and deleted
// while it was closed. That ends in the copy then.
func (s *Set) copyOfSoughtLocked(t *track, b *sibling) bool {
	for g := range s.seeking {
		if g.path != t.path || b.mtime.Before(g.written()) || !g.head.Load().like(b.head) {
			continue
		}
		info, err := b.open.f.Stat()
		if err != nil || !g.head.Load().alike(b.open.f) || !g.continues(b.open.f, info.Size()) {
			continue
		}
		s.sealInLocked(g, b.open.retain(), info.Size())
		s.drainedLocked(g)
		g.tell().sibling, b.fresh = b, false
		b.close()
		return true
	}
	return false
}

// regainSealedLocked looks for the name of a finished file that a reader still needs and that was closed and renamed
// meanwhile. Where there is none, its bytes are gone.
func (s *Set) regainSealedLocked(g *generation) {
	f := g.handle.Load().f
	if f.pin() == nil {
		f.unpin()
		return
	}
	s.seeking[g] = time.Now()
	s.enlistLocked(g)
	dir := s.folderLocked(filepath.Dir(g.path))
	found := false
	for round := 0; !found && round < maxRounds; round++ { // it may be renamed meanwhile
		s.collectLocked(dir)
		if found = f.pin() == nil; found {
			f.unpin()
		} else {
			found = s.regainLocked(g)
		}
	}
	delete(s.seeking, g)
	s.unlistLocked(g)
	if !found {
		g.lost.Store(max(g.lost.Load(), g.size.Load()))
		g.size.Store(0)
		g.handle.Swap(nil).release()
	}
}

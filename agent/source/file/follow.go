package file

import (
	"io/fs"
	"os"
	"time"
)

// leadLocked sets the generation that a track leads to.
func (s *Set) leadLocked(t *track, g *generation) {
	if old := t.gen; old != nil {
		old.names--
		s.unlistLocked(old)
	}
	if t.gen = g; g != nil {
		g.names++
		s.enlistLocked(g)
	}
	t.changed = s.tick
}

// enlistLocked makes a generation one that is found by its identity.
func (s *Set) enlistLocked(g *generation) {
	id := fileID{g.dev, g.ino}
	for o := s.held[id]; o != nil; o = o.twin() {
		if o == g {
			return
		}
	}
	if first := s.held[id]; first != nil {
		g.tell().twin = first
	}
	s.held[id] = g
}

// unlistLocked undoes it once nothing follows the generation any more.
func (s *Set) unlistLocked(g *generation) {
	if g.names > 0 || g.draining {
		return
	}
	id := fileID{g.dev, g.ino}
	if first := s.held[id]; first != g {
		for o := first; o != nil; o = o.twin() {
			if o.twin() == g {
				o.story.twin = g.twin()
			}
		}
	} else if s.held[id] = g.twin(); g.twin() == nil {
		delete(s.held, id)
	}
	if g.story != nil {
		g.story.twin = nil
	}
}

// drainLaterLocked takes a retained generation to those that are read to their end.
func (s *Set) drainLaterLocked(g *generation) {
	s.draining[g] = struct{}{}
	g.draining = true
	s.enlistLocked(g)
}

// drainedLocked lets go of a generation that is read to its end.
func (s *Set) drainedLocked(g *generation) {
	delete(s.draining, g)
	delete(s.seeking, g)
	g.draining = false
	s.unlistLocked(g)
	g.release()
}

// enterLocked makes the open file the track's generation: one that is followed already under another name, or a new
// one.
func (s *Set) enterLocked(t *track, f *os.File, info fs.FileInfo) {
	dev, ino := identity(info)
	if g := s.heldLocked(fileID{dev, ino}, f); g != nil {
		_ = f.Close()
		s.leadLocked(t, g.retain())
		if g.draining {
			s.drainedLocked(g)
		}
		g.nameLocked(t)
		return
	}
	s.watchLocked(t.folder.dir)
	h := s.newHandle(f)
	s.leadLocked(t, s.newGenerationLocked(t, h, info))
	s.growLocked(t.gen, h.f, info.Size())
	if quiet := time.Since(info.ModTime()) / s.poll; quiet > 0 {
		t.changed = s.tick - uint32(min(quiet, quietShare*quietTicks))
	}
	t.gen.nameLocked(t)
	t.gen.rest(s)
	s.live = append(s.live, t.gen.retain())
	if !s.first {
		s.rotated[t.folder.dir] = true
	}
}

// nameLocked lets a generation be closed while nobody needs it: its file is found by the name of the track.
func (g *generation) nameLocked(t *track) {
	name := t.path
	if link := t.unusual().link; link != "" {
		name = link
	}
	g.handle.Load().f.name(name, fileID{g.dev, g.ino}, g.born)
}

func (s *Set) newGenerationLocked(t *track, h *handle, info fs.FileInfo) *generation {
	s.lastID++
	g := &generation{place: s.lastID, source: t.source, path: t.path, grown: time.Since(s.started)}
	g.mtime = info.ModTime().UnixNano()
	g.dev, g.ino = identity(info)
	_ = h.f.with(func(f *os.File) error { // without it the inode alone tells
		g.born = born(f)
		return nil
	})
	g.handle.Store(h)
	g.head.Store(newHead(0, nil))
	g.refs.Store(1)
	return g
}

// leaveLocked takes the track's generation, whose name is gone, to those that are read to their end.
func (s *Set) leaveLocked(t *track) {
	g := t.gen
	if g == nil {
		return
	}
	g.draining = g.names == 1 // so that it is found by its identity all the time
	s.leadLocked(t, nil)
	s.rotated[t.folder.dir] = true
	if !g.draining { // it has another name that a glob allows
		g.nameLocked(s.trackOfLocked(g))
		g.release()
		return
	}
	g.grown = time.Since(s.started)
	s.drainLaterLocked(g)
	if !g.handle.Load().f.keep() {
		g.tell().unsure = s.unsureLocked(t)
		s.seekLocked(g)
		return
	}
	s.drainOneLocked(g)
}

// trackOfLocked returns a track whose live generation g is, nil where it is none's.
func (s *Set) trackOfLocked(g *generation) *track {
	if g.names == 0 {
		return nil
	}
	if t := s.tracks[g.path]; t != nil && t.gen == g {
		return t
	}
	for _, t := range s.tracks {
		if t.gen == g {
			return t
		}
	}
	return nil
}

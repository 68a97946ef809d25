package file

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"time"
)

// maxRounds bounds how often one pass looks again because files rotated while it looked.
const maxRounds = 8

// forgetAfter is how long a path that is gone is remembered, so that siblings that appear late find their family.
const forgetAfter = time.Minute

// track is one path that a glob allows.
type track struct {
	path, source string
	gen          *generation // what the path names now, nil where nothing can be read
	link         string      // the file that the path led to at the last look, if it is a link
	problem      string
	denied       bool      // problem is that the rights are missing
	gone         time.Time // when the path was first found missing
}

// passLocked brings the given tracks up to date, with the siblings of the folders in dirs. Siblings are collected
// before live files are looked at, so that the copy of a live file can be told from a file of its own.
func (s *Set) passLocked(dirty map[*track]struct{}, dirs map[string]bool) {
	touched := map[*folder]struct{}{}
	collect := func(dir string) {
		f := s.folderLocked(dir)
		s.collectLocked(f)
		touched[f] = struct{}{}
	}
	for dir := range dirs {
		collect(dir)
		s.lookInLocked(dir)
	}
	for t := range dirty {
		if !dirs[filepath.Dir(t.path)] {
			s.lookLocked(t)
		}
	}
	for range maxRounds {
		if len(s.rotated) == 0 {
			break
		}
		again := s.rotated
		s.rotated = map[string]bool{}
		for dir := range again {
			collect(dir)
			s.lookInLocked(dir)
		}
	}
	for f := range touched {
		s.classifyLocked(f)
	}
	s.flushLocked()
}

func (s *Set) lookInLocked(dir string) {
	for path, t := range s.tracks {
		if filepath.Dir(path) == dir {
			s.lookLocked(t)
		}
	}
}

// flushLocked hands new generations to the readers: those that came and went unseen by age, then what is live. What a
// file grew by before it lost its name comes before them, what a live one grew by after them.
func (s *Set) flushLocked() {
	defer s.publishLocked()
	s.publishDrainingLocked()
	if len(s.unseen) == 0 && len(s.live) == 0 {
		return
	}
	current := map[*generation]bool{}
	for _, t := range s.tracks {
		current[t.gen] = true
	}
	for _, g := range s.live {
		if !current[g] {
			s.unseen = append(s.unseen, g)
		}
	}
	for _, g := range s.unseen {
		if g.sibling == nil {
			g.sibling = s.folderLocked(filepath.Dir(g.path)).siblings[fileID{g.dev, g.ino}]
		}
	}
	sort.SliceStable(s.unseen, func(i, j int) bool { return s.unseen[i].before(s.unseen[j]) })
	for _, g := range s.unseen {
		s.arriveLocked(g)
		g.release()
	}
	for _, g := range s.live {
		if current[g] {
			s.arriveLocked(g)
			g.release()
		}
	}
	s.unseen, s.live = nil, nil
}

// before orders generations of one path by age, the oldest first.
func (g *generation) before(o *generation) bool {
	if g.sibling != nil && o.sibling != nil {
		return g.sibling.before(o.sibling)
	}
	return g.mtime.Before(o.mtime)
}

// publishLocked tells the readers what grew.
func (s *Set) publishLocked() {
	for _, g := range s.grown {
		g.publish()
		s.wakeLocked(g)
	}
	clear(s.grown)
	s.grown = s.grown[:0]
}

// publishDrainingLocked tells the readers what files grew by that lost their names. Those that a younger file of the
// same path grew after are looked at once more: a writer that moved on left its last lines in them.
func (s *Set) publishDrainingLocked() {
	if len(s.draining) == 0 {
		return
	}
	younger := map[string]bool{}
	for _, list := range [...][]*generation{s.grown, s.unseen, s.live} {
		for _, g := range list {
			younger[g.path] = true
		}
	}
	for g := range s.draining {
		if younger[g.path] {
			s.drainOneLocked(g)
		}
	}
	s.grown = slices.DeleteFunc(s.grown, func(g *generation) bool {
		_, draining := s.draining[g]
		if draining {
			g.publish()
			s.wakeLocked(g)
		}
		return draining
	})
}

// lookLocked brings a track up to date with the file system.
func (s *Set) lookLocked(t *track) {
	file, info, err := s.resolve(t.path)
	t.problem, t.denied = "", errors.Is(err, fs.ErrPermission)
	switch {
	case err != nil && errors.Is(err, fs.ErrNotExist):
		s.missingLocked(t)
		return
	case t.denied:
		t.problem = err.Error() // what is open goes on
		return
	case err != nil:
		t.problem = err.Error()
		s.leaveLocked(t)
		return
	}
	t.gone = time.Time{}
	s.followLinkLocked(t, file)
	dev, ino := identity(info)
	if t.gen != nil && t.gen.dev == dev && t.gen.ino == ino {
		s.checkLocked(t)
		return
	}
	f, info, err := s.openFile(file)
	if err != nil {
		t.problem, t.denied = err.Error(), errors.Is(err, fs.ErrPermission)
		s.leaveLocked(t)
		return
	}
	s.leaveLocked(t)
	s.enterLocked(t, f, info)
}

func (s *Set) missingLocked(t *track) {
	s.leaveLocked(t)
	if t.gone.IsZero() {
		t.gone = time.Now()
	} else if time.Since(t.gone) > forgetAfter {
		delete(s.tracks, t.path)
		delete(s.links, t.link)
	}
}

// followLinkLocked remembers where a linked path leads, to be woken by changes there.
func (s *Set) followLinkLocked(t *track, file string) {
	link := ""
	if file != t.path {
		link = file
		s.watchLocked(filepath.Dir(file))
	}
	if link == t.link {
		return
	}
	delete(s.links, t.link)
	if t.link = link; link != "" {
		s.links[link] = t
	}
}

// enterLocked makes the open file the track's generation: one that is followed already under another name, or a new
// one.
func (s *Set) enterLocked(t *track, f *os.File, info fs.FileInfo) {
	dev, ino := identity(info)
	if g := s.heldLocked(fileID{dev, ino}, f); g != nil {
		_ = f.Close()
		t.gen = g.retain()
		if _, ok := s.draining[g]; ok {
			delete(s.draining, g)
			g.release()
		}
		return
	}
	s.watchLocked(filepath.Dir(t.path))
	t.gen = s.newGenerationLocked(t, newHandle(f), info)
	s.growLocked(t.gen, f, info.Size())
	s.live = append(s.live, t.gen.retain())
	if !s.first {
		s.rotated[filepath.Dir(t.path)] = true
	}
}

func (s *Set) newGenerationLocked(t *track, h *handle, info fs.FileInfo) *generation {
	s.lastID++
	g := &generation{place: s.lastID, source: t.source, path: t.path, mtime: info.ModTime(), grown: time.Now()}
	g.dev, g.ino = identity(info)
	g.born = born(h.f)
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
	t.gen = nil
	s.rotated[filepath.Dir(t.path)] = true
	if s.trackOfLocked(g) != nil { // it has another name that a glob allows
		g.release()
		return
	}
	g.grown = time.Now()
	s.draining[g] = struct{}{}
	s.drainOneLocked(g)
}

// trackOfLocked returns a track whose live generation g is, nil where it is none's.
func (s *Set) trackOfLocked(g *generation) *track {
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

// checkLocked looks whether the track's file grew or was truncated.
func (s *Set) checkLocked(t *track) {
	g := t.gen
	h := g.handle.Load()
	info, err := h.f.Stat()
	if err != nil {
		t.problem = fmt.Sprintf("look at %s: %v", t.path, err)
		return
	}
	if !s.grewLocked(g, h.f, info) {
		s.truncatedLocked(t, info)
	}
}

// grewLocked publishes what a file has more than at the last look; false says that it is not what it was.
func (s *Set) grewLocked(g *generation, f *os.File, info fs.FileInfo) bool {
	size := g.seen
	if info.Size() == size && info.ModTime().Equal(g.mtime) {
		return true
	}
	if info.Size() < size || !g.same(f) {
		return false
	}
	if info.Size() > size {
		g.top = info.Size()
		if !s.growLocked(g, f, info.Size()) {
			return true // it changes just now: the next look tells how
		}
		if size == 0 && g.hollow { // another life may have passed since the truncation, and is to come before it
			s.rotated[filepath.Dir(g.path)] = true
		}
		g.grown = time.Now()
	} else {
		s.grown = append(s.grown, g) // the time is told after what came and went unseen before it
	}
	g.mtime = info.ModTime()
	return true
}

func (s *Set) growLocked(g *generation, f *os.File, size int64) bool {
	if size > g.seen {
		if !g.grow(f, size) {
			return false
		}
		s.grown = append(s.grown, g)
	}
	return true
}

// drainLocked looks at the files that lost their names and lets go of those that are finished.
func (s *Set) drainLocked() {
	for g := range s.draining {
		s.drainOneLocked(g)
	}
	s.publishLocked()
}

func (s *Set) drainOneLocked(g *generation) {
	h := g.handle.Load()
	info, err := h.f.Stat()
	if err == nil && !s.grewLocked(g, h.f, info) {
		s.sealTruncatedLocked(g)
	} else if time.Since(g.grown) >= s.rotateWait {
		g.publish()
		g.sealed.Store(true)
		s.wakeLocked(g)
	}
	if g.sealed.Load() {
		delete(s.draining, g)
		g.release()
	}
}

// arriveLocked tells the readers of a new generation. Its size goes before it: a reader that found it empty would go on
// to a younger one.
func (s *Set) arriveLocked(g *generation) {
	g.publish()
	s.log.Debug("file_found", slog.String("path", g.path), slog.Uint64("place", g.place),
		slog.Uint64("inode", g.ino), slog.Int64("bytes", g.seen))
	for r := range s.readers {
		r.notify(g, true)
	}
}

func (s *Set) wakeLocked(g *generation) {
	for r := range s.readers {
		r.notify(g, false)
	}
}

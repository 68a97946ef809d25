package file

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sort"
	"time"
)

// maxRounds bounds how often one pass looks again because files rotated while it looked.
const maxRounds = 8

// forgetAfter is how long a path that is gone is remembered, so that siblings that appear late find their family.
const forgetAfter = time.Minute

// narrow is the number of followed files up to which a pass over a folder looks at all of them. In a wider folder it
// looks at those that the listing shows another file for, or none.
const narrow = 128

// passLocked brings the given tracks up to date, with the siblings of the folders in dirs. Siblings are collected
// before live files are looked at, so that the copy of a live file can be told from a file of its own.
func (s *Set) passLocked(dirty map[*track]struct{}, dirs map[string]bool) {
	s.takeCaughtLocked()
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
		if !dirs[t.folder.dir] || len(t.folder.tracks) > s.narrow {
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
	for g := range s.seeking {
		s.drainOneLocked(g)
	}
	for f := range touched {
		s.classifyLocked(f)
	}
	s.flushLocked()
}

// lookInLocked looks at the files of a folder that was just listed.
func (s *Set) lookInLocked(dir string) {
	f := s.folderLocked(dir)
	some := f.differ
	f.differ = nil
	if len(f.tracks) <= s.narrow {
		some = slices.Clone(f.tracks) // a look may forget one
	}
	for _, t := range some {
		s.lookLocked(t)
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
	for _, g := range s.live {
		if g.names == 0 {
			s.unseen = append(s.unseen, g)
		}
	}
	for _, g := range s.unseen {
		if g.rotated() == nil {
			g.tell().sibling = s.folderLocked(filepath.Dir(g.path)).siblings[fileID{g.dev, g.ino}]
		}
	}
	sort.SliceStable(s.unseen, func(i, j int) bool { return s.unseen[i].before(s.unseen[j]) })
	for _, g := range s.unseen {
		s.arriveLocked(g)
		g.release()
	}
	for _, g := range s.live {
		if g.names > 0 {
			s.arriveLocked(g)
			g.release()
		}
	}
	s.unseen, s.live = nil, nil
}

// before orders generations of one path by age, the oldest first.
func (g *generation) before(o *generation) bool {
	if a, b := g.rotated(), o.rotated(); a != nil && b != nil {
		return a.before(b)
	}
	return g.mtime < o.mtime
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
		if g.draining {
			g.publish()
			s.wakeLocked(g)
		}
		return g.draining
	})
}

// lookLocked brings a track up to date with the file system.
func (s *Set) lookLocked(t *track) {
	for range maxRounds {
		if s.lookOnceLocked(t) {
			break // otherwise it was renamed meanwhile
		}
	}
	t.written, t.looked = false, s.tick
	if s.tracks[t.path] == t {
		s.countLocked(t)
		s.scheduleLocked(t)
	}
}

// lookOnceLocked is false where the path led to another file before it could be opened.
func (s *Set) lookOnceLocked(t *track) bool {
	if st, err := lookAt(t.path); err == nil && t.gen != nil && t.plight == nil && st.unchanged(t.gen) {
		t.gen.rest(s)
		return true
	}
	file, st, err := s.resolve(t.path)
	if err != nil && errors.Is(err, fs.ErrNotExist) {
		t.ails(nil)
		s.missingLocked(t)
		return true
	}
	t.ails(err)
	if err != nil {
		if !t.denied { // what is open goes on otherwise
			s.leaveLocked(t)
		}
		return true
	}
	t.missing(time.Time{})
	s.followLinkLocked(t, file)
	if t.gen != nil && st.is(t.gen) {
		return st.unchanged(t.gen) || s.checkLocked(t)
	}
	f, info, err := s.openFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		t.ails(err)
		s.leaveLocked(t)
		return true
	}
	s.leaveLocked(t)
	s.enterLocked(t, f, info)
	return true
}

// scheduleLocked enters the next look at a track.
func (s *Set) scheduleLocked(t *track) {
	soon := wait(s.tick - t.changed)
	if s.first { // the looks at what exists already are spread
		soon = 1 + uint32(s.lastID)%soon
	}
	if due := s.tick + soon; t.due != due {
		t.due = due
		s.looks.put(t, due)
	}
}

func (s *Set) missingLocked(t *track) {
	s.leaveLocked(t)
	if gone := t.unusual().gone; gone.IsZero() {
		t.missing(time.Now())
	} else if time.Since(gone) > forgetAfter {
		s.forgetLocked(t)
	}
}

// followLinkLocked remembers where a linked path leads, to be woken by changes there.
func (s *Set) followLinkLocked(t *track, file string) {
	link := ""
	if file != t.path {
		link = file
		s.watchLocked(filepath.Dir(file))
	}
	p := t.unusual()
	if link == p.link {
		return
	}
	delete(s.links, p.link)
	p.link = link
	t.suffer(p)
	if link != "" {
		s.links[link] = t
	}
}

// checkLocked looks whether the track's file grew or was truncated. It is false where the path leads to another file by
// now.
func (s *Set) checkLocked(t *track) bool {
	g := t.gen
	h := g.handle.Load()
	switch err := h.f.pin(); {
	case errors.Is(err, errMoved), errors.Is(err, fs.ErrNotExist):
		return false
	case err != nil:
		t.ails(err)
		return true
	}
	defer h.f.unpin()
	info, err := h.f.Stat()
	if err != nil {
		t.ails(fmt.Errorf("look at %s: %w", t.path, err))
		return true
	}
	t.changed = s.tick
	if !s.grewLocked(g, h.f, info) {
		s.truncatedLocked(t, info)
	}
	return true
}

// grewLocked publishes what a file has more than at the last look; false says that it is not what it was.
func (s *Set) grewLocked(g *generation, f *lazyFile, info fs.FileInfo) bool {
	size := g.seen
	if info.Size() == size && info.ModTime().UnixNano() == g.mtime {
		return true
	}
	if info.Size() < size || !g.same(f) {
		return false
	}
	if info.Size() > size {
		if !s.growLocked(g, f, info.Size()) {
			g.tell().top = info.Size()
			return true // it changes just now: the next look tells how
		}
		if size == 0 && g.hollow { // another life may have passed since the truncation, and is to come before it
			s.rotated[filepath.Dir(g.path)] = true
		}
		g.grown = time.Since(s.started)
	} else {
		s.grown = append(s.grown, g) // the time is told after what came and went unseen before it
	}
	g.mtime = info.ModTime().UnixNano()
	return true
}

func (s *Set) growLocked(g *generation, f *lazyFile, size int64) bool {
	if size > g.seen {
		if !g.grow(f, size) {
			return false
		}
		if g.story != nil && g.story.before != nil && g.head.Load().len() > 0 {
			s.decideLocked(g.story.before, g.head.Load().from)
			g.story.before = nil
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
	if err := h.f.pin(); err != nil && !s.regainLocked(g) {
		s.seekLocked(g)
		return
	} else if err != nil && h.f.pin() != nil {
		return
	}
	defer h.f.unpin()
	delete(s.seeking, g)
	info, err := h.f.Stat()
	if err == nil && !s.grewLocked(g, h.f, info) {
		s.sealTruncatedLocked(g)
	} else if time.Since(s.started)-g.grown >= s.rotateWait {
		g.publish()
		g.sealed.Store(true)
		s.wakeLocked(g)
	}
	if g.sealed.Load() {
		s.drainedLocked(g)
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

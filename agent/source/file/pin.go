package file

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

const (
	// maxPinned bounds the rotated files that one reader holds open for its history.
	maxPinned = 8192
	// clockSlack is how far the times of lines may lie behind a file's own, mostly by a wrong time zone: a file that
	// was last written so long before the beginning of history is not looked into.
	clockSlack = 15 * time.Hour
)

// relative is a rotated sibling as a listing shows it.
type relative struct {
	path   string
	id     fileID
	packed format
	size   int64
	mtime  time.Time
	track  *track
}

// relativesLocked lists the siblings in a folder that wanted accepts, by path.
func (s *Set) relativesLocked(dir string, wanted func(string) bool) []relative {
	entries, err := os.ReadDir(dir)
	if err != nil && len(entries) == 0 {
		return nil
	}
	var out []relative
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		stem, packed := formatOf(path)
		if !e.Type().IsRegular() || s.tracks[path] != nil {
			continue
		}
		t := s.familyLocked(stem)
		if t == nil || !wanted(t.source) {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		dev, ino := identity(info)
		out = append(out, relative{
			path: path, id: fileID{dev, ino}, packed: packed, size: info.Size(), mtime: info.ModTime(), track: t,
		})
	}
	return out
}

// pins are files that history may need, open, by the path that they were rotated from. Whatever becomes of their names,
// they can be read.
type pins map[string][]*chapter

func (p pins) count() int {
	n := 0
	for _, chapters := range p {
		n += len(chapters)
	}
	return n
}

// has says whether a chapter of a generation is among them.
func (p pins) has(g *generation) bool {
	return slices.ContainsFunc(p[g.path], func(ch *chapter) bool { return ch.cursor.gen == g })
}

func (p pins) release() {
	for _, chapters := range p {
		for _, ch := range chapters {
			if ch.pinned {
				ch.cursor.gen.release()
			}
		}
	}
}

// pinLocked opens the rotated siblings that history may need: those that no generation is known of, that are no copy of
// a live file, and that were written late enough.
func (s *Set) pinLocked(wanted func(string) bool, start source.Start) pins {
	all := pins{}
	dirs := map[string]bool{}
	for path, t := range s.tracks {
		if wanted(t.source) {
			dirs[filepath.Dir(path)] = true
		}
	}
	for dir := range dirs {
		for round := range maxRounds {
			found, stable := s.pinFolderLocked(dir, wanted, start, maxPinned-all.count())
			if !stable && round < maxRounds-1 { // it rotated meanwhile
				found.release()
				continue
			}
			for path, chapters := range found {
				all[path] = chapters
			}
			break
		}
	}
	return all
}

// pinFolderLocked does it for one folder, and says whether the folder stayed as it was: the same files had the same
// names before all were opened and after it, and no live file was truncated.
func (s *Set) pinFolderLocked(
	dir string, wanted func(string) bool, start source.Start, room int,
) (found pins, stable bool) {
	found, stable = pins{}, true
	s.passLocked(nil, map[string]bool{dir: true})
	f := s.folderLocked(dir)
	listed := s.relativesLocked(dir, wanted)
	held := map[fileID]bool{}
	order := slices.Clone(listed)
	slices.SortStableFunc(order, func(a, b relative) int { return b.mtime.Compare(a.mtime) })
	for _, rel := range order {
		if held[rel.id] || s.held[rel.id] != nil || rel.size == 0 ||
			!start.Since.IsZero() && rel.mtime.Before(start.Since.Add(-clockSlack)) {
			continue
		}
		held[rel.id] = true // another name of it is the same file
		ch, ok := s.pinOneLocked(f, &rel, found.count() < room)
		stable = stable && ok
		if ch != nil {
			stem, packed := formatOf(rel.path)
			ch.beside = packed != "" && slices.ContainsFunc(listed, func(o relative) bool { return o.path == stem })
			found[rel.track.path] = append(found[rel.track.path], ch)
		}
	}
	same := slices.EqualFunc(listed, s.relativesLocked(dir, wanted), func(a, b relative) bool {
		return a.path == b.path && a.id == b.id
	})
	return found, stable && same && s.untouchedLocked(dir)
}

// untouchedLocked says whether the live files of a folder still have what was last seen of them.
func (s *Set) untouchedLocked(dir string) bool {
	for _, t := range s.folderLocked(dir).tracks {
		if t.gen == nil {
			continue
		}
		if st, err := lookAt(t.path); err == nil && !t.gen.handle.Load().f.isOpen() && st.unchanged(t.gen) {
			continue // to open very many files would take too long
		}
		if !t.gen.intact() {
			return false
		}
	}
	return true
}

// pinOneLocked opens one sibling. It returns nil where history does not need it, and false where it is not what was
// listed.
func (s *Set) pinOneLocked(f *folder, rel *relative, room bool) (*chapter, bool) {
	if !room || rel.packed != "" && rel.packed != formatGzip && rel.packed != formatZstd {
		return s.unreadableLocked(rel), true
	}
	file, info, err := s.openFile(rel.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false
	} else if err != nil {
		return s.unreadableLocked(rel), true
	}
	h := s.newHandle(file)
	dev, ino := identity(info)
	b := f.siblings[rel.id]
	if rel.id != (fileID{dev, ino}) || rel.packed == "" && (b == nil || b.fresh) {
		h.release()
		return nil, false
	}
	g := s.newGenerationLocked(rel.track, h, info)
	ch := &chapter{cursor: &cursor{gen: g}, path: rel.path, mtime: info.ModTime(), pinned: true}
	if rel.packed != "" {
		g.words = &words{rotated: rel.path, packed: rel.packed}
		g.sealed.Store(true)
		return ch, true
	}
	if copied, sure := rel.track.copied(h.f, info); copied || !sure || !g.grow(h.f, info.Size()) {
		g.release()
		return nil, copied
	}
	g.publish()
	g.tell().sibling = b
	s.drainLaterLocked(g.retain()) // a stale writer may go on
	return ch, true
}

// settle looks whether a live file still has its name, and where the search in a plain file ends.
func (ch *chapter) settle() {
	g := ch.cursor.gen
	if ch.live {
		info, err := os.Stat(g.path)
		if err == nil {
			dev, ino := identity(info)
			ch.settled = dev == g.dev && ino == g.ino
		}
	}
	if ch.pinned && g.packing() == "" {
		ch.cursor.end = g.size.Load()
	}
}

// unreadableLocked is a chapter that stands for a file that cannot be read: a gap.
func (s *Set) unreadableLocked(rel *relative) *chapter {
	s.lastID++
	g := &generation{place: s.lastID, source: rel.track.source, path: rel.track.path, dev: rel.id.dev, ino: rel.id.ino}
	g.words = &words{rotated: rel.path, why: wire.ReasonUnreadable}
	g.head.Store(newHead(0, nil))
	g.lost.Store(rel.size)
	g.torn.Store(true)
	g.sealed.Store(true)
	g.refs.Store(1)
	return &chapter{cursor: &cursor{gen: g}, path: rel.path, mtime: rel.mtime, pinned: true, broken: true}
}

// copied says whether the file is a copy of the beginning of what is followed as g.
func (g *generation) copied(f *lazyFile, copied fs.FileInfo) bool {
	h := g.handle.Load()
	info, err := h.f.Stat()
	if err != nil || copied.Size() > info.Size() {
		return false
	}
	if copied.Size() == info.Size() && copied.ModTime().Before(info.ModTime()) || !bornAfter(bornOf(f), g.born) {
		return false // a life that was the same
	}
	return sameBytes(f, h.f, 0, copied.Size()) && sameBytes(f, h.f, copied.Size()-keepBuffer, copied.Size())
}

// copied says whether the file is a copy of what the track's file has now. That is not sure where the track's file was
// truncated just now: the tracker will look for its copy.
func (t *track) copied(f *lazyFile, info fs.FileInfo) (copied, sure bool) {
	if t.gen == nil {
		return false, true
	}
	copied = t.gen.copied(f, info)
	return copied, copied || t.gen.intact()
}

// intact says whether the live file has what was last seen of it.
func (g *generation) intact() bool {
	f := g.handle.Load().f
	info, err := f.Stat()
	return err == nil && info.Size() >= g.seen && g.same(f)
}

// bornAfter says whether a file may have been made after another one; 0 is any time.
func bornAfter(a, b int64) bool { return a >= b || a == 0 || b == 0 }

// sameBytes compares what two files have between two offsets, no more than one buffer of it.
func sameBytes(a, b io.ReaderAt, from, to int64) bool {
	from = max(from, 0)
	n := int(min(to-from, keepBuffer))
	one, err := readAt(a, from, n)
	if err != nil || len(one) < n {
		return false
	}
	two, err := readAt(b, from, n)
	return err == nil && bytes.Equal(one, two)
}

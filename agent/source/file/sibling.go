package file

import (
	"bytes"
	"io/fs"
	"os"
	"sort"
	"time"
)

// dirSlack is how long after a change of a folder another change may leave the same time stamp.
const dirSlack = 50 * time.Millisecond

// maxOpenSiblings bounds the files of one folder that wait open for a truncation to follow their copying.
const maxOpenSiblings = 64

// fileID tells files apart while they exist.
type fileID struct{ dev, ino uint64 }

// folder is a directory that holds followed files, and what was found of their rotated siblings.
type folder struct {
	dir     string
	watched bool
	failed  string // why it cannot be watched
	siblings
	looked time.Time // when the siblings were collected last
	mtime  time.Time // of the directory at that time
	again  bool      // a sibling was empty or may be a copy in progress, or the listing failed
	// families are the siblings by their track, by age, as long as there are so many tracks; nil after a change.
	families map[*track][]*sibling
	known    int

	tracks []*track // the followed paths that lie in it
	differ []*track // those of them that the last listings showed something new of
	round  uint32   // the number of the last listing
	search bool     // a glob may find files or folders in it
	base   bool     // it is the base of a glob
	dev    uint64
	// changed is the tick of its last change, due that of the next look.
	changed, due uint32
}

// siblings are rotated files by identity.
type siblings map[fileID]*sibling

// sibling is a file that by its name was rotated away from a followed path.
type sibling struct {
	id    fileID
	path  string
	size  int64
	born  int64
	mtime time.Time
	head  []byte
	fresh bool    // appeared while the set ran, and nobody has said yet what it is
	open  *handle // kept while fresh or while it may be a copy in progress
	since time.Time
	of    uint64 // the place of the generation that is read from it or was copied to it, 0 for none
	seen  bool
	last  time.Time // when it was listed last
}

func (b *sibling) close() {
	b.open.release()
	b.open = nil
}

func (f *folder) forget() {
	for _, b := range f.siblings {
		b.close()
	}
}

// folderLocked returns the folder of a path.
func (s *Set) folderLocked(dir string) *folder {
	f := s.folders[dir]
	if f == nil {
		f = &folder{dir: dir, siblings: siblings{}, changed: s.tick}
		s.folders[dir] = f
		s.scheduleFolderLocked(f)
	}
	return f
}

// collectLocked looks which siblings a folder has. Those that are new are left open and fresh.
func (s *Set) collectLocked(f *folder) {
	for range maxRounds { // a listing may miss what is renamed meanwhile
		info, err := os.Stat(f.dir)
		if err != nil {
			f.differ = append(f.differ[:0], f.tracks...)
			return
		}
		f.dev, _ = identity(info)
		if !f.mtime.Equal(info.ModTime()) {
			f.changed = s.tick
		}
		s.listLocked(f)
		if f.mtime = info.ModTime(); f.mtime.Equal(modified(f.dir)) {
			return
		}
	}
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

func (s *Set) listLocked(f *folder) {
	f.looked, f.again, f.families = time.Now(), false, nil
	for _, b := range f.siblings {
		b.seen = false
	}
	if !s.namesLocked(f) {
		return
	}
	for id, b := range f.siblings {
		// One that waits open is kept: it may be a copy that was compressed and removed at once. The rest is kept for
		// a while too: a listing may miss what is just being renamed.
		if b.seen {
			b.last = f.looked
		} else if b.open == nil && f.looked.Sub(b.last) > forgetAfter {
			delete(f.siblings, id)
		}
	}
}

// siblingLocked brings what is known of one sibling up to date.
func (s *Set) siblingLocked(f *folder, path string, info fs.FileInfo) {
	dev, ino := identity(info)
	id := fileID{dev, ino}
	b := f.siblings[id]
	if b != nil && b.path == path && b.size == info.Size() && b.mtime.Equal(info.ModTime()) {
		b.seen = true
		return
	}
	if info.Size() == 0 {
		f.again = f.again || b == nil
		return
	}
	file, info, err := s.openFile(path)
	if err != nil {
		f.again = true
		return
	}
	s.meetLocked(f, path, file, info)
}

// meetLocked brings what is known of one sibling up to date with its open file, which it takes over.
func (s *Set) meetLocked(f *folder, path string, file *os.File, info fs.FileInfo) {
	h := s.newHandle(file)
	defer h.release()
	f.families = nil
	dev, ino := identity(info)
	id := fileID{dev, ino}
	head, err := readHead(file, headSize)
	if err != nil || len(head) == 0 {
		f.again = true
		return
	}
	b := f.siblings[id]
	if b == nil || !bytes.HasPrefix(head, b.head) { // new, or another file under a used inode
		if b != nil {
			b.close()
		}
		b = &sibling{id: id, since: time.Now(), born: born(file)}
		if s.newSiblingLocked(f, id, file, info) {
			b.fresh = true
			b.open = h.retain()
		}
		f.siblings[id] = b
	}
	b.path, b.size, b.mtime, b.head, b.seen = path, info.Size(), info.ModTime(), head, true
}

// newSiblingLocked says whether a sibling that was not known holds something that may have to be read.
func (s *Set) newSiblingLocked(f *folder, id fileID, file contents, info fs.FileInfo) bool {
	if s.first || info.ModTime().Before(s.started.Add(-dirSlack)) { // files are stamped by a coarse clock
		return false
	}
	return s.heldLocked(id, file) == nil
}

// heldLocked returns the generation that is followed under the identity and begins as the file does.
func (s *Set) heldLocked(id fileID, file contents) *generation {
	is := func(g *generation) bool {
		if !g.bornWith(file) {
			return false
		}
		h := g.head.Load()
		return h.len() == 0 || h.begins(file)
	}
	for g := s.held[id]; g != nil; g = g.twin() {
		if is(g) {
			return g
		}
	}
	return nil
}

// classifyLocked decides about a folder's fresh siblings: a copy of a live file is kept open until the file is
// truncated; everything else is a generation that came and went unseen.
func (s *Set) classifyLocked(f *folder) {
	fresh := map[*track][]*sibling{}
	waiting := 0
	for _, b := range f.siblings {
		if b.open == nil {
			continue
		}
		if !b.fresh {
			if time.Since(b.since) > s.rotateWait || waiting >= maxOpenSiblings {
				b.close() // a truncation that still comes finds it by name
			} else {
				waiting++
			}
			continue
		}
		if t := s.familyLocked(b.path); t == nil || s.heldLocked(b.id, b.open.f) != nil || s.twin(f, b) {
			b.fresh = false
			b.close()
		} else {
			fresh[t] = append(fresh[t], b)
		}
	}
	for t, family := range fresh {
		f.again = !s.classifyFamilyLocked(t, family) || f.again
	}
}

// classifyFamilyLocked does it for the fresh siblings of one path. It is false where that cannot be said yet.
func (s *Set) classifyFamilyLocked(t *track, family []*sibling) bool {
	sort.Slice(family, func(i, j int) bool { return family[i].before(family[j]) })
	copies := s.copiesLocked(t, family, nil)
	if t.gen != nil && len(copies) < len(family) && !t.gen.intact() {
		return false // it was truncated just now: the next look tells whether this is its copy
	}
	for _, b := range family {
		if copies[b] {
			b.fresh, b.since = false, time.Now()
		} else if !s.copyOfSoughtLocked(t, b) {
			s.adoptLocked(b)
		}
	}
	return true
}

// before orders siblings by age, the oldest first: by the time of the last write, and by number where a coarse clock
// gave two of them one time.
func (b *sibling) before(o *sibling) bool {
	if !b.mtime.Equal(o.mtime) {
		return b.mtime.Before(o.mtime)
	}
	m, n := rotationNumber(b.path), rotationNumber(o.path)
	return m > 0 && n > 0 && m > n
}

// twin says whether another known sibling has the same content. The same few lines written at another time are those of
// a program that writes them at each of its starts.
func (s *Set) twin(f *folder, b *sibling) bool {
	for _, o := range f.siblings {
		if o != b && !o.fresh && o.seen && o.size == b.size && bytes.Equal(o.head, b.head) &&
			(b.size >= headSize || o.mtime.Equal(b.mtime)) && s.sameTail(o, b) {
			return true
		}
	}
	return false
}

func (s *Set) sameTail(known, b *sibling) bool {
	f, info, err := s.openFile(known.path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	if info.Size() != b.size {
		return false
	}
	n := min(b.size, window)
	one, two := make([]byte, n), make([]byte, n)
	got, _ := f.ReadAt(one, b.size-n)
	if m, _ := b.open.f.ReadAt(two, b.size-n); int64(got) < n || int64(m) < n {
		return false
	}
	return bytes.Equal(one, two)
}

// startsAlike says whether the shorter of two beginnings, which is not empty, begins the other.
func startsAlike(a, b []byte) bool {
	n := min(len(a), len(b))
	return n > 0 && bytes.Equal(a[:n], b[:n])
}

// adoptLocked makes a fresh sibling a generation that is read from its beginning.
func (s *Set) adoptLocked(b *sibling) {
	b.fresh = false
	h := b.open
	b.open = nil
	info, err := h.f.Stat()
	if err != nil {
		h.release()
		return
	}
	t := s.familyLocked(b.path)
	g := s.newGenerationLocked(t, h, info)
	if !s.growLocked(g, h.f, info.Size()) {
		g.release()
		return
	}
	g.tell().sibling = b
	b.of = g.place
	s.unseenLocked(t, g)
}

package file

import (
	"context"
	"os"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

const (
	// maxCaught bounds the files that are held open until the tracker looks.
	maxCaught = 256
	// maxShort bounds the files without a name that are read to their end before one more that was caught is.
	maxShort = 1024
)

// caught is a file that a name led to when an event told of it.
type caught struct {
	fsnotify.Event
	file *os.File
}

// drop lets go of what nobody needs.
func (c caught) drop() { _ = c.file.Close() } // opened for reading only

// catches are the files that are held open until the tracker looks. They do not wait with their events: whatever the
// tracker does, it first takes what could be opened before, or it would not know later that it has dealt with it.
type catches struct {
	mu    sync.Mutex // guards files, also while one is opened; taken after Set.mu
	files []caught
}

// take takes out all files that wanted accepts, in the order of their events.
func (c *catches) take(wanted func(name string) bool) (out []caught) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var rest []caught
	for _, one := range c.files {
		if wanted(one.Name) {
			out = append(out, one)
		} else {
			rest = append(rest, one)
		}
	}
	c.files = rest
	return out
}

// catchAll catches what events tell of and passes them on until ctx ends, and closes out then.
func (s *Set) catchAll(ctx context.Context, events <-chan fsnotify.Event, out chan<- fsnotify.Event) {
	defer close(out)
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-events:
			s.catch(ev)
			select {
			case <-ctx.Done():
				return
			case out <- ev:
			}
		}
	}
}

// catch opens at once what appeared under a name that is followed, or that what is followed is rotated to. While the
// tracker is busy, or waits for its turn, it may be gone from there: a file that lives no longer than it takes to wake
// up and open it is lost, and nobody can know.
func (s *Set) catch(ev fsnotify.Event) {
	if !ev.Has(fsnotify.Create) || s.globFor(ev.Name) == nil && !s.shadow(ev.Name) {
		return
	}
	s.catches.mu.Lock()
	defer s.catches.mu.Unlock()
	if len(s.catches.files) >= maxCaught {
		return
	}
	if f, _, err := s.openFile(ev.Name); err == nil { // the tracker tells why not
		s.catches.files = append(s.catches.files, caught{ev, f})
	}
}

// takeCaughtLocked takes all that was caught.
func (s *Set) takeCaughtLocked() {
	for _, c := range s.catches.take(func(string) bool { return true }) {
		s.caughtLocked(c, s.trackForLocked(c.Name, c.Op))
	}
}

// meetCaughtLocked takes what was caught of the siblings of a folder.
func (s *Set) meetCaughtLocked(f *folder) {
	for _, c := range s.catches.take(func(name string) bool {
		return filepath.Dir(name) == f.dir && s.tracks[name] == nil && s.familyLocked(name) != nil
	}) {
		s.caughtLocked(c, nil)
	}
}

// caughtLocked takes a file that was caught.
func (s *Set) caughtLocked(h caught, t *track) {
	info, err := h.file.Stat()
	if err != nil {
		h.drop()
		return
	}
	dev, ino := identity(info)
	id := fileID{dev, ino}
	there := s.leadsTo(h.Name, id)
	switch {
	case there && t != nil && (t.gen == nil || id != fileID{t.gen.dev, t.gen.ino}):
		s.leaveLocked(t)
		s.enterLocked(t, h.file, info)
	case there || s.heldLocked(id, h.file) != nil:
		h.drop()
	case t != nil:
		s.shortLocked(t, h.file, info)
	case s.familyLocked(h.Name) != nil && info.Size() > 0:
		s.meetLocked(s.folderLocked(filepath.Dir(h.Name)), h.Name, h.file, info)
	default:
		h.drop()
	}
}

// leadsTo says whether a path names a file.
func (s *Set) leadsTo(path string, id fileID) bool {
	_, st, err := s.resolve(path)
	return err == nil && st.id == id
}

// shortLocked makes a file that is gone from a track's path a generation, before what the path leads to now.
func (s *Set) shortLocked(t *track, f *os.File, info os.FileInfo) {
	h := s.newHandle(f)
	if len(s.draining) >= maxShort {
		h.release()
		return
	}
	g := s.newGenerationLocked(t, h, info)
	if !s.growLocked(g, h.f, info.Size()) {
		g.release()
		return
	}
	if t.gen != nil && g.born > t.gen.born && t.gen.born != 0 {
		s.leaveLocked(t) // it is older, and lost its name since
	}
	s.unseenLocked(t, g)
}

// unseenLocked notes a generation that came and went unseen, to be read from its beginning.
func (s *Set) unseenLocked(t *track, g *generation) {
	if t.gen != nil {
		g.next = t.gen.place
	}
	s.drainLaterLocked(g)
	s.unseen = append(s.unseen, g.retain())
}

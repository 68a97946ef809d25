package file

import (
	"context"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

const (
	// maxCaught bounds the files that are held open until the tracker looks.
	maxCaught = 256
	// maxShort bounds the files without a name that are read to their end before one more that was caught is.
	maxShort = 1024
)

// hint is a wake-up, and the file that its name led to at that moment if that may soon be gone.
type hint struct {
	fsnotify.Event
	file *os.File
}

// drop lets go of what nobody needs.
func (h hint) drop() {
	if h.file != nil {
		_ = h.file.Close() // opened for reading only
	}
}

// catchAll passes events on as hints until ctx ends, and closes out then.
func (s *Set) catchAll(ctx context.Context, events <-chan fsnotify.Event, out chan<- hint) {
	defer close(out)
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-events:
			h := s.catch(ev, len(out) < maxCaught)
			select {
			case <-ctx.Done():
				h.drop()
				return
			case out <- h:
			}
		}
	}
}

// catch opens at once what appeared under a name that is followed, or that what is followed is rotated to. While the
// tracker is busy, or waits for its turn, it may be gone from there: a file that lives no longer than it takes to wake
// up and open it is lost, and nobody can know.
func (s *Set) catch(ev fsnotify.Event, room bool) hint {
	h := hint{Event: ev}
	if room && ev.Has(fsnotify.Create) && (s.globFor(ev.Name) != nil || s.shadow(ev.Name)) {
		h.file, _, _ = s.openFile(ev.Name) // the tracker tells why not
	}
	return h
}

// caughtLocked takes what a hint holds open.
func (s *Set) caughtLocked(h hint, t *track) {
	if h.file == nil {
		return
	}
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

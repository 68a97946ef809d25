package file

import (
	"io/fs"
	"log/slog"

	"github.com/fsnotify/fsnotify"
)

// folder is a directory that holds followed files.
type folder struct {
	watched bool
}

func (f *folder) forgetLocked() {}

// watchLocked asks once to be woken by changes in dir.
func (s *Set) watchLocked(w *fsnotify.Watcher, dir string) {
	f := s.folders[dir]
	if f == nil {
		f = &folder{}
		s.folders[dir] = f
	}
	if f.watched || w == nil || w.Events == nil {
		return
	}
	if err := w.Add(dir); err != nil {
		s.log.Warn("file_watch_failed", slog.String("folder", dir), slog.Any("error", err))
	}
	f.watched = true
}

// truncatedLocked ends the track's generation where it was cut and begins the next one in the same file.
func (s *Set) truncatedLocked(t *track, info fs.FileInfo) {
	old := t.gen
	h := old.handle.Load().retain()
	old.lost.Store(old.size.Load())
	old.torn.Store(true)
	old.size.Store(0)
	old.handle.Swap(nil).release()
	old.sealed.Store(true)
	s.wakeLocked(old)
	old.release()
	t.gen = s.newGenerationLocked(t, h, info)
	t.gen.hollow = true
	if info.Size() > 0 {
		t.gen.grow(h.f, info.Size())
	}
	s.arriveLocked(t.gen)
}

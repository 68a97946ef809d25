package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

// scanShare bounds the part of the time that polling may take: a scan is followed by at least so many times its length.
const scanShare = 20

// track is one path that a glob allows.
type track struct {
	path, source string
	gen          *generation // what the path names now, nil where nothing can be read
	real         string      // where the path led at the last look, the same but for links
	problem      string
	missed       bool // the last search did not find the path
}

// Run implements [source.Source].
func (s *Set) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewBufferedWatcher(4096)
	if err != nil { // polling goes on without the hint
		s.log.Warn("file_watch_failed", slog.Any("error", err))
		watcher = &fsnotify.Watcher{}
	} else {
		defer func() { _ = watcher.Close() }()
	}
	s.mu.Lock()
	if s.running {
		s.mu.Unlock()
		return errors.New("run file source: it runs already")
	}
	s.running = true
	took := s.scanLocked(watcher)
	s.mu.Unlock()
	defer s.stop()

	timer := time.NewTimer(max(s.poll, scanShare*took))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev, ok := <-watcher.Events:
			if !ok {
				watcher.Events = nil
				continue
			}
			s.mu.Lock()
			s.eventsLocked(watcher, ev)
			s.mu.Unlock()
			continue
		case err := <-watcher.Errors:
			if err != nil && !errors.Is(err, fsnotify.ErrEventOverflow) {
				s.log.Warn("file_watch_failed", slog.Any("error", err))
			}
		case <-timer.C:
		}
		s.mu.Lock()
		took = s.scanLocked(watcher)
		s.mu.Unlock()
		timer.Reset(max(s.poll, scanShare*took))
	}
}

// stop lets go of every file; readers keep what they hold.
func (s *Set) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	for _, t := range s.tracks {
		if t.gen != nil {
			t.gen.release()
		}
	}
	for g := range s.draining {
		g.release()
	}
	for _, f := range s.folders {
		f.forgetLocked()
	}
	s.tracks, s.folders, s.draining = map[string]*track{}, map[string]*folder{}, map[*generation]struct{}{}
}

// scanLocked looks at everything and returns how long that took.
func (s *Set) scanLocked(w *fsnotify.Watcher) time.Duration {
	began := time.Now()
	for _, t := range s.tracks {
		t.missed = true
	}
	clear(s.problems)
	for i := range s.globs {
		g := &s.globs[i]
		paths, err := g.search()
		if err != nil {
			s.problems[g.name(g.pattern)] = err.Error()
			continue
		}
		for _, path := range paths {
			if t := s.tracks[path]; t != nil {
				t.missed = false
			} else {
				s.tracks[path] = &track{path: path, source: g.name(path)}
			}
		}
	}
	for _, t := range s.tracks {
		s.lookLocked(w, t)
	}
	s.drainLocked()
	s.tellChangesLocked()
	return time.Since(began)
}

// eventsLocked handles one event and all that wait behind it.
func (s *Set) eventsLocked(w *fsnotify.Watcher, ev fsnotify.Event) {
	dirty := map[string]fsnotify.Op{ev.Name: ev.Op}
	for more := true; more && len(dirty) < 1024; {
		select {
		case ev, ok := <-w.Events:
			if more = ok; ok {
				dirty[ev.Name] |= ev.Op
			}
		default:
			more = false
		}
	}
	for name, op := range dirty {
		s.touchedLocked(w, name, op)
	}
	s.tellChangesLocked()
}

func (s *Set) touchedLocked(w *fsnotify.Watcher, name string, op fsnotify.Op) {
	t := s.tracks[name]
	if t == nil && op.Has(fsnotify.Create) {
		if g := s.globFor(name); g != nil {
			t = &track{path: name, source: g.name(name)}
			s.tracks[name] = t
		}
	}
	if t != nil {
		s.lookLocked(w, t)
	}
}

// lookLocked brings a track up to date with the file system.
func (s *Set) lookLocked(w *fsnotify.Watcher, t *track) {
	real, info, err := s.resolve(t.path)
	t.problem = ""
	switch {
	case err != nil && errors.Is(err, fs.ErrNotExist):
		s.leaveLocked(t)
		if t.missed {
			delete(s.tracks, t.path)
		}
		return
	case err != nil:
		t.problem = err.Error()
		s.leaveLocked(t)
		return
	}
	t.real = real
	s.watchLocked(w, filepath.Dir(t.path))
	dev, ino := identity(info)
	if t.gen != nil && t.gen.dev == dev && t.gen.ino == ino {
		s.checkLocked(t)
		return
	}
	f, info, err := s.openFile(real)
	if err != nil {
		t.problem = err.Error()
		if t.gen != nil {
			s.leaveLocked(t)
		}
		return
	}
	s.leaveLocked(t)
	s.enterLocked(t, f, info)
}

// enterLocked begins a generation with the open file.
func (s *Set) enterLocked(t *track, f *os.File, info fs.FileInfo) {
	t.gen = s.newGenerationLocked(t, newHandle(f), info)
	if info.Size() > 0 {
		t.gen.grow(f, info.Size())
	}
	s.arriveLocked(t.gen)
}

func (s *Set) newGenerationLocked(t *track, h *handle, info fs.FileInfo) *generation {
	s.lastID++
	g := &generation{place: s.lastID, source: t.source, path: t.path, mtime: info.ModTime(), grown: time.Now()}
	g.dev, g.ino = identity(info)
	g.handle.Store(h)
	g.head.Store(newHead(nil))
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
	g.grown = time.Now()
	s.draining[g] = struct{}{}
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
	if info.Size() == g.size.Load() && info.ModTime().Equal(g.mtime) {
		return
	}
	if info.Size() < g.size.Load() || !g.same(h.f) {
		s.truncatedLocked(t, info)
		return
	}
	g.mtime = info.ModTime()
	if info.Size() > g.size.Load() && g.grow(h.f, info.Size()) {
		g.grown = time.Now()
		s.wakeLocked(g)
	}
}

// drainLocked looks at the files that lost their names and lets go of those that are finished.
func (s *Set) drainLocked() {
	for g := range s.draining {
		if h := g.handle.Load(); h != nil {
			if info, err := h.f.Stat(); err == nil {
				if info.Size() > g.size.Load() && g.grow(h.f, info.Size()) {
					g.grown = time.Now()
					s.wakeLocked(g)
				}
			}
		}
		if time.Since(g.grown) >= s.rotateWait {
			g.sealed.Store(true)
			s.wakeLocked(g)
			delete(s.draining, g)
			g.release()
		}
	}
}

func (s *Set) arriveLocked(g *generation) {
	for r := range s.readers {
		r.notify(g, true)
	}
}

func (s *Set) wakeLocked(g *generation) {
	for r := range s.readers {
		r.notify(g, false)
	}
}

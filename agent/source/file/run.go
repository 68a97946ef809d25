package file

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// scanShare bounds the part of the time that polling takes: a scan is followed by so many times its own length.
	scanShare = 20
	// eventBuffer is how many wake-ups wait while the tracker looks; beyond it the kernel's own queue fills.
	eventBuffer = 4096
	// maxEvents bounds the names of one pass.
	maxEvents = 1024
)

// Run implements [source.Source].
func (s *Set) Run(ctx context.Context) error {
	var events <-chan fsnotify.Event
	var failures <-chan error
	hints := make(chan hint, eventBuffer) // closed by catchAll
	watcher, err := fsnotify.NewBufferedWatcher(eventBuffer)
	if err != nil { // polling goes on without the hint
		s.log.Warn("file_watch_failed", slog.Any("reason", err))
	} else {
		defer func() { _ = watcher.Close() }()
		events, failures = watcher.Events, watcher.Errors
	}
	took, err := s.begin(watcher)
	if err != nil {
		return err
	}
	defer s.end()
	ctx, cancel := context.WithCancel(ctx)
	go s.catchAll(ctx, events, hints)
	defer func() {
		cancel()
		for h := range hints {
			h.drop()
		}
	}()
	timer := time.NewTimer(max(s.poll, scanShare*took))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case h, ok := <-hints:
			if ok {
				s.handle(h, hints)
			}
			continue
		case err := <-failures:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				s.log.Warn("file_watch_failed", slog.Any("reason", err))
			}
		case <-timer.C:
		}
		timer.Reset(max(s.poll, scanShare*s.scan()))
	}
}

// begin takes stock of what exists.
func (s *Set) begin(w *fsnotify.Watcher) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watcher != nil || s.running {
		return 0, errors.New("run file source: it runs or ran already")
	}
	s.watcher, s.running, s.first, s.started = w, true, true, time.Now()
	took := s.scanLocked()
	s.first = false
	close(s.ready)
	return took, nil
}

// end lets go of every file; readers keep what they hold.
func (s *Set) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	s.replay.rest(true)
	for _, t := range s.tracks {
		if t.gen != nil {
			t.gen.release()
		}
	}
	for g := range s.draining {
		g.release()
	}
	for _, f := range s.folders {
		f.forget()
	}
	clear(s.tracks)
	clear(s.folders)
	clear(s.draining)
	clear(s.links)
}

// scan looks at everything and returns how long that took.
func (s *Set) scan() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scanLocked()
}

func (s *Set) scanLocked() time.Duration {
	began := time.Now()
	dirty := map[*track]struct{}{}
	dirs := map[string]bool{}
	clear(s.problems)
	for i := range s.globs {
		g := &s.globs[i]
		s.watchLocked(g.base)
		paths, err := g.search()
		if err != nil {
			s.problems[g.name(g.pattern)] = err.Error()
		}
		for _, path := range paths {
			s.admitLocked(g, path)
		}
	}
	for path, t := range s.tracks {
		dirty[t] = struct{}{}
		s.folderLocked(filepath.Dir(path))
	}
	for dir, f := range s.folders {
		if s.staleLocked(f) {
			dirs[dir] = true
		}
	}
	s.passLocked(dirty, dirs)
	s.drainLocked()
	s.tellChangesLocked()
	s.replay.rest(false)
	return time.Since(began)
}

// admitLocked follows a path that a glob found.
func (s *Set) admitLocked(g *glob, path string) *track {
	t := s.tracks[path]
	if t == nil && !s.shadow(path) {
		t = &track{path: path, source: g.name(path)}
		s.tracks[path] = t
	}
	return t
}

// staleLocked says whether a folder may have siblings that were not collected.
func (s *Set) staleLocked(f *folder) bool {
	if f.again || f.looked.Sub(f.mtime) < dirSlack {
		return true
	}
	for _, b := range f.siblings {
		if b.open != nil {
			return true
		}
	}
	info, err := os.Stat(f.dir)
	return err == nil && !info.ModTime().Equal(f.mtime)
}

// handle looks at what a hint and all that wait behind it name.
func (s *Set) handle(h hint, more <-chan hint) {
	names := map[string]fsnotify.Op{h.Name: h.Op}
	caught := []hint{h}
	for len(names) < maxEvents && len(caught) < maxCaught {
		select {
		case h, ok := <-more:
			if !ok {
				break
			}
			names[h.Name] |= h.Op
			if h.file != nil {
				caught = append(caught, h)
			}
			continue
		default:
		}
		break
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dirty := map[*track]struct{}{}
	dirs := map[string]bool{}
	for _, h := range caught {
		s.caughtLocked(h, s.trackForLocked(h.Name, h.Op))
	}
	for name, op := range names {
		s.touchedLocked(name, op, dirty, dirs)
	}
	s.passLocked(dirty, dirs)
	if len(dirs) > 0 {
		s.tellChangesLocked()
	}
}

// touchedLocked adds what an event concerns to the tracks and folders of a pass.
func (s *Set) touchedLocked(name string, op fsnotify.Op, dirty map[*track]struct{}, dirs map[string]bool) {
	t := s.trackForLocked(name, op)
	dir := filepath.Dir(name)
	named := op.Has(fsnotify.Create) || op.Has(fsnotify.Rename) || op.Has(fsnotify.Remove)
	if t != nil {
		dirty[t] = struct{}{}
		if named {
			dirs[dir] = true
		}
		return
	}
	if s.familyLocked(name) == nil {
		return
	}
	if named || s.folderLocked(dir).again {
		dirs[dir] = true
		return
	}
	s.drainLocked()
}

// trackForLocked returns the track that an event concerns, a new one where a file appeared that a glob allows.
func (s *Set) trackForLocked(name string, op fsnotify.Op) *track {
	t := s.tracks[name]
	if t == nil {
		t = s.links[name]
	}
	if t == nil && op.Has(fsnotify.Create) {
		if g := s.globFor(name); g != nil {
			t = s.admitLocked(g, name)
		}
	}
	return t
}

// watchLocked asks once to be woken by changes in dir.
func (s *Set) watchLocked(dir string) {
	f := s.folderLocked(dir)
	if f.watched || s.watcher == nil {
		return
	}
	if err := s.watcher.Add(dir); err != nil {
		if !errors.Is(err, os.ErrNotExist) && f.failed == "" {
			f.failed = err.Error() // told once: polling goes on
			s.log.Warn("file_watch_failed", slog.String("folder", dir), slog.Any("reason", err))
		}
		return
	}
	f.watched = true
}

package file

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// longPass is how long a pass over what events named may take without a rest, eventShare how many times its own
	// length the rest is.
	longPass   = 5 * time.Millisecond
	eventShare = 4
	// relistTicks is after how many ticks a folder is listed although it seems unchanged (a minute at the default
	// period): not every file system tells.
	relistTicks = 240
	// firstTick is the tick of the first scan, so late that what happened before it has a tick too.
	firstTick = 1 << 16
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
	hints := make(chan fsnotify.Event, eventBuffer) // closed by catchAll
	watcher, err := fsnotify.NewBufferedWatcher(eventBuffer)
	if err != nil { // polling goes on without the hint
		s.log.Warn("file_watch_failed", slog.Any("reason", err))
	} else {
		defer func() { _ = watcher.Close() }()
		events, failures = watcher.Events, watcher.Errors
	}
	if err := s.begin(watcher); err != nil {
		return err
	}
	defer s.end()
	ctx, cancel := context.WithCancel(ctx)
	go s.catchAll(ctx, events, hints)
	defer func() {
		cancel()
		for range hints { // until nothing is caught any more
			continue
		}
	}()
	timer := time.NewTimer(s.poll)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case h, ok := <-hints:
			if ok && !rest(ctx, s.handle(h, hints)) {
				return nil
			}
			continue
		case err := <-failures:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				s.log.Warn("file_watch_failed", slog.Any("reason", err))
			}
			s.missedEvents()
		case <-timer.C:
			select { // what is waiting to be told tells more than a look
			case h, ok := <-hints:
				if ok {
					s.handle(h, hints)
				}
			default:
			}
		}
		timer.Reset(max(s.poll, scanShare*s.turn()))
	}
}

// rest waits after a pass over what events named, where it took long, so that very many events in a very wide folder do
// not take all of a core: they gather meanwhile. It is false when ctx ended.
func rest(ctx context.Context, took time.Duration) bool {
	if took < longPass {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(eventShare * took):
		return true
	}
}

// begin takes stock of what exists.
func (s *Set) begin(w *fsnotify.Watcher) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watcher != nil || s.running {
		return errors.New("run file source: it runs or ran already")
	}
	s.watcher, s.running, s.first, s.started = w, true, true, time.Now()
	s.tick = firstTick
	for i := range s.globs {
		f := s.folderLocked(s.globs[i].base)
		f.base, f.search, f.again = true, true, true
		s.watchLocked(f.dir)
	}
	s.scanLocked()
	s.first = false
	close(s.ready)
	return nil
}

// end lets go of every file; readers keep what they hold.
func (s *Set) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running = false
	for _, c := range s.catches.take(func(string) bool { return true }) {
		c.drop()
	}
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
	clear(s.seeking)
	for g := range s.doubtful {
		s.decideLocked(g, 0)
	}
	clear(s.held)
	clear(s.links)
	s.looks, s.visits = agenda[*track]{}, agenda[*folder]{}
}

// turn looks at what is due in the next tick and returns how long that took. A tick is as long as the period of
// polling, or longer where the looks of one take more than a scanShare-th of it.
func (s *Set) turn() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	began := time.Now()
	s.tick++
	dirty := map[*track]struct{}{}
	dirs := map[string]bool{}
	for _, t := range s.looks.take(s.tick) {
		if t.due == s.tick {
			dirty[t] = struct{}{}
		}
	}
	for _, f := range s.visits.take(s.tick) {
		if f.due == s.tick {
			s.visitLocked(f, dirs)
		}
	}
	s.lookRoundLocked(dirty, dirs)
	s.endDoubtsLocked()
	return time.Since(began)
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
	for _, t := range s.tracks {
		dirty[t] = struct{}{}
	}
	for _, f := range s.folders {
		s.visitLocked(f, dirs)
	}
	s.lookRoundLocked(dirty, dirs)
	return time.Since(began)
}

// lookRoundLocked looks at the given tracks and folders, and at the folders that are found in them.
func (s *Set) lookRoundLocked(dirty map[*track]struct{}, dirs map[string]bool) {
	for {
		s.passLocked(dirty, dirs)
		if len(s.found) == 0 {
			break
		}
		dirty, dirs = nil, map[string]bool{}
		for _, f := range s.found {
			dirs[f.dir] = true
		}
		s.found = nil
	}
	s.drainLocked()
	s.tellChangesLocked()
	s.replay.rest(false)
}

// visitLocked looks whether a folder has to be listed, adds it to dirs then, and enters the next visit.
func (s *Set) visitLocked(f *folder, dirs map[string]bool) {
	if f.base {
		s.reachLocked(f)
	}
	switch stale, err := s.staleLocked(f); {
	case stale:
		dirs[f.dir] = true
	case errors.Is(err, os.ErrNotExist) && !f.base && len(f.tracks) == 0:
		f.forget()
		delete(s.folders, f.dir)
		f.due = 0
		return
	}
	s.scheduleFolderLocked(f)
}

// scheduleFolderLocked enters the next visit of a folder.
func (s *Set) scheduleFolderLocked(f *folder) {
	soon := wait(s.tick - f.changed)
	if f.base || f.again || len(f.differ) > 0 || f.waiting() {
		soon = 1
	}
	if due := s.tick + soon; f.due != due {
		f.due = due
		s.visits.put(f, due)
	}
}

// waiting says whether siblings wait open.
func (f *folder) waiting() bool {
	for _, b := range f.siblings {
		if b.open != nil {
			return true
		}
	}
	return false
}

// reachLocked looks whether the base of a glob can be searched.
func (s *Set) reachLocked(f *folder) {
	for i := range s.globs {
		g := s.globs[i]
		if g.base != f.dir {
			continue
		}
		name := g.name(g.pattern)
		if err := g.reach(); err != nil {
			s.problemLocked(name, err.Error())
			f.again = true // it is listed as soon as it can be
		} else {
			s.problemLocked(name, "")
		}
	}
}

// admitLocked follows a path that a glob found.
func (s *Set) admitLocked(g *glob, path string) *track {
	t := s.tracks[path]
	if t == nil && !s.shadow(path) {
		t = s.newTrackLocked(path, g.name(path))
	}
	return t
}

// staleLocked says whether a folder may have names that were not collected. The error is that of the look.
func (s *Set) staleLocked(f *folder) (bool, error) {
	if f.again || f.looked.Sub(f.mtime) < dirSlack || f.waiting() || time.Since(f.looked) > relistTicks*s.poll {
		return true, nil
	}
	info, err := os.Stat(f.dir)
	return err == nil && !info.ModTime().Equal(f.mtime), err
}

// missedEvents notes that events were lost: everything is looked at again, and what vanished meanwhile may have been
// written to before.
func (s *Set) missedEvents() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.missed = s.tick
	s.scanLocked()
}

// handle looks at what a hint and all that wait behind it name, and returns how long that took.
func (s *Set) handle(h fsnotify.Event, more <-chan fsnotify.Event) time.Duration {
	began := time.Now()
	names := map[string]fsnotify.Op{h.Name: h.Op}
	for len(names) < maxEvents {
		select {
		case h, ok := <-more:
			if !ok {
				break
			}
			names[h.Name] |= h.Op
			continue
		default:
		}
		break
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dirty := map[*track]struct{}{}
	dirs := map[string]bool{}
	s.takeCaughtLocked()
	for name, op := range names {
		s.touchedLocked(name, op, dirty, dirs)
	}
	s.passLocked(dirty, dirs)
	for len(s.found) > 0 {
		dirs := map[string]bool{}
		for _, f := range s.found {
			dirs[f.dir] = true
		}
		s.found = nil
		s.passLocked(nil, dirs)
	}
	s.tellChangesLocked()
	if len(s.tracks) <= narrow {
		return 0 // it took long because others were busy
	}
	return time.Since(began)
}

// touchedLocked adds what an event concerns to the tracks and folders of a pass.
func (s *Set) touchedLocked(name string, op fsnotify.Op, dirty map[*track]struct{}, dirs map[string]bool) {
	t := s.trackForLocked(name, op)
	lost := op.Has(fsnotify.Rename) || op.Has(fsnotify.Remove)
	if f := s.folders[name]; f != nil && lost {
		f.watched = false
		dirs[name] = true
	}
	dir := filepath.Dir(name)
	named := lost || op.Has(fsnotify.Create)
	if t != nil {
		dirty[t] = struct{}{}
		t.written = t.written || op.Has(fsnotify.Write) || op.Has(fsnotify.Rename)
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

// trackForLocked returns the track that an event concerns, a new one where a file appeared that a glob allows. A folder
// that appeared is searched where a glob leads into it.
func (s *Set) trackForLocked(name string, op fsnotify.Op) *track {
	t := s.tracks[name]
	if t == nil {
		t = s.links[name]
	}
	if t == nil && op.Has(fsnotify.Create) {
		s.descendLocked(name, fs.ModeIrregular)
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

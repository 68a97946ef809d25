package file

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spilelog/spile/agent/source"
)

// maxRange bounds the bytes of one ReadRange.
const maxRange = 64 << 20

func rangeError(at source.Position, from, to int64) error {
	return fmt.Errorf("read range of %s: [%d, %d) is out of order or longer than %d bytes", at.Path, from, to, maxRange)
}

func goneError(at source.Position, from, to int64) error {
	return fmt.Errorf("read range [%d, %d) of %s: %w", from, to, at.Path, source.ErrGone)
}

// open makes a reader and sets where it begins. History is searched without the lock: what grows meanwhile waits in
// the reader's inbox.
func (s *Set) open(ctx context.Context, start source.Start) (source.Reader, error) {
	r := s.newReader(start)
	found, err := s.register(r, start)
	if err != nil {
		return nil, err
	}
	if err := r.seekHistory(ctx, start, found); err != nil {
		_ = r.Close()
		return nil, fmt.Errorf("open reader: %w", err)
	}
	if start.TimeOf != nil {
		r.beginMerge()
	}
	return r, nil
}

// register gives a reader its cursors and lets the tracker tell it what comes. It returns what the history may lie in,
// where one is asked for.
func (s *Set) register(r *reader, start source.Start) (pins, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, errNotRunning
	}
	s.scanLocked() // what exists now, not at the last poll
	if start.Resume != nil {
		s.readers[r] = struct{}{}
		s.resumeLocked(r, start.Resume)
		return nil, nil
	}
	var found pins
	for round := range maxRounds {
		if !start.Since.IsZero() || start.Tail > 0 {
			found = s.pinLocked(r.accepts, start)
		}
		if s.beginAtEndLocked(r, found) || round == maxRounds-1 {
			break
		}
		r.forget() // a file was truncated meanwhile
		found.release()
		s.scanLocked()
	}
	s.readers[r] = struct{}{} // what was found so far is no news
	for path := range found {
		for _, ch := range found[path] {
			ch.settle()
		}
	}
	return found, nil
}

// beginAtEndLocked gives a reader a cursor at the end of each file. It is false where one has changed under it.
func (s *Set) beginAtEndLocked(r *reader, found pins) bool {
	steady := true
	for _, t := range s.tracks {
		if g := t.gen; g != nil && r.accepts(g.source) && (found != nil || !r.restAtEnd(g)) {
			steady = r.atEnd(g, found, true) && steady
		}
	}
	for g := range s.draining { // a stale writer may go on
		if r.accepts(g.source) && !found.has(g) {
			steady = r.atEnd(g, found, false) && steady
		}
	}
	return steady
}

// atEnd adds a cursor at the end of a generation, and says whether that could be read.
func (r *reader) atEnd(g *generation, found pins, live bool) bool {
	c := &cursor{gen: g.retain()}
	l := r.add(c)
	steady := r.seekEnd(c)
	c.end = c.off
	if found != nil {
		found[l.path] = append(found[l.path], &chapter{cursor: c, mtime: g.written(), live: live})
	}
	return steady
}

// seekEnd moves a cursor to the beginning of the last unfinished line.
func (r *reader) seekEnd(c *cursor) bool {
	h := c.gen.handle.Load()
	if h == nil {
		return false
	}
	off, ok := lineStart(h.f, c.off, c.gen.size.Load())
	return ok && c.moveTo(h.f, off)
}

// moveTo sets a cursor's offset and reads what it must later find before it.
func (c *cursor) moveTo(f contents, off int64) bool {
	n := min(off, window)
	if got, _ := f.ReadAt(c.before[:n], off-n); int64(got) < n {
		return false
	}
	c.off, c.scan, c.tried, c.nbefore, c.due = off, 0, 0, int(n), false
	return true
}

// lineStart finds the beginning of the unfinished line that reaches to end, which is end where a line ends there. It
// does not look before from, which is the beginning of one.
func lineStart(f contents, from, end int64) (int64, bool) {
	buf := make([]byte, 4<<10)
	for end > from {
		n := min(end-from, int64(len(buf)))
		if got, _ := f.ReadAt(buf[:n], end-n); int64(got) < n {
			return 0, false
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, true
		}
		end -= n
	}
	return from, true
}

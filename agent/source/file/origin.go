package file

import (
	"bytes"
	"context"
	"errors"
	"os"

	"github.com/spilelog/spile/agent/source"
)

func (s *Set) open(_ context.Context, start source.Start) (source.Reader, error) {
	r := s.newReader(start.Accept)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, errNotRunning
	}
	for _, t := range s.tracks {
		g := t.gen
		if g == nil || start.Accept != nil && !start.Accept(g.source) {
			continue
		}
		c := &cursor{gen: g.retain(), end: g.size.Load()}
		r.add(c)
		r.seekEnd(c)
	}
	s.readers[r] = struct{}{}
	return r, nil
}

// seekEnd moves a cursor to the beginning of the last unfinished line.
func (r *reader) seekEnd(c *cursor) bool {
	h := c.gen.handle.Load()
	if h == nil {
		return false
	}
	off, ok := lineStart(h.f, c.off, c.gen.size.Load())
	if !ok {
		return false
	}
	return c.moveTo(h.f, off)
}

// moveTo sets a cursor's offset and reads what it must later find before it.
func (c *cursor) moveTo(f *os.File, off int64) bool {
	n := min(off, window)
	if got, _ := f.ReadAt(c.before[:n], off-n); int64(got) < n {
		return false
	}
	c.off, c.scan, c.tried, c.nbefore = off, 0, 0, int(n)
	return true
}

// lineStart finds the beginning of the line that holds the byte before end, or end itself where a line ends there. It
// does not look before from, which is one.
func lineStart(f *os.File, from, end int64) (int64, bool) {
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

// ReadRange implements [source.Source].
func (s *Set) ReadRange(at source.Position, from, to int64) ([]byte, error) {
	return nil, errors.Join(source.ErrGone)
}

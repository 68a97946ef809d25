package file

import "bytes"

// resync is how a reader says that it did not find what it saw before. The tracker looks at once.
func (s *Set) resync(c *cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := c.gen
	h := g.handle.Load()
	t := s.tracks[g.path]
	if h == nil || g.sealed.Load() || t == nil || t.gen != g {
		return
	}
	s.checkLocked(t)
	if t.gen != g {
		return
	}
	now := make([]byte, c.nbefore)
	if n, _ := h.f.ReadAt(now, c.at()-int64(c.nbefore)); n == len(now) && bytes.Equal(now, c.before[:c.nbefore]) {
		return
	}
	if info, err := h.f.Stat(); err == nil {
		s.truncatedLocked(t, info)
	}
}

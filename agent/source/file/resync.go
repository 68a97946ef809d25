package file

import "bytes"

// resync is how a reader says that it did not find what it saw before. The tracker looks at once.
func (s *Set) resync(c *cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := c.gen
	h := g.handle.Load()
	if h == nil || g.sealed.Load() || !s.running {
		return
	}
	t := s.trackOfLocked(g)
	if t != nil {
		s.checkLocked(t)
	} else if _, ok := s.draining[g]; ok {
		s.drainOneLocked(g)
	}
	if !g.sealed.Load() && !c.stillThere(h) {
		if info, err := h.f.Stat(); err == nil && t != nil {
			s.truncatedLocked(t, info)
		} else if _, ok := s.draining[g]; ok {
			s.sealTruncatedLocked(g)
			delete(s.draining, g)
			g.release()
		}
	}
	s.passLocked(nil, nil)
}

// stillThere says whether the file has what the cursor saw before the offset where it reads on.
func (c *cursor) stillThere(h *handle) bool {
	if head := c.gen.head.Load(); len(head.bytes) > 0 && !head.begins(h.f) {
		return false
	}
	now := make([]byte, c.nbefore)
	n, _ := h.f.ReadAt(now, c.at()-int64(c.nbefore))
	return n == len(now) && bytes.Equal(now, c.before[:c.nbefore])
}

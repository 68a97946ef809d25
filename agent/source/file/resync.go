package file

// resync is how a reader says that it did not find what it saw before. The tracker looks at once.
func (s *Set) resync(c *cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := c.gen
	h := g.handle.Load()
	if h == nil || !s.running {
		return
	}
	if g.sealed.Load() {
		s.regainSealedLocked(g)
		return
	}
	t := s.trackOfLocked(g)
	switch {
	case t != nil && h.f.isOpen() && s.checkLocked(t):
	case t != nil:
		s.lookLocked(t)
	case g.draining:
		s.drainOneLocked(g)
	}
	if !g.sealed.Load() && h.f.pin() == nil {
		there := c.stillThere(h)
		info, err := h.f.Stat()
		h.f.unpin()
		if t = s.trackOfLocked(g); there {
			t = nil
		}
		switch {
		case there:
		case t != nil && err == nil:
			s.truncatedLocked(t, info)
		case g.draining:
			s.sealTruncatedLocked(g)
			s.drainedLocked(g)
		}
	}
	s.passLocked(nil, nil)
}

// stillThere says whether the file has what the cursor saw before the offset where it reads on.
func (c *cursor) stillThere(h *handle) bool {
	if head := c.gen.head.Load(); head.len() > 0 && !head.begins(h.f) {
		return false
	}
	now := make([]byte, c.nbefore)
	n, _ := h.f.ReadAt(now, c.at()-int64(c.nbefore))
	return n == len(now) && c.saw(now)
}

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
	s.takeCaughtLocked()
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
		s.resyncOpenLocked(c, h)
		h.f.unpin()
	}
	s.passLocked(nil, nil)
}

// resyncOpenLocked ends a generation whose open file has not what the cursor saw in it.
func (s *Set) resyncOpenLocked(c *cursor, h *handle) {
	if c.stillThere(h) {
		return
	}
	g := c.gen
	info, err := h.f.Stat()
	if t := s.trackOfLocked(g); t != nil && err == nil {
		s.truncatedLocked(t, info)
	} else if g.draining {
		s.sealTruncatedLocked(g)
		s.drainedLocked(g)
	}
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

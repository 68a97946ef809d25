package file

import "time"

// doubtTime is how long a loss may wait for the next life to tell how much it is.
const doubtTime = 500 * time.Millisecond

// decideLocked ends the doubt about how much of a truncated generation is lost. The next life begins with a hole of the
// given length, 0 for none or where nobody knows: a writer that does not append left it, and its length is all that was
// ever written to the generation, by the one writer that such a file can have. Whoever has seen that much misses
// nothing, and whoever has not knows how much.
func (s *Set) decideLocked(g *generation, hole int64) {
	if _, ok := s.doubtful[g]; !ok {
		return
	}
	delete(s.doubtful, g)
	if hole > 0 && hole >= g.size.Load() && hole >= g.lost.Load() {
		g.lost.Store(hole)
		g.torn.Store(false)
	}
	g.waits.Store(false)
	s.wakeLocked(g)
}

// endDoubtsLocked ends the doubts that took long enough.
func (s *Set) endDoubtsLocked() {
	for g, since := range s.doubtful {
		if time.Since(since) >= doubtTime {
			s.decideLocked(g, 0)
		}
	}
}

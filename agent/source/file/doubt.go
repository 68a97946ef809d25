package file

import (
	"path/filepath"
	"time"
)

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
	known := max(g.size.Load(), g.lost.Load())
	if hole > 0 && (hole == known || hole > known && !s.followedLocked(g)) {
		g.lost.Store(hole)
		g.torn.Store(false)
	}
	g.waits.Store(false)
	s.wakeLocked(g)
}

// followedLocked says whether another life may lie between a truncated generation and the one that is live now: there
// is a sibling that is not older than the last write that is known of the generation, or than its copy.
func (s *Set) followedLocked(g *generation) bool {
	f := s.folderLocked(filepath.Dir(g.path))
	s.collectLocked(f)
	s.meetCaughtLocked(f)
	own, since := g.rotated(), g.written()
	if own != nil {
		since = own.mtime
	}
	for _, b := range f.siblings {
		if t := s.familyLocked(b.path); b != own && t != nil && t.path == g.path && !b.mtime.Before(since) {
			return true
		}
	}
	return false
}

// endDoubtsLocked ends the doubts that took long enough.
func (s *Set) endDoubtsLocked() {
	for g, since := range s.doubtful {
		if time.Since(since) >= doubtTime {
			s.decideLocked(g, 0)
		}
	}
}

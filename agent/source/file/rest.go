package file

import (
	"hash/crc64"

	"github.com/spilelog/spile/agent/source"
)

// rested is what a reader keeps of a path of which it has read everything: there may be very many.
type rested struct {
	gen *generation // retained
	off int64
	sum uint64 // of the last bytes before off, window at most
	// done is that of the lane.
	done *source.Position
}

// crowded says whether the reader has so many paths that it should keep little of those that are quiet.
func (r *reader) crowded() bool { return len(r.lanes)+len(r.resting) > r.set.openFiles.limit }

// rest keeps no more of a lane than it needs to go on when its file grows, where there is nothing to read in it.
func (r *reader) rest(l *lane) {
	if !r.crowded() || r.lanes[l.path] != l || len(l.cursors) != 1 || len(l.waiting) > 0 || l.doneAt > 0 ||
		len(r.turns)+len(r.parked) > 0 {
		return
	}
	c := l.cursors[0]
	g := c.gen
	if g.packing() != "" || g.sealed.Load() || c.history || c.scan > 0 || c.off != g.size.Load() ||
		int64(c.nbefore) != min(c.off, window) {
		return
	}
	one := rested{gen: g, off: c.off, sum: c.owed, done: l.done}
	if !c.due {
		one.sum = crc64.Checksum(c.before[:c.nbefore], ecma)
	}
	delete(r.lanes, l.path)
	r.resting[l.path] = one
}

// restAtEnd lets a path rest from the beginning that the reader reads from its end on: nothing has to be read for it.
// It is false where that cannot be.
func (r *reader) restAtEnd(g *generation) bool {
	if len(r.set.tracks) <= r.set.openFiles.limit || g.seen != g.size.Load() || g.seen > 0 && !g.mark.whole ||
		r.wake(g.path) != nil {
		return false
	}
	r.resting[g.path] = rested{gen: g.retain(), off: g.seen, sum: g.mark.sum}
	return true
}

// wake returns the lane of a path, nil where there is none.
func (r *reader) wake(path string) *lane {
	one, ok := r.resting[path]
	if !ok {
		return r.lanes[path]
	}
	delete(r.resting, path)
	c := &cursor{gen: one.gen}
	c.restored(one.off, one.sum)
	l := &lane{path: one.gen.path, cursors: []*cursor{c}, done: one.done}
	r.lanes[l.path] = l
	return l
}

// restored sets a cursor's offset, before which the bytes have a checksum.
func (c *cursor) restored(off int64, sum uint64) {
	c.off, c.scan, c.tried, c.nbefore = off, 0, 0, int(min(off, window))
	c.owed, c.due, c.end = sum, true, off
}

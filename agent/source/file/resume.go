package file

import (
	"cmp"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sort"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// place is a generation that a resumed reader begins with.
type place struct {
	gen    *generation
	off    int64
	number int // of NAME.N
	path   string
	packed bool // a compression may have left another time than that of the last write
	mtime  time.Time
	born   int64 // 0 where it is not known
	live   bool
	own    bool // the position named it, rather than that it appeared since
	// done, where it is known to be finished, is the position that said so: the place only tells what is younger.
	done *source.Position
}

// age is where a sibling lies in the order of places.
func (b *sibling) age() place {
	return place{number: rotationNumber(b.path), path: b.path, mtime: b.mtime, born: b.born}
}

// resumeLocked sets a reader's cursors from positions: each place where it lies now, then what appeared after it.
func (s *Set) resumeLocked(r *reader, positions []source.Position) {
	known := newShelf(positions, r.accepts)
	for path := range known.paths() {
		if s.tracks[path] == nil {
			if g := s.globFor(path); g != nil {
				s.missingTrackLocked(path, g)
			}
		}
	}
	if since := r.knownSince(nil); since > 0 {
		s.appearedLocked(since)
	}
	lists := map[string]map[*track][]relative{}
	for path, t := range s.tracks {
		if r.accepts(t.source) {
			s.resumePathLocked(r, t, known.of(path), s.packedOnceLocked(t, lists))
		}
	}
	for path := range known.paths() {
		if t := s.tracks[path]; t != nil && r.accepts(t.source) {
			continue
		}
		for _, p := range known.of(path) { // no glob allows them any more
			if p.Inode != 0 {
				r.addLost(p, wire.ReasonRotated)
			}
		}
	}
}

func (s *Set) resumePathLocked(
	r *reader, t *track, positions []source.Position, packed func(list bool) []*packedSibling,
) {
	f := s.folderLocked(filepath.Dir(t.path))
	if len(positions) == 1 && s.unmovedLocked(t, f, &positions[0]) { // as nearly all of very many
		s.beginLocked(r, t, []place{{gen: t.gen, off: positions[0].Offset, live: true, own: true}})
		return
	}
	var places []place
	after := newer{found: map[*sibling]bool{}, known: r.knownSince(positions), opened: r.knownSince(nil)}
	defer func() { closePacked(packed(false)) }()
	for _, p := range inTurn(positions) {
		after.since = max(after.since, p.Modified)
		at, b, ok := s.locateLocked(t, f, p, after.found)
		if !ok {
			at, ok = s.locatePackedLocked(t, packed, p)
		}
		switch {
		case ok && at.live && p.PrintLen == 0: // nothing of it was known: it may have had other lives since
			after.passed(p)
		case ok:
			at.own = true
			places = addPlace(places, at)
			if b != nil {
				after.found[b] = true
			}
		default:
			after.passed(p)
			r.miss(t, p)
		}
	}
	sort.SliceStable(places, func(i, j int) bool { return places[i].before(places[j]) })
	n := len(places)
	if n > 0 {
		after.last = &places[n-1]
	}
	if n > 0 && !places[n-1].live || n == 0 && after.since+after.known > 0 {
		later := s.laterLocked(t, f, &after)
		places = append(places[:n:n], later...)
		places = append(places, s.laterPackedLocked(t, packed(true), &after, places)...)
		later = places[n:]
		sort.SliceStable(later, func(i, j int) bool { return later[i].before(later[j]) })
	}
	s.beginLocked(r, t, places)
}

// unmovedLocked says whether the live file is what a position is of, and no other file can be.
func (s *Set) unmovedLocked(t *track, f *folder, p *source.Position) bool {
	return t.gen != nil && p.PrintLen > 0 && t.gen.holds(*p) && len(s.familyOfLocked(t, f)) == 0
}

// inTurn sorts positions so that those that are sure of their file come before those that are not, and lives of one
// file by age.
func inTurn(positions []source.Position) []source.Position {
	if len(positions) < 2 {
		return positions
	}
	out := slices.Clone(positions)
	slices.SortStableFunc(out, func(a, b source.Position) int {
		if blank := a.PrintLen == 0; blank != (b.PrintLen == 0) {
			if blank {
				return 1
			}
			return -1
		}
		return cmp.Compare(a.Modified, b.Modified)
	})
	return out
}

// addPlace adds a place, each generation once.
func addPlace(places []place, at place) []place {
	for i := range places {
		if places[i].gen == at.gen {
			places[i].off = max(places[i].off, at.off)
			return places
		}
	}
	return append(places, at)
}

// miss notes that a position's file was not found: it may be one that was done with, or that must not be read now. Of
// one in which nothing was nothing is lost.
func (r *reader) miss(t *track, p source.Position) {
	if p.Inode == 0 {
		r.lane(t.path).keepDone(p)
		return
	}
	if p.PrintLen == 0 {
		return
	}
	if t.denied {
		l := r.lane(t.path)
		l.waiting = append(l.waiting, p)
		return
	}
	r.addLost(p, t.lossOf(p))
}

// keepDone takes over how far an earlier reader had finished a path, in a file that is gone.
func (l *lane) keepDone(p source.Position) {
	if l.done == nil || l.done.Modified <= p.Modified {
		l.done = &p
	}
}

// newer tells what came after the last place that an earlier reader knew of.
type newer struct {
	last  *place // nil where it is gone
	since int64  // when it was last written, 0 where that is not known
	known int64  // when there was none of them, 0 where that is not known
	// gone is until when a file must have been written to be later than a place that the reader knew and that is not
	// among those found: what it had not read of older ones it would have known too.
	gone int64
	// opened is when the first of the readers was opened, 0 where that is not told: what was last written before it was
	// not for them, whatever they knew.
	opened int64
	found  map[*sibling]bool
}

// passed notes a position whose place is not found. In what was empty nothing was written before it was made: a copy
// from that moment is of what was there before.
func (n *newer) passed(p source.Position) {
	until := p.Modified
	if p.PrintLen > 0 {
		until--
	}
	n.gone = max(n.gone, until)
}

// holds says whether a file that was found at a place came later. Times tell also where the last place is gone, names
// also where the last place was written later than what came after it.
func (n *newer) holds(at place) bool {
	if n.opened > 0 && at.mtime.UnixNano() <= n.opened {
		return false
	}
	if n.last == nil && n.known > 0 {
		return appeared(n.known, at.mtime.UnixNano(), at.born)
	}
	if n.last == nil {
		return n.since > 0 && at.mtime.UnixNano() > n.since
	}
	if at.mtime.UnixNano() <= n.gone {
		return false
	}
	if n.last.before(at) {
		return true
	}
	if n.since == 0 || at.packed || n.last.packed || at.mtime.UnixNano() <= n.since {
		return false
	}
	c, named := olderName(n.last.path, at.path)
	return named && c < 0
}

// lossOf is the reason why the bytes of a position are gone.
func (t *track) lossOf(p source.Position) string {
	if t.gen != nil && t.gen.is(p) {
		return wire.ReasonTruncated
	}
	return wire.ReasonRotated
}

// beginLocked gives a reader the places of a path.
func (s *Set) beginLocked(r *reader, t *track, places []place) {
	hasLive, told := false, s.log.Enabled(context.Background(), slog.LevelDebug)
	for _, p := range places {
		if told {
			s.log.Debug("file_resumed", slog.String("path", t.path), slog.Uint64("place", p.gen.place),
				slog.Uint64("inode", p.gen.ino), slog.Int64("offset", p.off), slog.Bool("named", p.own))
		}
		hasLive = hasLive || p.gen == t.gen
		if p.done == nil {
			r.begin(p.gen, p.off)
		} else { // the next reader has to know it too, also once what is older is finished
			l := r.lane(t.path)
			l.done, l.doneAt = p.done, len(l.cursors)
		}
		if p.gen.packing() != "" {
			p.gen.release() // it is the reader's alone
		}
	}
	if !hasLive && t.gen != nil {
		r.begin(t.gen, 0)
	}
}

// packedOnceLocked lists the compressed siblings of a track when they are asked for first, or only what was listed.
// The files of a folder are listed once, in lists.
func (s *Set) packedOnceLocked(t *track, lists map[string]map[*track][]relative) func(list bool) []*packedSibling {
	var siblings []*packedSibling
	listed := false
	return func(list bool) []*packedSibling {
		if !list || listed {
			return siblings
		}
		dir := filepath.Dir(t.path)
		if lists[dir] == nil {
			lists[dir] = map[*track][]relative{}
			for _, rel := range s.relativesLocked(dir, func(string) bool { return true }) {
				lists[dir][rel.track] = append(lists[dir][rel.track], rel)
			}
		}
		siblings, listed = packedOf(lists[dir][t]), true
		return siblings
	}
}

// locatePackedLocked finds the compressed file that a position's bytes lie in.
func (s *Set) locatePackedLocked(t *track, packed func(bool) []*packedSibling, p source.Position) (place, bool) {
	if p.PrintLen == 0 {
		return place{}, false
	}
	b := s.findPackedLocked(t, packed(true), p)
	if b == nil {
		return place{}, false
	}
	at := place{
		gen: b.generationLocked(s, t), off: p.Offset, number: rotationNumber(b.path), path: b.path, packed: true,
		mtime: b.mtime,
	}
	if p.Inode == 0 {
		at.done = &p
	}
	return at, true
}

func (p place) before(o place) bool {
	if p.live != o.live {
		return o.live
	}
	if p.packed || o.packed {
		if c, ok := olderName(p.path, o.path); ok {
			return c < 0
		}
	}
	if p.mtime.Equal(o.mtime) && p.number > 0 && o.number > 0 {
		return p.number > o.number
	}
	return p.mtime.Before(o.mtime)
}

// siblingGenerationLocked makes a sibling a generation, if it has the bytes of p; it is drained like any rotated file.
func (s *Set) siblingGenerationLocked(t *track, b *sibling, p source.Position) *generation {
	h := s.reopen(b)
	if h == nil {
		return nil
	}
	info, err := h.f.Stat()
	if err != nil || info.Size() < p.Offset || !printMatches(h.f, &p) {
		h.release()
		return nil
	}
	if g := s.heldLocked(b.id, h.f); g != nil {
		h.release()
		return g
	}
	g := s.newGenerationLocked(t, h, info)
	if !g.grow(h.f, info.Size()) {
		g.release()
		return nil
	}
	g.publish()
	b.fresh, b.of = false, g.place
	b.close()
	s.drainLaterLocked(g)
	return g
}

// laterLocked lists the siblings that came later, to be read from their beginning.
func (s *Set) laterLocked(t *track, f *folder, after *newer) []place {
	var later []place
	family := s.familyOfLocked(t, f)
	copies := s.copiesLocked(t, family, after.found)
	for _, b := range family {
		at := b.age()
		if after.found[b] || !after.holds(at) || copies[b] {
			continue
		}
		if at.gen = s.siblingGenerationLocked(t, b, source.Position{}); at.gen != nil {
			later = append(later, at)
		}
	}
	sort.SliceStable(later, func(i, j int) bool { return later[i].before(later[j]) })
	return later
}

// begin adds a cursor at an offset that was a line's beginning.
func (r *reader) begin(g *generation, off int64) {
	if off == g.seen && g.packing() == "" && !g.sealed.Load() && !g.draining && r.restAtEnd(g) {
		return
	}
	c := &cursor{gen: g.retain(), end: g.size.Load()}
	h := g.handle.Load()
	if off == g.seen && g.packing() == "" && g.mark.bytes == nil {
		c.restored(off, g.mark.sum)
		r.activate(r.add(c))
		return
	}
	if g.packing() != "" {
		c.off, c.history = off, true
		r.history++
		r.activate(r.add(c))
		return
	}
	if h == nil || !c.moveTo(h.f, off) {
		c.off, c.nbefore = off, 0 // the read finds out what became of it
	}
	c.history = c.off < c.end
	if c.history {
		r.history++
	}
	r.activate(r.add(c))
}

// goOn moves a new cursor to the position that waited for its file to be readable. What waited for another file is
// lost.
func (r *reader) goOn(l *lane, c *cursor) {
	waiting := l.waiting
	l.waiting = nil
	h := c.gen.handle.Load()
	for _, p := range waiting {
		if h != nil && c.gen.is(p) && printMatches(h.f, &p) && c.moveTo(h.f, p.Offset) {
			continue
		}
		r.set.mu.Lock()
		r.addLost(p, wire.ReasonRotated)
		r.set.mu.Unlock()
	}
}

// addLost adds what stands for a place whose bytes are gone: one gap, of what it had when it was last seen.
func (r *reader) addLost(p source.Position, why string) {
	r.set.lastID++
	g := &generation{place: r.set.lastID, source: p.Source, path: p.Path, dev: p.Device, ino: p.Inode}
	g.words = &words{why: why, gone: &p}
	g.head.Store(newHead(0, nil))
	g.lost.Store(max(p.Size, p.Offset))
	g.torn.Store(true)
	g.sealed.Store(true)
	g.refs.Store(1)
	r.activate(r.add(&cursor{gen: g, off: p.Offset}))
}

// ReadRange implements [source.Source].
func (s *Set) ReadRange(at source.Position, from, to int64) ([]byte, error) {
	if from < 0 || to < from || to-from > maxRange {
		return nil, rangeError(at, from, to)
	}
	if at.PrintLen == 0 {
		return nil, goneError(at, from, to)
	}
	handles, err := s.candidates(at)
	if err != nil {
		return nil, err
	}
	var data []byte
	if at.Packed != "" {
		data = s.unpackRange(at, from, to)
	}
	for _, h := range handles {
		if data == nil {
			data = rangeOf(h.f, at, from, to)
		}
		h.release()
	}
	if data == nil && at.Packed == "" {
		data = s.unpackRange(at, from, to) // compressed since it was read
	}
	if data == nil {
		return nil, goneError(at, from, to)
	}
	return data, nil
}

// rangeOf reads a range of the file if it has the print of at before the read and after it.
func rangeOf(f contents, at source.Position, from, to int64) []byte {
	if !printMatches(f, &at) {
		return nil
	}
	data := make([]byte, to-from)
	if n, _ := f.ReadAt(data, from); n < len(data) {
		return nil
	}
	if !printMatches(f, &at) {
		return nil
	}
	return data
}

// candidates opens what may hold the bytes of a position, the likeliest first.
func (s *Set) candidates(at source.Position) ([]*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return nil, errNotRunning
	}
	var same, alike []*handle
	add := func(g *generation) {
		if h := g.handle.Load(); h != nil && g.is(at) {
			same = append(same, h.retain())
		}
	}
	t := s.tracks[at.Path]
	if t != nil && t.gen != nil {
		add(t.gen)
	}
	for g := range s.draining {
		add(g)
	}
	if t != nil {
		f := s.folderLocked(filepath.Dir(at.Path))
		s.collectLocked(f)
		for _, b := range s.familyOfLocked(t, f) {
			if b.mtime.UnixNano() < at.Modified {
				continue // it was finished when the place was still written
			}
			if h := s.reopen(b); h != nil && b.is(at) {
				same = append(same, h)
			} else if h != nil {
				alike = append(alike, h)
			}
		}
	}
	return append(same, alike...), nil
}

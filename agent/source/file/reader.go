package file

import (
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// errClosed is what Next returns after Close.
var errClosed = errors.New("reader is closed")

// reader implements [source.Reader]. All but mu and what it guards belongs to the one goroutine that calls Next.
type reader struct {
	set    *Set
	accept func(string) bool
	ready  chan struct{} // capacity one, never closed

	// mu guards what the tracker tells: generations to look at, true for those that are new.
	mu     sync.Mutex
	inbox  []notice
	place  map[*generation]int // of a generation in inbox
	closed bool

	lanes   map[string]*lane
	resting map[string]rested // paths that have nothing to read, by path and not in lanes
	active  []*lane           // those that may have something, in turn
	turns   turns             // those that have history, which comes before everything else
	parked  []*turn           // those that wait for the memory of a stream
	streams int               // about what the open streams hold
	chunk   int               // bounds what is read of a plain file at a time
	start   source.Start
	history int // cursors that have not yet returned what existed at the beginning
	buf     *[]byte
	small   [window]byte
	block   source.Block
	gap     source.Gap
}

// notice is the tracker's word on one generation.
type notice struct {
	gen   *generation
	fresh bool
}

// lane is what a reader has of one path: its generations in their order.
type lane struct {
	path    string
	cursors []*cursor
	active  bool
	// done is the end of the youngest generation that was finished, doneAt how many cursors are older. It goes with
	// the positions, without an inode: a resumed reader knows from it which siblings are younger, and misses nothing
	// where it is gone.
	done   *source.Position
	doneAt int
	// waiting are positions of an earlier reader in a file that must not be read now.
	waiting []source.Position
}

func (s *Set) newReader(start source.Start) *reader {
	start.Resume = nil // there may be very many, and they are needed but once
	return &reader{
		set: s, accept: start.Accept, start: start, ready: make(chan struct{}, 1), chunk: blockSize,
		place: map[*generation]int{}, lanes: map[string]*lane{}, resting: map[string]rested{},
	}
}

// notify is called by the tracker, and never waits. A fresh generation is retained until the reader takes it.
func (r *reader) notify(g *generation, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || !r.accepts(g.source) {
		return
	}
	// What was only woken takes its place in the order when it arrives.
	if i, ok := r.place[g]; ok && (r.inbox[i].fresh || !fresh) {
		return
	}
	r.place[g] = len(r.inbox)
	r.inbox = append(r.inbox, notice{gen: g.retain(), fresh: fresh})
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// take moves what the tracker told to the active lanes.
func (r *reader) take() {
	r.mu.Lock()
	inbox := r.inbox
	r.inbox = nil
	clear(r.place)
	r.mu.Unlock()
	for _, n := range inbox {
		l := r.wake(n.gen.path)
		if n.fresh {
			c := &cursor{gen: n.gen.retain()}
			l = r.add(c)
			r.goOn(l, c)
		}
		if l != nil {
			r.activate(l)
		}
		n.gen.release()
	}
}

// add puts a cursor, whose generation is retained already, in its place in its lane.
func (r *reader) add(c *cursor) *lane {
	l := r.lane(c.gen.path)
	at := len(l.cursors)
	for i, o := range l.cursors {
		if c.gen.next != 0 && o.gen.place == c.gen.next {
			at = i
		}
	}
	l.cursors = slices.Insert(l.cursors, at, c)
	if at < l.doneAt {
		l.doneAt++
	}
	return l
}

// lane returns the lane of a path.
func (r *reader) lane(path string) *lane {
	l := r.wake(path)
	if l == nil {
		l = &lane{path: path}
		r.lanes[path] = l
	}
	return l
}

func (r *reader) accepts(name string) bool { return r.accept == nil || r.accept(name) }

// activate puts a lane among those that are read in turn.
func (r *reader) activate(l *lane) {
	if !l.active {
		l.active = true
		r.active = append(r.active, l)
	}
}

// Next implements [source.Reader].
func (r *reader) Next() (*source.Block, error) {
	if r.set == nil {
		return nil, errClosed
	}
	if b := r.merged(); b != nil {
		return b, nil
	}
	for {
		// Also while there is more to read: who writes without end must not keep the others waiting.
		r.take()
		if len(r.active) == 0 {
			r.dropBuffer()
			return nil, source.ErrDry
		}
		l := r.active[0]
		r.active[0] = nil
		r.active = r.active[1:]
		b := r.step(l)
		if b == nil {
			l.active = false
			r.rest(l)
			continue
		}
		r.active = append(r.active, l)
		return b, nil
	}
}

// step reads the next block of a lane: of its oldest generation that has one.
func (r *reader) step(l *lane) *source.Block {
	for i := len(l.cursors) - 1; i > 0; i-- { // younger ones first: an older one has what was written before
		l.cursors[i].limit = l.cursors[i].gen.size.Load()
	}
	defer func() {
		for _, c := range l.cursors {
			c.limit = 0
		}
	}()
	for i := 0; i < len(l.cursors); {
		c := l.cursors[i]
		waits := c.gen.waits.Load()
		b, finished := r.read(c)
		if finished {
			r.passed(c)
			r.finished(l, c)
		} else {
			i++
		}
		if b != nil {
			return b
		}
		if waits && !finished { // what is lost of it is told before what came later
			break
		}
	}
	if len(l.cursors) == 0 && l.done == nil && len(l.waiting) == 0 {
		delete(r.lanes, l.path)
	}
	return nil
}

// finished takes away a cursor that has returned all of its generation.
func (r *reader) finished(l *lane, c *cursor) {
	r.letGo(c)
	i := slices.Index(l.cursors, c)
	if g := c.gen; i >= l.doneAt && g.handle.Load() != nil && g.size.Load() > 0 {
		p := g.position(g.size.Load())
		p.Device, p.Inode = 0, 0
		l.done, l.doneAt = &p, i
	} else if i < l.doneAt {
		l.doneAt--
	}
	l.cursors = slices.Delete(l.cursors, i, i+1)
	c.gen.release()
}

// Ready implements [source.Reader].
func (r *reader) Ready() <-chan struct{} { return r.ready }

// Positions implements [source.Reader].
func (r *reader) Positions() iter.Seq[source.Position] {
	r.take() // who goes on from here is not told again of what is new
	return func(yield func(source.Position) bool) {
		for _, l := range r.lanes {
			if !l.positions(yield) {
				return
			}
		}
		for _, one := range r.resting {
			if one.done != nil && !yield(*one.done) || !yield(one.gen.position(one.off)) {
				return
			}
		}
	}
}

// positions yields those of one path, and is false where no more are wanted.
func (l *lane) positions(yield func(source.Position) bool) bool {
	if l.done != nil && !yield(*l.done) {
		return false
	}
	for _, p := range l.waiting {
		if !yield(p) {
			return false
		}
	}
	for _, c := range l.cursors {
		if !yield(c.gen.position(c.off)) {
			return false
		}
	}
	return true
}

// Backlog implements [source.Reader].
func (r *reader) Backlog() int64 {
	var sum int64
	for _, l := range r.lanes {
		sum += l.backlog()
	}
	for _, one := range r.resting {
		sum += max(0, one.gen.size.Load()-one.off)
	}
	return sum
}

// backlog is what the reader has not read of a path.
func (l *lane) backlog() (sum int64) {
	for _, c := range l.cursors {
		sum += max(0, c.gen.size.Load()-c.off)
	}
	return sum
}

// HistoryDone implements [source.Reader].
func (r *reader) HistoryDone() bool { return r.history == 0 }

// passed notes that a cursor has returned what existed at the beginning.
func (r *reader) passed(c *cursor) {
	if c.history {
		c.history = false
		r.history--
	}
}

// SkipToEnd implements [source.Reader]. It leaves what can be read in a moment to those who have less than half of what
// would be their share: it is not for the few lines of a quiet file that the reader lags.
func (r *reader) SkipToEnd() []source.Block {
	r.take()
	parts := 0
	for _, l := range r.lanes {
		if l.backlog() > 0 {
			parts++
		}
	}
	total, left := r.Backlog(), int64(0)
	var skipped []source.Block
	for _, l := range r.lanes {
		if has := l.backlog(); 2*has*int64(parts) < total && left+has <= blockSize {
			left += has
			continue
		}
		for _, c := range l.cursors {
			from := c.off
			if c.gen.packing() != "" {
				continue // it ends by itself
			}
			if r.seekEnd(c) && c.off > from {
				g := c.gen
				skipped = append(skipped, source.Block{
					Source: g.source, Path: g.path, Place: g.place, At: g.position(from), From: from, To: c.off,
					Gap: &source.Gap{Source: g.source, Path: g.path, Bytes: c.off - from, Reason: wire.ReasonLagging},
				})
			}
		}
	}
	return skipped
}

// forget lets all lanes go.
func (r *reader) forget() {
	for _, l := range r.lanes {
		for _, c := range l.cursors {
			r.letGo(c)
			c.gen.release()
		}
	}
	for _, one := range r.resting {
		one.gen.release()
	}
	clear(r.lanes)
	clear(r.resting)
}

// Close implements [source.Reader].
func (r *reader) Close() error {
	if r.set == nil {
		return nil
	}
	r.set.mu.Lock()
	delete(r.set.readers, r)
	r.set.mu.Unlock()
	r.mu.Lock()
	r.closed = true
	for _, n := range r.inbox {
		n.gen.release()
	}
	r.inbox = nil
	r.mu.Unlock()
	r.forget()
	r.dropBuffer()
	r.turns, r.parked = nil, nil
	r.lanes, r.resting, r.active, r.history, r.set = nil, nil, nil, 0, nil
	return nil
}

package file

import (
	"bytes"
	"container/heap"
	"time"

	"github.com/spilelog/spile/agent/source"
)

const (
	// minChunk and maxChunk bound what is read of a plain file at a time while history of several files is merged.
	minChunk = 8 << 10
	maxChunk = blockSize
)

// turn is a lane that still has history.
type turn struct {
	lane *lane
	when time.Time // of its next line, as far as that is known
	// stale says that when is of a line that was returned. It is looked up no sooner than that block is done with, which
	// lies in the buffer where the next line is unpacked.
	stale bool
	// chunk adapts to how much of the lane can be returned before another one has its turn.
	chunk int
}

// turns is a heap of lanes by the time of their next line.
type turns []*turn

func (t turns) Len() int           { return len(t) }
func (t turns) Less(i, j int) bool { return t[i].when.Before(t[j].when) }
func (t turns) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }

// Push implements heap.Interface.
func (t *turns) Push(x any) { *t = append(*t, x.(*turn)) }

// Pop implements heap.Interface.
func (t *turns) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// beginMerge lines up the lanes that have history. What is not history waits until it was returned.
func (r *reader) beginMerge() {
	for _, l := range r.lanes {
		if c := l.ofHistory(); c != nil {
			t := &turn{lane: l, chunk: minChunk}
			t.when, _ = r.nextTime(c)
			r.turns = append(r.turns, t)
		}
	}
	heap.Init(&r.turns)
}

// ofHistory is the oldest cursor that has history, nil where there is none.
func (l *lane) ofHistory() *cursor {
	for _, c := range l.cursors {
		if c.history {
			return c
		}
	}
	return nil
}

// merged returns the next block of history: of the lane whose next line is the oldest, up to the next line of another
// one. It returns nil when history is over, or only comes as live lines do.
func (r *reader) merged() *source.Block {
	for len(r.turns) > 0 {
		t := r.turns[0]
		c := t.lane.ofHistory()
		if t.stale && c != nil {
			t.stale = false
			if when, ok := r.nextTime(c); ok {
				t.when = when
				heap.Fix(&r.turns, 0)
				continue
			}
		}
		if c == nil {
			heap.Pop(&r.turns)
			r.release()
			r.activate(t.lane)
			continue
		}
		if len(r.turns) > 1 && c.gen.packing() != "" && c.stream == nil &&
			r.streams > 0 && r.streams+c.cost+streamBuffer > maxStreams {
			r.parked = append(r.parked, t)
			heap.Pop(&r.turns)
			continue
		}
		b, going := r.turnOf(t, c)
		if !going { // the tracker has to look first
			heap.Pop(&r.turns)
			r.release()
			r.activate(t.lane)
		} else {
			heap.Fix(&r.turns, 0)
		}
		if b != nil {
			return b
		}
	}
	return nil
}

// release lines up again what waited for the memory of a stream.
func (r *reader) release() {
	for _, t := range r.parked {
		heap.Push(&r.turns, t)
	}
	r.parked = nil
}

// turnOf reads on in one lane. It is going unless history cannot be read on now.
func (r *reader) turnOf(t *turn, c *cursor) (b *source.Block, going bool) {
	saved := *c
	bound, bounded := r.nextTurn()
	r.chunk = maxChunk
	if bounded {
		r.chunk = t.chunk
	}
	b, finished := r.read(c)
	r.chunk = maxChunk
	if b != nil && bounded && len(b.Data) > 0 && b.CutFrom == 0 {
		if cut, when := r.cutAt(b, bound); cut < len(b.Data) {
			t.chunk = max(minChunk, t.chunk/2)
			r.rewind(c, &saved, cut)
			t.when = when
			return b, true
		}
		t.chunk = min(maxChunk, 2*t.chunk)
	}
	if finished {
		r.passed(c)
		r.finished(t.lane, c)
		r.release()
	}
	if b == nil && !finished && t.lane.ofHistory() == c {
		return nil, false
	}
	t.stale = bounded
	return b, true
}

// nextTurn is the time of the next line of the lane that comes after the first.
func (r *reader) nextTurn() (time.Time, bool) {
	if r.start.TimeOf == nil || len(r.turns) < 2 {
		return time.Time{}, false
	}
	second := r.turns[1].when
	if len(r.turns) > 2 && r.turns[2].when.Before(second) {
		second = r.turns[2].when
	}
	return second, true
}

// cutAt finds the first line of a block that was written after bound, which is not its first line, and its time.
func (r *reader) cutAt(b *source.Block, bound time.Time) (int, time.Time) {
	timeOf := func(line []byte) (time.Time, bool) { return r.start.TimeOf(b.Source, line) }
	first := bytes.IndexByte(b.Data, '\n') + 1
	if first == 0 || first == len(b.Data) {
		return len(b.Data), time.Time{}
	}
	rest := b.Data[first:]
	at, when := firstAt(rest, timeOf, func(t time.Time) bool { return t.After(bound) })
	return first + at, when
}

// rewind gives back what lies behind cut of a block that was just read.
func (r *reader) rewind(c *cursor, saved *cursor, cut int) {
	c.before, c.nbefore, c.owed, c.due = saved.before, saved.nbefore, saved.owed, saved.due
	c.remember(r.block.Data[:cut])
	c.off, c.scan = saved.off+int64(cut), 0
	if saved.history && !c.history {
		c.history = true
		r.history++
	}
	r.block.Data, r.block.To = r.block.Data[:cut], c.off
}

// nextTime is the time of the first line from where a cursor stands on that has one.
func (r *reader) nextTime(c *cursor) (time.Time, bool) {
	h := c.gen.handle.Load()
	if h == nil || r.start.TimeOf == nil {
		return time.Time{}, false
	}
	timeOf := func(line []byte) (time.Time, bool) { return r.start.TimeOf(c.gen.source, line) }
	if c.gen.packing() == "" {
		_, when, ok := firstTimed(h.f, c.off, c.end, timeOf)
		return when, ok
	}
	if c.stream == nil {
		return c.first, !c.first.IsZero()
	}
	if !c.stream.skip(c.off) {
		return time.Time{}, false
	}
	data := c.stream.pending(c.off)
	if bytes.IndexByte(data, '\n') < 0 {
		c.stream.more(c.off)
		data = c.stream.pending(c.off)
	}
	_, when, ok := timedIn(data, 0, len(data), c.stream.err == nil, timeOf)
	return when, ok
}

// firstAt finds the first line whose time is as wanted, and that time, in whole lines that are in order of time: once
// wanted, always wanted. Without one it returns the length of data.
func firstAt(
	data []byte, timeOf func([]byte) (time.Time, bool), wanted func(time.Time) bool,
) (int, time.Time) {
	low, high, found := 0, len(data), len(data)
	var at time.Time
	for low < high {
		mid := low + (high-low)/2
		pos := mid
		if mid > 0 {
			pos = lineAfter(data, mid-1)
		}
		i, when, ok := timedIn(data, pos, high, false, timeOf)
		switch {
		case !ok:
			high = mid
		case !wanted(when):
			low = i + 1
		default:
			found, high, at = i, mid, when
		}
	}
	return found, at
}

package file

import (
	"bytes"
	"container/heap"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

const (
	// historyBlock is how much of a file is searched at a time.
	historyBlock = 256 << 10
	// timedLine bounds the bytes in which a line with a time of its own is looked for.
	timedLine = 256 << 10
)

// seekHistory moves the cursors back from the end as start asks.
func (r *reader) seekHistory(ctx context.Context, start source.Start) error {
	cursors := r.readable()
	begin := map[*cursor]int64{}
	for _, c := range cursors {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("search history: %w", err)
		}
		if !start.Since.IsZero() && start.TimeOf != nil {
			begin[c] = c.since(start)
		}
	}
	if start.Tail > 0 && start.Match != nil {
		if err := tail(ctx, start, cursors, begin); err != nil {
			return err
		}
	}
	for _, c := range cursors {
		off, ok := begin[c]
		h := c.gen.handle.Load()
		if !ok || off >= c.end || h == nil || !c.moveTo(h.f, off) {
			continue
		}
		c.history = true
		r.history++
		r.activate(r.lanes[c.gen.path])
	}
	return nil
}

// readable lists the cursors whose bytes exist.
func (r *reader) readable() []*cursor {
	var cursors []*cursor
	for _, l := range r.lanes {
		for _, c := range l.cursors {
			if c.gen.handle.Load() != nil {
				cursors = append(cursors, c)
			}
		}
	}
	return cursors
}

// since finds the first line at or after start.Since. Lines are taken to be in order of time.
func (c *cursor) since(start source.Start) int64 {
	h := c.gen.handle.Load()
	if h == nil {
		return c.end
	}
	timed := func(from, to int64) (int64, time.Time, bool) {
		return firstTimed(h.f, from, to, func(line []byte) (time.Time, bool) { return start.TimeOf(c.gen.source, line) })
	}
	low, high, found := int64(0), c.end, c.end
	for low < high {
		mid := low + (high-low)/2
		at, when, ok := timed(mid, high)
		switch {
		case !ok:
			high = mid
		case when.Before(start.Since):
			low = at + 1
		default:
			found, high = at, mid
		}
	}
	return found
}

// firstTimed finds the first line that begins in [from, to) and has a time, within timedLine bytes.
func firstTimed(f *os.File, from, to int64, timeOf func([]byte) (time.Time, bool)) (int64, time.Time, bool) {
	at := from
	if from > 0 {
		at-- // a line begins at from itself only if a newline lies before it
	}
	buf := make([]byte, 4<<10)
	for {
		n, _ := f.ReadAt(buf, at)
		data := buf[:n]
		pos := 0
		if from > 0 {
			pos = bytes.IndexByte(data, '\n') + 1
			if pos == 0 {
				pos = len(data)
			}
		}
		full := n == len(buf) && len(buf) < timedLine
		pos, when, ok := timedIn(data, pos, int(min(to-at, int64(n))), full, timeOf)
		if ok {
			return at + int64(pos), when, true
		}
		if !full || at+int64(pos) >= to {
			return 0, time.Time{}, false
		}
		buf = make([]byte, 8*len(buf))
	}
}

// timedIn finds the first line of data that begins in [pos, to) and has a time; without one it returns where it
// stopped. It leaves out an unfinished line at the end if there is more, which a larger buffer may hold.
func timedIn(
	data []byte, pos, to int, more bool, timeOf func([]byte) (time.Time, bool),
) (int, time.Time, bool) {
	for pos < to {
		line := data[pos:]
		if end := bytes.IndexByte(line, '\n'); end >= 0 {
			line = line[:end]
		} else if more && len(line) <= wire.MaxLine {
			break
		}
		if when, ok := timeOf(line); ok {
			return pos, when, true
		}
		pos += len(line) + 1
	}
	return pos, time.Time{}, false
}

// match is a line that counts for tail.
type match struct {
	at   int64
	when time.Time
}

// backward walks the matching lines of one place from its end, a block at a time.
type backward struct {
	c       *cursor
	f       *os.File
	pos     int64 // lines before it are not looked at yet
	floor   int64
	matches []match // of the last block, the newest last
}

// newest is a heap of places by the time of their newest match.
type newest []*backward

func (n newest) Len() int { return len(n) }
func (n newest) Less(i, j int) bool {
	return n[i].matches[len(n[i].matches)-1].when.After(n[j].matches[len(n[j].matches)-1].when)
}
func (n newest) Swap(i, j int) { n[i], n[j] = n[j], n[i] }

// Push implements heap.Interface.
func (n *newest) Push(x any) { *n = append(*n, x.(*backward)) }

// Pop implements heap.Interface.
func (n *newest) Pop() any {
	last := (*n)[len(*n)-1]
	*n = (*n)[:len(*n)-1]
	return last
}

// tail sets begin so that the newest start.Tail matching lines of all cursors lie behind it, none before what is there.
func tail(ctx context.Context, start source.Start, cursors []*cursor, begin map[*cursor]int64) error {
	buf := make([]byte, historyBlock)
	var places newest
	for _, c := range cursors {
		h := c.gen.handle.Load()
		if h == nil {
			continue
		}
		b := &backward{c: c, f: h.f, pos: c.end, floor: begin[c]}
		begin[c] = c.end
		more, err := b.fill(ctx, start, buf)
		if err != nil {
			return err
		}
		if more {
			places = append(places, b)
		}
	}
	heap.Init(&places)
	for n := 0; n < start.Tail && len(places) > 0; n++ {
		b := places[0]
		last := len(b.matches) - 1
		begin[b.c] = b.matches[last].at
		b.matches = b.matches[:last]
		more, err := b.fill(ctx, start, buf)
		if err != nil {
			return err
		}
		if more {
			heap.Fix(&places, 0)
		} else {
			heap.Pop(&places)
		}
	}
	return nil
}

// fill searches back until there is a match and says whether there is one.
func (b *backward) fill(ctx context.Context, start source.Start, buf []byte) (bool, error) {
	for len(b.matches) == 0 && b.pos > b.floor {
		if err := ctx.Err(); err != nil {
			return false, fmt.Errorf("search history: %w", err)
		}
		if !b.block(start, buf) {
			b.pos = b.floor // the file changed: what is left is told by the reader
		}
	}
	return len(b.matches) > 0, nil
}

// block looks at the lines of the block before pos, which is the beginning of a line.
func (b *backward) block(start source.Start, buf []byte) bool {
	n := min(b.pos-b.floor, int64(len(buf)))
	data := buf[:n]
	from := b.pos - n
	if got, _ := b.f.ReadAt(data, from); int64(got) < n {
		return false
	}
	first := 0
	if from > b.floor {
		first = bytes.IndexByte(data, '\n') + 1
	}
	if first >= len(data) || first == 0 && from > b.floor { // one line, longer than the block
		at, ok := lineStart(b.f, b.floor, b.pos-1)
		if !ok {
			return false
		}
		line := data[:min(int64(wire.MaxLine), b.pos-1-at)]
		if got, _ := b.f.ReadAt(line, at); got < len(line) {
			return false
		}
		b.try(start, at, line)
		b.pos = at
		return true
	}
	for at := first; at < len(data); {
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 {
			end = len(data) - at
		}
		b.try(start, from+int64(at), data[at:at+min(end, wire.MaxLine)])
		at += end + 1
	}
	b.pos = from + int64(first)
	return true
}

func (b *backward) try(start source.Start, at int64, line []byte) {
	if when, ok := start.Match(b.c.gen.source, b.c.gen.path, line); ok {
		b.matches = append(b.matches, match{at: at, when: when})
	}
}

package file

import (
	"bytes"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// match is a line that counts for tail.
type match struct {
	chapter int
	at      int64
	when    time.Time
}

// backward walks the matching lines of one place from its end, a block at a time.
type backward struct {
	c       *cursor
	chapter int
	f       contents
	pos     int64 // lines before it are not looked at yet
	floor   int64
	matches []match // of the last block, the newest last
}

// walk goes through the matching lines of a book from its end, a block or a compressed file at a time.
type walk struct {
	book *book
	// at is the chapter that is looked at, floor where the book begins in its first one.
	at, least int
	floor     int64
	back      *backward
	matches   []match
	// bound is the time of the oldest line taken so far: what follows is not younger.
	bound   time.Time
	bounded bool
}

// newest is a heap of walks by the time of the newest line that they can still give.
type newest []*walk

func (n newest) Len() int { return len(n) }
func (n newest) Less(i, j int) bool {
	a, b := n[i], n[j]
	switch {
	case len(a.matches) == 0 && !a.bounded:
		return true
	case len(b.matches) == 0 && !b.bounded:
		return false
	}
	return a.upTo().After(b.upTo())
}
func (n newest) Swap(i, j int) { n[i], n[j] = n[j], n[i] }

// Push implements heap.Interface.
func (n *newest) Push(x any) { *n = append(*n, x.(*walk)) }

// Pop implements heap.Interface.
func (n *newest) Pop() any {
	last := (*n)[len(*n)-1]
	*n = (*n)[:len(*n)-1]
	return last
}

func (w *walk) upTo() time.Time {
	if len(w.matches) > 0 {
		return w.matches[len(w.matches)-1].when
	}
	return w.bound
}

// tail moves the beginnings of all books forward so that the newest start.Tail matching lines lie behind them. Files
// are looked at only as far as that needs.
func (r *reader) tail(ctx context.Context, start source.Start, books []*book) error {
	buf := make([]byte, historyBlock)
	var walks newest
	for _, b := range books {
		if b.first < len(b.chapters) {
			walks = append(walks, &walk{book: b, at: len(b.chapters), least: b.first, floor: b.off})
		}
		b.first, b.off = len(b.chapters), 0
	}
	heap.Init(&walks)
	all := append(newest(nil), walks...)
	left, err := r.takeNewest(ctx, start, walks, buf)
	for _, b := range books {
		for _, ch := range b.chapters {
			ch.kept = ch.kept && left > 0
		}
	}
	if left > 0 {
		for _, w := range all {
			w.keepBroken()
		}
	}
	return err
}

// takeNewest goes back until start.Tail lines were found, and returns how many were not.
func (r *reader) takeNewest(ctx context.Context, start source.Start, walks newest, buf []byte) (int, error) {
	left := start.Tail
	for left > 0 && len(walks) > 0 {
		if err := ctx.Err(); err != nil {
			return left, fmt.Errorf("search history: %w", err)
		}
		w := walks[0]
		if len(w.matches) == 0 && !r.fill(w, start, buf, left) {
			heap.Pop(&walks)
			continue
		}
		if len(w.matches) > 0 && w.first(walks) {
			w.takeOne()
			left--
		}
		heap.Fix(&walks, 0)
	}
	return left, nil
}

// takeOne moves the beginning of the book to the newest line that was not taken.
func (w *walk) takeOne() {
	last := len(w.matches) - 1
	m := w.matches[last]
	w.matches = w.matches[:last]
	w.book.first, w.book.off, w.book.when = m.chapter, m.at, m.when
	w.bound, w.bounded = m.when, true
}

// first says whether no other walk can give a younger line than the first.
func (w *walk) first(walks newest) bool {
	for i := 1; i < min(3, len(walks)); i++ {
		if walks.Less(i, 0) {
			return false
		}
	}
	return true
}

// keepBroken marks what cannot be read where lines may be that count.
func (w *walk) keepBroken() {
	for i := w.least; i < w.book.first; i++ {
		if ch := w.book.chapters[i]; ch.broken {
			ch.kept, ch.begin = true, max(ch.begin, ch.readable)
		}
	}
}

// fill looks further back and says whether there was anything to look at.
func (r *reader) fill(w *walk, start source.Start, buf []byte, need int) bool {
	if w.back != nil && w.back.pos > w.back.floor {
		r.fillPlain(w, start, buf, need)
		return true
	}
	w.back = nil
	if w.at <= w.least {
		return false
	}
	w.at--
	ch := w.book.chapters[w.at]
	floor := ch.begin
	if w.at == w.least {
		floor = max(floor, w.floor)
	}
	switch {
	case ch.cursor.gen.packing() != "":
		w.matches = append(w.matches[:0], r.tailOf(w, floor, math.MaxInt64, need, start)...)
	case !ch.broken:
		w.back = &backward{c: ch.cursor, chapter: w.at, pos: ch.cursor.end, floor: floor}
	}
	return true
}

// fillPlain looks at one more block of a plain file.
func (r *reader) fillPlain(w *walk, start source.Start, buf []byte, need int) {
	b := w.back
	ch := w.book.chapters[w.at]
	pos, ok := b.pos, false
	r.steady(b.c, func(h *handle) {
		b.matches, b.pos = b.matches[:0], pos
		if ok = h != nil; ok {
			b.f = h.f
			ok = b.block(start, buf)
		}
	})
	switch {
	case b.c.gen.packing() != "":
		w.matches = append(w.matches[:0], r.tailOf(w, b.floor, pos, need, start)...)
		w.back = nil
	case !ok:
		ch.broken, ch.readable, w.back = true, b.floor, nil
	default:
		w.matches = append(w.matches[:0], b.matches...)
	}
}

// tailOf reads a compressed chapter once and keeps the last matching lines between two offsets.
func (r *reader) tailOf(w *walk, floor, to int64, need int, start source.Start) []match {
	ch := w.book.chapters[w.at]
	g := ch.cursor.gen
	st := newStream(g.handle.Load().f, g.packing(), r.set.limits, floor)
	defer st.close()
	var ring []match
	next := 0
	end := st.lines(floor, func(off int64, line []byte) {
		if off >= to {
			return
		}
		when, ok := start.Match(g.source, g.path, line)
		switch {
		case !ok:
		case len(ring) < need:
			ring = append(ring, match{chapter: w.at, at: off, when: when})
		default:
			ring[next] = match{chapter: w.at, at: off, when: when}
			next = (next + 1) % need
		}
	})
	if !errors.Is(st.err, io.EOF) {
		ch.broken, ch.readable = true, end
	}
	return append(ring[next:len(ring):len(ring)], ring[:next]...)
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
		b.matches = append(b.matches, match{chapter: b.chapter, at: at, when: when})
	}
}

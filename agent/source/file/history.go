package file

import (
	"bytes"
	"context"
	"fmt"
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

// seekHistory sets where a reader begins in the files of each path, the live ones and those that were rotated away. The
// chapters are its own now: what it does not read it lets go.
func (r *reader) seekHistory(ctx context.Context, start source.Start, found pins) error {
	var books []*book
	defer func() {
		for _, b := range books {
			r.bind(b)
		}
	}()
	for path, chapters := range found {
		books = append(books, &book{path: path, chapters: chapters, first: len(chapters)})
	}
	for _, b := range books {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("search history: %w", err)
		}
		r.survey(b.chapters, start)
		b.chapters = r.distinct(b.chapters)
		inOrder(b.chapters)
		b.first = len(b.chapters)
	}
	tailing := start.Tail > 0 && start.Match != nil
	for _, b := range books {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("search history: %w", err)
		}
		if !start.Since.IsZero() && start.TimeOf != nil {
			r.since(b, start)
		} else if tailing {
			b.first = 0
		}
	}
	if tailing {
		return r.tail(ctx, start, books)
	}
	return nil
}

// book is the history of one path, in order.
type book struct {
	path     string
	chapters []*chapter
	// first and off are where the reader begins; no chapter is read where first is their number.
	first int
	off   int64
	// when is about the time of the line at off.
	when time.Time
}

// since sets the beginning to the first line at or after start.Since. Only the chapter that it lies in is searched.
func (r *reader) since(b *book, start source.Start) {
	at := -1
	for i := len(b.chapters) - 1; i >= 0; i-- {
		if ch := b.chapters[i]; !ch.timed {
			continue
		} else if at = i; ch.first.Before(start.Since) {
			break
		}
	}
	if at < 0 || !b.chapters[at].first.Before(start.Since) {
		older := b.chapters
		if at >= 0 {
			older = older[:at]
		}
		for _, ch := range older {
			ch.kept = ch.broken && !ch.mtime.Before(start.Since)
		}
	}
	if at >= 0 {
		b.first, b.off, b.when = at, r.sinceIn(b.chapters[at], start), start.Since
	}
}

// bind gives a reader the cursors of a book from its beginning on.
func (r *reader) bind(b *book) {
	l := r.lane(b.path)
	var cursors []*cursor
	for i, ch := range b.chapters {
		c := ch.cursor
		read := i >= b.first || ch.kept
		if !read {
			if ch.pinned {
				r.letGo(c)
				c.gen.release()
				continue
			}
			cursors = append(cursors, c)
			continue
		}
		off := ch.begin
		if i == b.first && b.off > off {
			off, ch.first = b.off, b.when
		}
		cursors = append(cursors, c)
		r.beginAt(ch, off)
	}
	l.cursors = cursors
	if len(cursors) == 0 {
		delete(r.lanes, b.path)
	}
}

// beginAt sets where a cursor begins, as history where anything lies behind it.
func (r *reader) beginAt(ch *chapter, off int64) {
	c := ch.cursor
	moved := false
	if c.gen.packing() == "" {
		r.steady(c, func(h *handle) { moved = h != nil && c.moveTo(h.f, min(off, c.end)) })
	}
	if !moved { // the read finds out what became of it
		c.off, c.scan, c.nbefore, c.first = off, 0, 0, ch.first
	} else if off >= c.end {
		return // nothing but what a stale writer may add
	}
	c.history = true
	r.history++
	r.activate(r.lane(c.gen.path))
}

// steady calls do with the file of a plain generation, and again when that was truncated meanwhile and its bytes are
// elsewhere now: nil where they are in no plain file any more. The generation may then have become a compressed one.
func (r *reader) steady(c *cursor, do func(h *handle)) {
	for range maxTries {
		h := c.gen.handle.Load()
		if h == nil {
			break
		}
		do(h)
		if c.intact(h) {
			return
		}
		r.set.resync(c)
	}
	if c.gen.handle.Load() == nil && r.unpackInstead(c) {
		r.letGo(c)
	}
	do(nil)
}

// intact says whether what was read of a generation's file up to the cursor's end was its own.
func (c *cursor) intact(h *handle) bool {
	g := c.gen
	if g.sealed.Load() {
		return g.handle.Load() == h
	}
	info, err := h.f.Stat()
	if err != nil || info.Size() < c.end || g.handle.Load() != h {
		return false
	}
	head := g.head.Load()
	return head.len() == 0 || head.begins(h.f)
}

// since finds the first line at or after start.Since. Lines are taken to be in order of time.
func (c *cursor) since(h *handle, start source.Start) int64 {
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
func firstTimed(f contents, from, to int64, timeOf func([]byte) (time.Time, bool)) (int64, time.Time, bool) {
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

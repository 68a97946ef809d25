package file

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/spilelog/spile/agent/source"
)

// chapter is one file of the history of a path.
type chapter struct {
	cursor *cursor
	path   string // where the file lay when it was found; empty where that is not known
	mtime  time.Time
	first  time.Time // of the first line that has a time
	timed  bool
	head   []byte
	live   bool
	// settled says that the live file was found under its own name after everything else was opened: no rotated file
	// can be what became of it.
	settled bool
	// beside says of a compressed file that the file it is made of was there too.
	beside bool
	// pinned says that only this history holds the file: a chapter that is not read is let go.
	pinned bool
	// broken says that a part of the file cannot be read, which is told wherever history reaches it.
	broken bool
	// begin is where it is read from unless the book begins later; readable is how far it can be unpacked.
	begin, readable int64
	// kept says that it is read although the book begins later, for the gap that is in it.
	kept bool
}

// survey learns of each chapter what the search needs to know.
func (r *reader) survey(chapters []*chapter, start source.Start) {
	for _, ch := range chapters {
		c := ch.cursor
		var timeOf func([]byte) (time.Time, bool)
		if start.TimeOf != nil {
			timeOf = func(line []byte) (time.Time, bool) { return start.TimeOf(c.gen.source, line) }
		}
		if c.gen.packing() == "" && !ch.broken {
			r.steady(c, func(h *handle) {
				ch.head, ch.timed = c.gen.beginning().start(), false
				if h != nil && timeOf != nil {
					_, ch.first, ch.timed = firstTimed(h.f, 0, c.end, timeOf)
				}
			})
		}
		if c.gen.packing() != "" {
			r.surveyPacked(ch, timeOf)
		}
	}
}

func (r *reader) surveyPacked(ch *chapter, timeOf func([]byte) (time.Time, bool)) {
	g := ch.cursor.gen
	h := g.handle.Load()
	var err error
	ch.head, ch.first, ch.timed, ch.cursor.cost, err = peek(h.f, g.packing(), r.set.limits, timeOf)
	ch.broken = err != nil
	g.head.Store(newHead(0, ch.head))
}

// inOrder sorts chapters by age, the oldest first and the live file last: by their lines' own times; where no line has
// one by the time of their last write, or by name where a compression may have changed that.
func inOrder(chapters []*chapter) {
	timed := false
	for _, ch := range chapters {
		timed = timed || ch.timed && !ch.live
	}
	slices.SortStableFunc(chapters, func(a, b *chapter) int {
		if a.live != b.live {
			if a.live {
				return 1
			}
			return -1
		}
		c, named := olderName(a.path, b.path)
		if !timed && named && (a.cursor.gen.packing() != "" || b.cursor.gen.packing() != "") {
			return c
		}
		if age := a.age().Compare(b.age()); age != 0 || !named {
			return age
		}
		return c
	})
}

func (ch *chapter) age() time.Time {
	if ch.timed {
		return ch.first
	}
	return ch.mtime
}

// distinct takes out the compressed chapters whose content another one has: a compression in progress or just done.
func (r *reader) distinct(chapters []*chapter) []*chapter {
	drop := map[*chapter]bool{}
	for _, a := range chapters {
		if a.cursor.gen.packing() == "" || a.broken && len(a.head) == 0 && !a.beside {
			continue
		}
		if len(a.head) == 0 && a.beside { // nothing of it is written yet
			drop[a] = true
			continue
		}
		for _, b := range chapters {
			if a != b && !drop[b] && a.mayBe(b) && r.set.contained(a.cursor.gen, b.cursor.gen) {
				drop[a] = true
				break
			}
		}
	}
	return slices.DeleteFunc(chapters, func(ch *chapter) bool {
		if drop[ch] {
			ch.cursor.gen.release()
		}
		return drop[ch]
	})
}

// mayBe says whether a compressed chapter may be made of another one. Equal beginnings alone do not tell: a program may
// write the same few lines at each of its starts.
func (ch *chapter) mayBe(o *chapter) bool {
	if !startsAlike(ch.head, o.head) {
		return false
	}
	if o.pinned {
		stem, _ := formatOf(ch.path)
		other, _ := formatOf(o.path)
		return stem == other
	}
	return !o.settled || len(ch.head) == headSize
}

// contained says whether b begins with all that a has; a compressed file that breaks off counts as far as it goes.
func (s *Set) contained(a, b *generation) bool {
	one, closeOne := s.content(a)
	defer closeOne()
	two, closeTwo := s.content(b)
	defer closeTwo()
	if one == nil || two == nil {
		return false
	}
	bufA, bufB := make([]byte, keepBuffer), make([]byte, keepBuffer)
	for {
		n, end := fullRead(one, bufA)
		m, _ := fullRead(two, bufB)
		if m < n || !bytes.Equal(bufA[:n], bufB[:n]) {
			return false
		}
		if end {
			return true
		}
	}
}

// fullRead reads until the buffer is full or nothing comes any more.
func fullRead(in io.Reader, buf []byte) (n int, end bool) {
	n, err := io.ReadFull(in, buf)
	return n, err != nil
}

// content reads all of a generation.
func (s *Set) content(g *generation) (io.Reader, func()) {
	h := g.handle.Load()
	if h == nil {
		return nil, func() {}
	}
	if g.packing() == "" {
		return io.NewSectionReader(h.f, 0, 1<<62), func() {}
	}
	u, err := newUnpacker(h.f, g.packing(), s.limits)
	if err != nil {
		return nil, func() {}
	}
	return u, u.close
}

// sinceIn finds the first line of a chapter at or after start.Since.
func (r *reader) sinceIn(ch *chapter, start source.Start) int64 {
	c := ch.cursor
	if c.gen.packing() == "" {
		var off int64 // of all where nothing can be read: that is told
		r.steady(c, func(h *handle) {
			if off = 0; h != nil {
				off = c.since(h, start)
			}
		})
		if c.gen.packing() == "" {
			return off
		}
	}
	h := c.gen.handle.Load()
	st := newStream(h.f, c.gen.packing(), r.set.limits, 0)
	off := st.since(start.Since, func(line []byte) (time.Time, bool) { return start.TimeOf(c.gen.source, line) })
	ch.broken = st.err != nil && !errors.Is(st.err, io.EOF)
	if r.streams+st.cost() > maxStreams {
		st.close()
		return off
	}
	r.streams += st.cost()
	c.stream = st
	return off
}

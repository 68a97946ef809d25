package agent

import (
	"bytes"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// Bounds of the lines that are held for matches to come, and of what is read for them.
const (
	// heldPlaceBytes and heldBytes bound what is held of one place and of all places of a session.
	heldPlaceBytes = 256 << 10
	heldBytes      = 1 << 20
	// spanBytes is about what a held line takes beside its text.
	spanBytes = 72
	// leadBytes is how far before its beginning a place is read for lines before the first match: no further, so that
	// no line in it is one that would be cut.
	leadBytes = wire.MaxLine
)

// around is what a session that asked for context keeps for all places. The lines before a place's next match are held
// back: they are neither seen nor filtered, nor do marks pass them, until a match sends them or others take their
// place. A process that goes on from the journal reads them again.
type around struct {
	wire.Context
	bytes int // held, of all places
	// read gets what lies before a place's beginning.
	read func(at source.Position, from, to int64) ([]byte, error)
	// fresh says that a place that was not met yet begins where the session does: what lies before was not sent. It is
	// so no more after a part was skipped, after places were forgotten, and in a process that goes on from the journal.
	fresh bool
	// owed is how many lines after a match are still to be sent of places that have not been met yet: by the process
	// before this one, or since all places were forgotten.
	owed map[standing]int
}

// standing is where a place is read on. It holds also where its bytes lie in another file meanwhile: in a copy, or in a
// compressed one.
type standing struct {
	path   string
	offset int64
}

// spot is a position in one life of a file, as far as a position tells lives apart.
type spot struct {
	file   fileKey
	offset int64
}

// standingOf is where a position stands.
func standingOf(at *source.Position) standing { return standing{at.Path, at.Offset} }

// remember keeps what places owe that are to be forgotten.
func (a *around) remember(places map[uint64]*place) {
	if a.owed == nil || len(a.owed) > maxPlaces {
		a.owed = map[standing]int{} // most of them will not be met again
	}
	for _, pl := range places {
		if pl.near.left > 0 {
			a.owed[standing{pl.file.path, pl.near.end}] = pl.near.left
		}
	}
}

// nearby is what is known of the lines around the next match of one place.
type nearby struct {
	held  []span // whole lines up to end without a break, none of them sent
	bytes int    // of held
	left  int    // lines still to be sent after the last match
	told  int64  // the end of the last line that was sent or dropped
	end   int64  // how far the place was read
	begin int64  // where it was read from; 0 once nothing is to be got from before
}

// sent notes that a line was dealt with.
func (n *nearby) sent(l *span, after int, context bool) {
	n.told, n.begin = l.end, 0
	if !context {
		n.left = after
	} else if n.left > 0 {
		n.left--
	}
}

// undecided is the offset of the first line of the place that was read and may yet be sent.
func (n *nearby) undecided() int64 {
	for i := range n.held {
		if !n.held[i].foreign {
			return n.held[i].from
		}
	}
	return n.end
}

// meet prepares a place for its next block, b; fresh says that it is the first one.
func (s *session) meet(b *source.Block, fresh bool) {
	a, n := s.pipe.around, &s.pipe.place.near
	switch {
	case fresh:
		if n.left = a.owed[standingOf(&b.At)]; n.left > 0 {
			delete(a.owed, standingOf(&b.At))
		} else if a.fresh {
			n.begin = b.From
		}
		// All of its lines may be held until another one is read in its place: it must be known to have been met.
		s.out.Advance(s.pipe.mark(b, b.From), 0)
	case n.end != b.From:
		s.letGo(s.pipe.place)
		n.left, n.begin = 0, 0
	}
	n.end = b.From
}

// surround sends what goes before a match at index start of the block: the lines after the match before it, and those
// before this one. It says whether all were dealt with; if not, there is no room now, and the next call goes on.
func (s *session) surround(start int) bool { return s.after(start) && s.before(start) }

// after sends the lines that follow the last match, up to index limit of the block.
func (s *session) after(limit int) bool {
	n, b := &s.pipe.place.near, s.block
	for n.left > 0 {
		at := int(max(n.told-b.From, 0))
		if at >= limit {
			break
		}
		if l := s.spanAt(at); !s.send(&l) {
			return false
		}
	}
	return true
}

// before sends the lines before a match at index start of the block.
func (s *session) before(start int) bool {
	n, b := &s.pipe.place.near, s.block
	free := int(max(n.told-b.From, 0))
	at, lines := lastLines(b.Data[free:start], s.pipe.around.Before)
	if at += free; at == 0 {
		s.lead(s.pipe.around.Before - lines)
		held := n.held[max(len(n.held)+lines-s.pipe.around.Before, 0):]
		for _, l := range held {
			if l.from >= n.told && !s.send(&l) {
				return false
			}
		}
	}
	for at = max(at, int(n.told-b.From)); at < start; {
		l := s.spanAt(at)
		if !s.send(&l) {
			return false
		}
		at = int(l.end - b.From)
	}
	return true
}

// lead reads lines that lie before the beginning of the present place, so that as many are held as are wanted. They
// are not what the session reads: such a line counts as seen if it is sent, and else not at all.
func (s *session) lead(wanted int) {
	a, n := s.pipe.around, &s.pipe.place.near
	wanted -= len(n.held)
	if begin := n.begin; begin == 0 || wanted <= 0 || min(n.undecided(), s.block.From) != begin {
		return
	}
	first := s.block.At.PrintAt // what lies before is a hole
	from := max(n.begin-leadBytes, first)
	data, err := a.read(s.block.At, from, n.begin)
	if err != nil {
		s.log.Debug("context_read_failed", "session", s.id, "file", s.block.Path, "reason", err.Error())
		n.begin = 0
		return
	}
	if from > first {
		skip := bytes.IndexByte(data, '\n') + 1
		from, data = from+int64(skip), data[skip:]
	}
	at, _ := lastLines(data, wanted)
	var lines []span
	for at < len(data) {
		l := spanOf(data, at, from)
		l.foreign = true
		lines = append(lines, l)
		at = int(l.end - from)
	}
	n.held = append(lines, n.held...)
	n.begin = 0
}

// hold keeps the last lines of a block that is done for the next match, and decides on those before them.
func (s *session) hold() {
	a, n, b := s.pipe.around, &s.pipe.place.near, s.block
	free := int(max(n.told-b.From, 0))
	at := len(b.Data)
	if free < at {
		first, lines := lastLines(b.Data[free:], a.Before)
		at = free + first
		if at == 0 && len(n.held)+lines > a.Before && lines > 0 {
			s.decide(n.held[len(n.held)+lines-a.Before-1].end)
		}
	}
	if at > 0 {
		s.decide(b.From + int64(at))
	}
	for at < len(b.Data) {
		l := s.spanAt(at)
		l.text = bytes.Clone(l.text)
		n.held = append(n.held, l)
		n.bytes += l.bytes()
		a.bytes += l.bytes()
		at += int(l.to - l.from)
	}
	s.pipe.pass(b)
	n.end = b.To
	for n.bytes > heldPlaceBytes {
		s.decide(n.held[0].end)
	}
	if a.bytes > heldBytes {
		s.letGoTo(heldBytes / 2)
	}
}

// release forgets what a place holds of lines that end at or before offset. It returns how many of them count as seen.
func (s *session) release(pl *place, offset int64) (seen uint64) {
	n := &pl.near
	for len(n.held) > 0 && n.held[0].end <= offset {
		l := &n.held[0]
		if !l.foreign {
			n.bytes -= l.bytes()
			s.pipe.around.bytes -= l.bytes()
		}
		if !l.foreign || l.end <= n.told {
			seen++
		}
		if l.cutFrom > 0 {
			s.out.CountTruncated()
		}
		n.held[0] = span{}
		n.held = n.held[1:]
	}
	return seen
}

// letGo decides on everything that a place holds: no match will send it.
func (s *session) letGo(pl *place) {
	if seen := s.release(pl, pl.near.end); seen > 0 {
		s.out.Advance(uplink.Mark{Place: pl.id, At: pl.at, Offset: pl.near.end, After: pl.near.left}, seen)
	}
}

// letAllGo decides on everything that is held.
func (s *session) letAllGo() { s.letGoTo(0) }

// letGoTo decides on what is held of one place after another, by chance, until no more than so many bytes are left.
func (s *session) letGoTo(most int) {
	for _, pl := range s.pipe.places {
		if s.pipe.around == nil || s.pipe.around.bytes <= most {
			return
		}
		s.letGo(pl)
	}
}

// marks are marks of all of the reader's positions, before what is held. It may be called only between blocks.
func (s *session) marks() []uplink.Mark {
	if s.pipe.around == nil {
		return s.pipe.baseMarks(s.reader.Positions(), nil)
	}
	met := map[spot]*place{}
	for _, pl := range s.pipe.places {
		met[spot{pl.file, pl.near.end}] = pl
	}
	marks := s.pipe.baseMarks(s.reader.Positions(), met)
	for _, pl := range met {
		s.letGo(pl) // its file is over, or was skipped
	}
	return marks
}

// bytes is about what the line takes while it is held.
func (l *span) bytes() int { return spanBytes + len(l.text) }

// lastLines is where the last lines of data begin, at most limit of them, and how many they are.
func lastLines(data []byte, limit int) (at, lines int) {
	at = len(data)
	for lines < limit && at > 0 {
		at = bytes.LastIndexByte(data[:at-1], '\n') + 1
		lines++
	}
	return at, lines
}

package agent

import (
	"encoding/json"
	"iter"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/filter"
	"github.com/spilelog/spile/internal/parse"
	"github.com/spilelog/spile/internal/uplink"
)

// maxPlaces bounds what a session remembers of places; beyond it all is forgotten and learned again.
const maxPlaces = 4096

// basePlace marks the place numbers of marks that were not made by a block of this process.
const basePlace = 1 << 63

// pipeline turns blocks into frames: it holds what a session needs from line to line.
type pipeline struct {
	match  *filter.Matcher
	frame  framer
	places map[uint64]*place
	place  *place // of the present block
	// next is the index in the block of the next line to look at, counted how far lines were counted.
	next, counted int
	bytes         int64 // bytes read so far
	shares        shares
	around        *around // nil in a session without context

	ev      event.Event
	scratch []byte
}

// place is what a session knows of one place.
type place struct {
	id       uint64
	file     fileKey
	near     nearby
	parser   parse.Parser
	at       json.RawMessage // the identity as the journal holds it
	printLen int             // of at
	took     int             // bytes of frames of late; see shares
}

// fileKey tells files apart, but not the lives of one.
type fileKey struct {
	path          string
	device, inode uint64
}

// fileOf is the key of a position's file.
func fileOf(at *source.Position) fileKey { return fileKey{at.Path, at.Device, at.Inode} }

// crowded says whether too many places are remembered.
func (p *pipeline) crowded() bool { return len(p.places) >= maxPlaces }

// forget forgets all places, but for what they owe. Nothing may be held of them.
func (p *pipeline) forget() {
	if p.around != nil {
		p.around.fresh = false
		p.around.remember(p.places)
	}
	clear(p.places)
	p.shares = shares{}
}

// begin prepares for a new block and says whether it is the first one of its place.
func (p *pipeline) begin(b *source.Block) bool {
	p.place = p.places[b.Place]
	fresh := p.place == nil
	if fresh {
		p.place = &place{id: b.Place, file: fileOf(&b.At)}
		p.places[b.Place] = p.place
	}
	if p.place.at == nil || p.place.printLen != b.At.PrintLen {
		p.place.at, p.place.printLen = encodePosition(b.At), b.At.PrintLen
	}
	p.next, p.counted = 0, 0
	return fresh
}

// pass notes that the block was read to its end without deciding on all of its lines.
func (p *pipeline) pass(b *source.Block) {
	if p.counted < len(b.Data) {
		p.bytes += b.To - b.From - int64(p.counted)
		p.counted = len(b.Data)
	}
}

// mark is the position of the present block's place at offset.
func (p *pipeline) mark(b *source.Block, offset int64) uplink.Mark {
	return uplink.Mark{Place: b.Place, At: p.place.at, Offset: offset, After: p.place.near.left}
}

// baseMarks are marks of all of a reader's positions, of places that were met before what is held of them. What it
// finds it takes out of met.
func (p *pipeline) baseMarks(positions iter.Seq[source.Position], met map[spot]*place) []uplink.Mark {
	var marks []uplink.Mark
	for at := range positions {
		mark := uplink.Mark{Place: basePlace | uint64(len(marks)), At: encodePosition(at), Offset: at.Offset}
		here := spot{fileOf(&at), at.Offset}
		if pl := met[here]; pl != nil {
			mark.Offset, mark.After = pl.near.undecided(), pl.near.left
			delete(met, here)
		} else if p.around != nil {
			mark.After = p.around.owed[standingOf(&at)]
		}
		marks = append(marks, mark)
	}
	return marks
}

// encodePosition is at as the journal holds it.
func encodePosition(at source.Position) json.RawMessage {
	data, err := json.Marshal(at)
	if err != nil {
		// A position is strings and numbers, which always encode.
		panic("encode position: " + err.Error())
	}
	return data
}

// resumePositions are the positions that a dead process's marks stand for, and how many lines are owed there. A mark of
// a block replaces the base marks of the same file, or the one base mark of a place of which nothing but its end was
// told: others may be of later lives of that file.
func resumePositions(marks []uplink.Mark) ([]source.Position, map[standing]int, error) {
	var base, later []source.Position
	known, over, read := map[source.Position]bool{}, map[source.Position]bool{}, map[fileKey]bool{}
	owed := map[standing]int{}
	for _, m := range marks {
		var at source.Position
		if err := json.Unmarshal(m.At, &at); err != nil {
			return nil, nil, err
		}
		name := placeName(at)
		at.Offset = m.Offset
		switch {
		case m.Place >= basePlace:
			base = append(base, at)
			known[name] = true
		case at.Over && known[name]:
			later = append(later, at)
			over[name] = true
			continue
		default:
			later = append(later, at)
			read[fileOf(&at)] = true
		}
		if owed[standingOf(&at)] = m.After; m.After == 0 {
			delete(owed, standingOf(&at))
		}
	}
	out := []source.Position{}
	for _, at := range base {
		if !over[placeName(at)] && !read[fileOf(&at)] {
			out = append(out, at)
		}
	}
	return append(out, later...), owed, nil
}

// placeName is what of a position stays the same when the reader goes on without a block.
func placeName(at source.Position) source.Position {
	at.Offset, at.Over = 0, false
	return at
}

// historyMatch says for the search of tail whether a line counts, and when it was written.
func historyMatch(m *filter.Matcher) func(source, path string, line []byte) (time.Time, bool) {
	var parser parse.Parser
	var ev event.Event
	return func(name, _ string, line []byte) (time.Time, bool) {
		if !m.Pattern(line) {
			return time.Time{}, false
		}
		ev.Reset()
		parser.Parse(string(line), time.Time{}, &ev)
		ev.Source = name
		return ev.Time, m.Event(&ev)
	}
}

// lineTime reads a line's own time for the search of since.
func lineTime() func(source string, line []byte) (time.Time, bool) {
	var parser parse.Parser
	return func(_ string, line []byte) (time.Time, bool) { return parser.Time(string(line)) }
}

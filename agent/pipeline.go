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

	ev      event.Event
	scratch []byte
}

// place is what a session knows of one place.
type place struct {
	parser   parse.Parser
	at       json.RawMessage // the identity as the journal holds it
	printLen int             // of at
	took     int             // bytes of frames of late; see shares
}

// begin prepares for a new block.
func (p *pipeline) begin(b *source.Block) {
	if len(p.places) >= maxPlaces {
		clear(p.places)
		p.shares = shares{}
	}
	p.place = p.places[b.Place]
	if p.place == nil {
		p.place = &place{}
		p.places[b.Place] = p.place
	}
	if p.place.at == nil || p.place.printLen != b.At.PrintLen {
		p.place.at, p.place.printLen = encodePosition(b.At), b.At.PrintLen
	}
	p.next, p.counted = 0, 0
}

// mark is the position of the present block's place at offset.
func (p *pipeline) mark(b *source.Block, offset int64) uplink.Mark {
	return uplink.Mark{Place: b.Place, At: p.place.at, Offset: offset}
}

// baseMarks are marks of all of a reader's positions.
func (p *pipeline) baseMarks(positions iter.Seq[source.Position]) []uplink.Mark {
	var marks []uplink.Mark
	for at := range positions {
		place := basePlace | uint64(len(marks))
		marks = append(marks, uplink.Mark{Place: place, At: encodePosition(at), Offset: at.Offset})
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

// resumePositions are the positions that a dead process's marks stand for. A mark of a block replaces the base mark of
// the same file.
func resumePositions(marks []uplink.Mark) ([]source.Position, error) {
	type file struct {
		path          string
		device, inode uint64
	}
	var base, later []source.Position
	read := map[file]bool{}
	for _, m := range marks {
		var at source.Position
		if err := json.Unmarshal(m.At, &at); err != nil {
			return nil, err
		}
		at.Offset = m.Offset
		if m.Place >= basePlace {
			base = append(base, at)
			continue
		}
		later = append(later, at)
		read[file{at.Path, at.Device, at.Inode}] = true
	}
	out := []source.Position{}
	for _, at := range base {
		if !read[file{at.Path, at.Device, at.Inode}] {
			out = append(out, at)
		}
	}
	return append(out, later...), nil
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

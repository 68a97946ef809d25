package agent

import (
	"bytes"
	"time"
	"unsafe"

	"golang.org/x/time/rate"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// keptTokens is the part of the limit's burst, one in so many, that is kept for places with little to say.
const keptTokens = 8

// span is one line of a place.
type span struct {
	from, to int64  // where the kept bytes of it lie, with the newline
	end      int64  // where the next line begins
	cutFrom  int64  // the line's original length, 0 if it was not cut
	text     []byte // what is kept, without the newline
	foreign  bool   // it lies before what the session reads
}

// spanOf is the line at index start of data, whose first byte lies at offset base.
func spanOf(data []byte, start int, base int64) span {
	end := len(data)
	next := end
	if n := bytes.IndexByte(data[start:], '\n'); n >= 0 {
		end, next = start+n, start+n+1
	}
	return span{from: base + int64(start), to: base + int64(next), end: base + int64(next), text: data[start:end]}
}

// spanAt is the line at index start of the present block.
func (s *session) spanAt(start int) span {
	b := s.block
	l := spanOf(b.Data, start, b.From)
	l.cutFrom = b.CutFrom
	if l.to == b.From+int64(len(b.Data)) {
		l.end = b.To
	}
	return l
}

// begin takes a new block; bytes that nobody can read are announced first.
func (s *session) begin(block *source.Block) {
	s.block = block
	s.enter(block)
	if block.Gap != nil {
		s.lose(block)
		s.pipe.bytes += block.Gap.Bytes // no backlog any more, so that it does not look as if reading had stopped
		s.out.Pump(s.link)
	}
}

// enter makes the place of a block the present one.
func (s *session) enter(block *source.Block) {
	if s.pipe.crowded() {
		s.letAllGo()
		s.pipe.forget()
	}
	fresh := s.pipe.begin(block)
	if s.pipe.around != nil {
		s.meet(block, fresh)
	}
}

// lose announces the gap that a block of the present place is. No match sends what is held from before it.
func (s *session) lose(block *source.Block) {
	if s.pipe.around != nil {
		s.letGo(s.pipe.place)
	}
	mark := s.pipe.mark(block, block.To)
	mark.At = encodePosition(block.At)
	s.out.Lost(gapFrame(block.Gap), mark)
}

// process matches the lines of the block from where it stopped. It says whether the block is done; if not, the
// session waits for credit.
func (s *session) process() bool {
	p := s.pipe
	data := s.block.Data[p.next:]
	base, done := p.next, true
	p.match.Candidates(data, func(start, end int) bool {
		start, end = base+start, base+end
		if !s.line(start, end) {
			p.next, done = start, false
		}
		return done
	})
	if done {
		p.next = len(s.block.Data)
	}
	switch {
	case p.around == nil:
		s.advance(p.next, 0)
	case done && s.after(p.next):
		s.hold()
	default:
		s.decide(p.place.near.told)
		done = false
	}
	return done
}

// line takes one candidate line. It says whether the line was dealt with; if not, there is no room for it now.
func (s *session) line(start, end int) bool {
	p := s.pipe
	line := bytes.TrimSuffix(s.block.Data[start:end], []byte{'\r'})
	if !p.match.Pattern(line) {
		return true
	}
	if p.match.HasLevels() {
		if level, ok := p.place.parser.Level(textOf(line)); ok && !p.match.Levels().Has(level) {
			return true
		}
	}
	s.parse(line)
	if !p.match.Event(&p.ev) {
		return true
	}
	l := s.spanAt(start)
	if p.around == nil {
		return s.take(&l, false)
	}
	if !s.surround(start) {
		return false
	}
	s.parse(line) // again, since the lines before may have begun another batch
	return s.take(&l, false)
}

// textOf is line as a text, which aliases it: a block outlives everything that is made from its lines here.
func textOf(line []byte) string { return unsafe.String(unsafe.SliceData(line), len(line)) }

// parse makes a line of the present place the event at hand.
func (s *session) parse(line []byte) {
	p := s.pipe
	p.ev.Reset()
	p.place.parser.Parse(textOf(line), s.out.BatchTime(time.Now()), &p.ev)
	p.ev.Source = s.block.Source
}

// send takes a line that is sent for a match nearby.
func (s *session) send(l *span) bool {
	s.parse(bytes.TrimSuffix(l.text, []byte{'\r'}))
	return s.take(l, true)
}

// take sends or drops the line of the event at hand. It says whether it did; if not, there is no room for it now.
func (s *session) take(l *span, context bool) bool {
	p := s.pipe
	reason := s.noRoom()
	if reason != "" && s.waits() {
		return false
	}
	if s.out.Records(reason) {
		// What comes next makes the outbox write a record.
		s.decide(l.from)
	}
	if p.around != nil {
		p.place.near.sent(l, p.around.After, context)
	}
	if reason != "" {
		s.out.Drop(reason)
	} else {
		s.add(l, context)
	}
	return true
}

// waits says whether what finds no room waits for it, and is not dropped. What is history already does not become older
// by waiting.
func (s *session) waits() bool { return s.desc.Mode == wire.ModeComplete || s.history }

// noRoom says why an event that passed cannot be sent now, empty if it can.
func (s *session) noRoom() string {
	// What waits loses nothing, so that nobody has to go before others.
	first := !s.waits() && s.pipe.shares.little(s.pipe.place)
	if !s.out.Accepting() {
		s.out.Pump(s.link)
		if !s.out.Accepting() && (!first || !s.out.Spare()) {
			return wire.ReasonBufferOverrun
		}
	}
	if s.limit != nil && !allows(s.limit, first || s.waits()) {
		return wire.ReasonRate
	}
	return ""
}

// allows takes a token of the limit for one event, a kept one only where the event may go before others.
func allows(limit *rate.Limiter, first bool) bool {
	if kept := limit.Burst() / keptTokens; !first && limit.Tokens() < float64(kept+1) {
		return false
	}
	return limit.Allow()
}

// add puts the event at hand into the batch and sends the batch when it is full.
func (s *session) add(l *span, context bool) {
	p, b := s.pipe, s.block
	if s.out.Empty() {
		s.began = time.Now()
	}
	p.scratch = p.frame.members(p.scratch[:0], &p.ev, frameOrigin{
		path: b.Path, offset: l.from, end: l.to, cutFrom: l.cutFrom, raw: l.text, context: context,
	})
	p.shares.took(p.place, len(p.scratch))
	s.out.Add(p.scratch, p.mark(b, b.From), uplink.Range{
		From: l.from, To: l.to, CutFrom: l.cutFrom, Context: context,
	})
	if s.out.Full() {
		s.decide(l.end)
		if s.out.Pump(s.link) {
			s.out.Seal()
			s.out.Pump(s.link)
		}
	}
}

// decide tells the outbox that everything of the present place before offset is done with.
func (s *session) decide(offset int64) {
	p, b := s.pipe, s.block
	var held uint64
	if p.around != nil {
		held = s.release(p.place, offset)
	}
	if to := min(offset-b.From, int64(len(b.Data))); to > int64(p.counted) {
		s.advance(int(to), held)
	} else if held > 0 {
		s.out.Advance(p.mark(b, p.place.near.undecided()), held)
	}
}

// advance tells the outbox that the block is finished up to index to, and so many lines that were held before it.
func (s *session) advance(to int, held uint64) {
	p, b := s.pipe, s.block
	if to <= p.counted {
		return
	}
	seen := held + uint64(bytes.Count(b.Data[p.counted:to], []byte{'\n'}))
	offset := b.From + int64(to)
	if to == len(b.Data) {
		offset = b.To
		if b.Data[to-1] != '\n' {
			seen++
		}
	}
	if b.CutFrom > 0 {
		s.out.CountTruncated()
	}
	p.bytes += offset - b.From - int64(p.counted)
	p.counted = to
	s.out.Advance(p.mark(b, offset), seen)
}

// gapFrame is the frame that announces bytes nobody reads.
func gapFrame(g *source.Gap) wire.Control {
	return wire.Control{
		Reason: g.Reason, Count: uint64(g.Bytes), Unit: wire.UnitBytes, File: g.Path, AtLeast: g.AtLeast,
	}
}

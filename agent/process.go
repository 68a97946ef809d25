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

// begin takes a new block; bytes that nobody can read are announced first.
func (s *session) begin(block *source.Block) {
	if block.Gap != nil {
		s.out.Lost(gapFrame(block.Gap, block.Gap.Reason))
		s.out.Pump(s.link)
	}
	s.block = block
	s.pipe.begin(block)
	if block.CutFrom > 0 {
		s.out.CountTruncated()
	}
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
	if !done {
		s.advance(p.next)
		return false
	}
	p.next = len(s.block.Data)
	s.advance(p.next)
	return true
}

// line takes one candidate line. It says whether the line was dealt with; if not, there is no room for it now.
func (s *session) line(start, end int) bool {
	p := s.pipe
	raw := s.block.Data[start:end]
	line := bytes.TrimSuffix(raw, []byte{'\r'})
	if !p.match.Pattern(line) {
		return true
	}
	// The text aliases the block, which outlives everything that is made from it here.
	text := unsafe.String(unsafe.SliceData(line), len(line))
	if p.match.HasLevels() {
		if level, ok := p.place.parser.Level(text); ok && !p.match.Levels().Has(level) {
			return true
		}
	}
	now := s.out.BatchTime(time.Now())
	p.ev.Reset()
	p.place.parser.Parse(text, now, &p.ev)
	p.ev.Source = s.block.Source
	if !p.match.Event(&p.ev) {
		return true
	}
	if reason := s.noRoom(); reason != "" {
		if s.waits() {
			return false
		}
		s.settle(start, reason)
		s.out.Drop(reason)
		return true
	}
	s.settle(start, "")
	s.add(start, end, raw)
	return true
}

// waits says whether what finds no room waits for it, and is not dropped. What is history already does not become older
// by waiting.
func (s *session) waits() bool { return s.desc.Mode == wire.ModeComplete || s.history }

// settle brings the outbox up to index start if what comes next makes it write a record.
func (s *session) settle(start int, reason string) {
	if s.out.Records(reason) {
		s.advance(start)
	}
}

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

// add puts one event into the batch and sends the batch when it is full.
func (s *session) add(start, end int, raw []byte) {
	p, b := s.pipe, s.block
	if s.out.Empty() {
		s.began = time.Now()
	}
	p.scratch = p.frame.members(p.scratch[:0], &p.ev, frameOrigin{
		path: b.Path, offset: b.From + int64(start), cutFrom: b.CutFrom, raw: raw,
	})
	p.shares.took(p.place, len(p.scratch))
	to := min(int64(end)+1, int64(len(b.Data)))
	s.out.Add(p.scratch, p.mark(b, b.From), uplink.Range{
		From: b.From + int64(start), To: b.From + to, CutFrom: b.CutFrom,
	})
	if s.out.Full() {
		s.advance(int(to))
		if s.out.Pump(s.link) {
			s.out.Seal()
			s.out.Pump(s.link)
		}
	}
}

// advance tells the outbox that the block is finished up to index to.
func (s *session) advance(to int) {
	p, b := s.pipe, s.block
	if to <= p.counted {
		return
	}
	seen := uint64(bytes.Count(b.Data[p.counted:to], []byte{'\n'}))
	offset := b.From + int64(to)
	if to == len(b.Data) {
		offset = b.To
		if b.Data[to-1] != '\n' {
			seen++
		}
	}
	p.bytes += offset - b.From - int64(p.counted)
	p.counted = to
	s.out.Advance(p.mark(b, offset), seen)
}

// gapFrame is the frame that announces bytes nobody reads.
func gapFrame(g *source.Gap, reason string) wire.Control {
	return wire.Control{
		Reason: reason, Count: uint64(g.Bytes), Unit: wire.UnitBytes, File: g.Path, AtLeast: g.AtLeast,
	}
}

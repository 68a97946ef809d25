package hub

import (
	"fmt"
	"time"

	"github.com/spilelog/spile/wire"
)

const (
	// keptAnswers is how many answers of an agent are held, for viewers who are owed the same.
	keptAnswers = 4
	// answerRest is how long after the last of them they are held.
	answerRest = 5 * time.Second
	// askPatience is how long an answer may take before the question is put again, in case a message was lost.
	askPatience = 2 * wire.BusyPing
)

// replay is how an agent is asked for what the ring does not hold; the session's lock guards it. One question stands
// at a time, whoever waits for the answer, so that viewers who are behind cost an agent no more than one of them.
type replay struct {
	// able says that the agent answers.
	able bool
	// asked is the question that stands, From being 0 for none; due says that it is still to be sent, at when it was.
	asked wire.Replay
	due   bool
	at    time.Time
	// answers are the last ones, latest when the last of them came.
	answers []answer
	latest  time.Time
}

// answer is what an agent sent again for the numbers from to to of an epoch. What is in no entry it knows no more.
type answer struct {
	epoch, from, to uint64
	entries         []*entry
}

// replaysLocked says whether an agent can be asked for what is missing for a reason. In live mode a viewer that read
// too slowly is not owed what it missed: it goes on at now.
func (s *session) replaysLocked(a *agentState, reason string) bool {
	if !a.replay.able || a.closed || a.refused || s.ended {
		return false
	}
	return reason == wire.ReasonPositionLost || reason == wire.ReasonSlowViewer && s.config.Mode == wire.ModeComplete
}

// reachLocked brings the viewer before event seq of an epoch, and says whether it came there. What is missing on the
// way is announced for reason, but for what the agent can be asked for: then the viewer is behind with that agent until
// it has it.
func (v *viewer) reachLocked(i int, epoch, seq uint64, reason string) bool {
	p, a := &v.at[i], v.session.agents[i]
	if epoch == a.epoch && v.session.replaysLocked(a, reason) {
		if p.epoch != epoch {
			v.skipLocked(i, epoch, 1, reason) // nobody has the rest of an earlier epoch
		}
		if p.epoch == epoch && p.seq+1 < seq {
			if !p.behind {
				p.behind, p.place, p.reason = true, v.place, reason
			}
			return false
		}
	}
	v.skipLocked(i, epoch, seq, reason)
	return true
}

// catchUpLocked takes what the viewer is owed of an agent that it is behind with: from the agent's answers what the
// ring holds no more, then from the ring what it passed over meanwhile.
func (v *viewer) catchUpLocked(i int) {
	s, p := v.session, &v.at[i]
	a := s.agents[i]
	for p.behind && v.queued < v.most && len(v.pieces) < maxPieces {
		p.place = s.seekLocked(i, max(p.place, s.ring.First()))
		epoch, seq := a.epoch, a.nextSeq
		if p.place < s.ring.Next() {
			epoch, seq = s.ring.At(p.place).epoch, s.ring.At(p.place).first
		}
		switch {
		case !v.reachLocked(i, epoch, seq, p.reason):
			stood := p.seq
			if !v.takeAnswerLocked(i, seq) {
				s.askLocked(i, p, seq)
			}
			if p.seq == stood {
				return // there is no answer yet, or no room
			}
		case p.place >= v.place:
			p.behind = false
		case !v.fitsLocked(s.ring.At(p.place)):
			return
		default:
			v.takeEntryLocked(s.ring.At(p.place))
			p.place++
		}
	}
}

// fitsLocked says whether the viewer may take an entry beside what it has taken.
func (v *viewer) fitsLocked(e *entry) bool {
	return len(v.pieces) < maxPieces && (v.queued == 0 || v.queued+len(e.data) <= v.most)
}

// seekLocked is the first place from place on with an entry of an agent, or the ring's end.
func (s *session) seekLocked(i int, place uint64) uint64 {
	for place < s.ring.Next() && s.ring.At(place).agent != i {
		place++
	}
	return place
}

// takeAnswerLocked takes what an agent sent again, up to before event seq and as far as there is room, and says whether
// there was an answer for where the viewer stands.
func (v *viewer) takeAnswerLocked(i int, seq uint64) bool {
	p := &v.at[i]
	for _, one := range v.session.agents[i].replay.answers {
		if one.epoch != p.epoch || p.seq+1 < one.from || one.to < p.seq+1 {
			continue
		}
		next := min(one.to+1, seq)
		told := false // of lost bytes, to which the next event belongs
		for _, e := range one.entries {
			if e.count > 0 && e.first+e.count <= p.seq+1 || e.first >= next && (next < seq || e.count > 0) {
				continue
			}
			if !told && !v.fitsLocked(e) {
				return true
			}
			told = e.count == 0
			v.skipLocked(i, e.epoch, min(e.first, seq), p.reason)
			v.takeEntryLocked(e)
		}
		v.skipLocked(i, one.epoch, next, p.reason)
		return true
	}
	return false
}

// askLocked asks an agent for what lies between a viewer's position and event seq, unless another question stands.
func (s *session) askLocked(i int, p *position, seq uint64) {
	a := s.agents[i]
	if a.replay.asked.From != 0 {
		return
	}
	before := a.nextItem
	for place := p.place; place < s.ring.Next(); place++ {
		e := s.ring.At(place)
		if e.agent != i || e.item == 0 {
			continue
		}
		if before = e.item; e.count > 0 {
			before++ // the ring may hold only the last part of it
		}
		break
	}
	a.replay.asked = wire.Replay{Session: s.config.ID, Epoch: p.epoch, From: p.seq + 1, To: seq - 1, Before: before}
	a.replay.due = true
	s.ackNow = true
	s.kickAcks()
}

// dueLocked is the question that is to be sent to an agent now, nil if there is none.
func (a *agentState) dueLocked() *wire.Replay {
	r := &a.replay
	if !r.due || !a.connected {
		return nil
	}
	r.due, r.at = false, time.Now()
	ask := r.asked
	return &ask
}

// tendReplays puts questions again that were not answered, all of them if messages were lost, and lets go of answers
// that nobody takes.
func (s *session) tendReplays(lost bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.agents {
		r := &a.replay
		if r.asked.From != 0 && !r.due && a.connected && (lost || time.Since(r.at) >= askPatience) {
			s.hub.log.Warn("replay_unanswered", "session_id", s.config.ID, "agent_id", a.ref.ID, "from", r.asked.From)
			r.due = true
			s.ackNow = true
			s.kickAcks()
		}
		if len(r.answers) > 0 && time.Since(r.latest) >= answerRest {
			r.answers = nil
		}
	}
}

// takeReplayed takes an agent's answer.
func (s *session) takeReplayed(index int, r *wire.Replayed) error {
	entries, err := s.entriesOf(index, r)
	if err != nil {
		return fmt.Errorf("events %d to %d sent again: %w", r.From, r.To, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[index]
	if asked := &a.replay.asked; s.ended || a.refused || asked.From != r.From || asked.Epoch != r.Epoch {
		return nil // to a question that stands no more
	}
	if r.Epoch == a.epoch && r.To >= a.nextSeq {
		return fmt.Errorf("events %d to %d sent again, though only those before %d were sent", r.From, r.To, a.nextSeq)
	}
	a.replay.asked, a.replay.due = wire.Replay{}, false
	if len(a.replay.answers) >= keptAnswers {
		a.replay.answers = a.replay.answers[1:]
	}
	a.replay.answers = append(a.replay.answers[:len(a.replay.answers):len(a.replay.answers)],
		answer{r.Epoch, r.From, r.To, entries})
	a.replay.latest = time.Now()
	s.wakeLocked()
	return nil
}

// entriesOf makes entries of the pieces of an answer, as the ring would hold them.
func (s *session) entriesOf(index int, r *wire.Replayed) ([]*entry, error) {
	scratch := s.hub.borrow(int(r.RawSize))
	defer s.hub.scratch.Put(scratch)
	data, err := s.hub.decoder.DecodeAll(r.Block, (*scratch)[:0])
	if err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if uint64(len(data)) != r.RawSize {
		return nil, fmt.Errorf("%d bytes of frames, %d announced", len(data), r.RawSize)
	}
	id := s.agents[index].ref.ID
	entries := make([]*entry, 0, len(r.Pieces))
	for i := range r.Pieces {
		piece := &r.Pieces[i]
		if piece.Gap != nil {
			e, err := gapEntry(index, id, r.Epoch, piece)
			if err != nil {
				return nil, err
			}
			entries = append(entries, e)
			continue
		}
		rest := skipFrames(data, piece.Count)
		frames := data[:len(data)-len(rest)]
		batch := wire.Batch{Epoch: r.Epoch, First: piece.First, Count: piece.Count}
		parts, err := checkFrames(frames, id, &batch)
		if err != nil {
			return nil, err
		}
		entries = append(entries, partEntries(index, frames, &batch, parts)...)
		data = rest
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%d bytes of frames more than announced", len(data))
	}
	return entries, nil
}

// gapEntry makes the entry of an agent's gap. Only what a gap may say is taken over; the rest of the frame is the
// server's word.
func gapEntry(index int, id string, epoch uint64, g *wire.ReplayPiece) (*entry, error) {
	if g.Gap.Reason == "" {
		return nil, fmt.Errorf("gap before event %d has no reason", g.First+g.Count)
	}
	gap := &wire.Control{
		Type: "control", Event: wire.EventGap, Agent: id, Epoch: epoch, Reason: g.Gap.Reason, Count: g.Gap.Count,
		Unit: g.Gap.Unit, File: g.Gap.File, AtLeast: g.Gap.AtLeast,
	}
	e := &entry{kind: entryGap, agent: index, epoch: epoch, gap: gap, first: g.First, count: g.Count}
	if numbered := g.Gap.From != 0 || g.Gap.To != 0 || g.Count != 0; numbered {
		gap.From, gap.To = g.Gap.From, g.Gap.To
		if gap.Unit != wire.UnitEvents || gap.From != g.First || gap.To < gap.From || g.Count != gap.Count ||
			gap.Count != gap.To-gap.From+1 {
			return nil, fmt.Errorf("gap covers %d events %d to %d, want %d from %d on",
				gap.Count, gap.From, gap.To, g.Count, g.First)
		}
	}
	var err error
	e.data, err = encodeControl(gap)
	return e, err
}

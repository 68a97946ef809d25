package hub

import (
	"bytes"

	"github.com/spilelog/spile/wire"
)

// position is where a viewer stands in one agent's numbering, and its account of it. The counters are kept where the
// things happen, not computed from one another, so that the equation says something.
type position struct {
	// epoch and seq name the last event that was taken from the ring; epoch 0 is before everything.
	epoch, seq uint64
	// base is the agent's total before this viewer's first event, cum the total up to its last.
	based     bool
	base, cum uint64
	delivered uint64
	gapped    uint64

	// behind says that the viewer waits for what the agent sends again, and passes over what the ring has of it from
	// place on; reason is why it would be announced as lost.
	behind bool
	place  uint64
	reason string
}

// piece is a part of an entry that a viewer is owed: what is written at once.
type piece struct {
	kind  entryKind
	agent int
	epoch uint64
	// from and to are the numbers it stands for; count is 0 for none.
	from, to, count uint64
	data            []byte
	// reason is why, for an entryGap.
	reason string
	// moves says that the piece moves the cursor, to event to of its epoch.
	moves bool
	// place is where it was in the ring, and before where the viewer stood then, if it stands for numbers.
	place  uint64
	before mark
}

// mark is where a viewer stands in one agent's numbering.
type mark struct{ epoch, seq, cum uint64 }

// cumAt is an agent's total up to event seq of an epoch, and whether the hub knows that epoch.
func (a *agentState) cumAt(epoch, seq uint64) (uint64, bool) {
	for _, r := range a.epochs {
		if r.epoch == epoch {
			return r.before + seq + 1 - r.first, true
		}
	}
	return 0, false
}

// account is the viewer's equation for one agent.
func (p *position) account(a *agentState) wire.ViewerAccounts {
	out := wire.ViewerAccounts{Delivered: p.delivered, Gapped: p.gapped}
	if !p.based {
		return out
	}
	// A viewer may be ahead of the hub: it was served before a restart and what it has comes again.
	if a.total > p.base {
		out.Offered = a.total - p.base
	}
	if a.total > p.cum {
		out.InFlight = a.total - p.cum
	}
	return out
}

// placeLocked sets where a new viewer begins, and returns by agent id the first number that it is owed, be it as an
// event or in a gap.
func (v *viewer) placeLocked(view View) map[string]uint64 {
	s := v.session
	first := !s.watched
	s.watched = true
	v.place = s.ring.First()
	v.origin = !view.HasAfter && !view.FromNow && (view.FromStart || s.config.Mode == wire.ModeComplete)
	switch {
	case view.HasAfter:
		v.afterLocked(view.After)
	case view.FromNow || !view.FromStart && !first && s.config.Mode != wire.ModeComplete:
		v.place = s.ring.Next()
		for i, a := range s.agents {
			if a.epoch != 0 {
				v.at[i] = position{epoch: a.epoch, seq: a.nextSeq - 1, based: true, base: a.total, cum: a.total}
			}
		}
	}
	owed := make(map[string]uint64, len(s.agents))
	for i := range v.at {
		v.rebaseLocked(i)
		if next := v.owedLocked(i); next != 0 {
			owed[s.agents[i].ref.ID] = next
		}
		v.written[i] = wire.Position{Agent: s.agents[i].id, Epoch: v.at[i].epoch, Seq: v.at[i].seq}
	}
	v.fillLocked(wire.ReasonPositionLost)
	return owed
}

// originLocked is the cursor of a new viewer: where it stands before the first event that it is owed. Agents that have
// not spoken are not in it, and so are owed from their beginning to whoever returns with it.
func (v *viewer) originLocked() wire.Cursor {
	var c wire.Cursor
	for i, p := range v.written {
		if a := v.session.agents[i]; p.Epoch == 0 && len(a.epochs) > 0 {
			p.Epoch, p.Seq = a.epochs[0].epoch, v.firstOf(&a.epochs[0])-1
		}
		if p.Epoch != 0 {
			c = append(c, p)
		}
	}
	return c
}

// afterLocked sets the positions of a cursor. Positions of agents that are not in the session are ignored, and those
// of an epoch that never was count as now, since nothing behind them can be known.
func (v *viewer) afterLocked(after wire.Cursor) {
	s := v.session
	for _, p := range after {
		i, ok := s.byID[p.Agent]
		if !ok || p.Epoch == 0 {
			continue
		}
		a := s.agents[i]
		if a.epoch != 0 && p.Epoch > a.epoch {
			p.Epoch, p.Seq = a.epoch, a.nextSeq-1
		}
		v.at[i].epoch, v.at[i].seq = p.Epoch, p.Seq
	}
}

// rebaseLocked fixes the beginning of the viewer's account for an agent as soon as the agent is known.
func (v *viewer) rebaseLocked(i int) {
	p, a := &v.at[i], v.session.agents[i]
	if p.based || len(a.epochs) == 0 {
		return
	}
	p.based = true
	first := &a.epochs[0]
	if cum, ok := a.cumAt(p.epoch, p.seq); ok {
		p.base = cum
	} else if p.base = first.before; p.epoch != 0 || v.origin {
		p.base -= first.first - 1
	}
	p.cum = p.base
}

// owedLocked is the first number that the viewer is owed of an agent, 0 if the agent has not spoken.
func (v *viewer) owedLocked(i int) uint64 {
	p, a := &v.at[i], v.session.agents[i]
	switch {
	case len(a.epochs) == 0:
		return 0
	case p.epoch == 0:
		return v.firstOf(&a.epochs[0])
	}
	return p.seq + 1
}

// firstOf is the first number of an epoch that the viewer is owed when it has seen none before.
func (v *viewer) firstOf(r *epochRange) uint64 {
	if v.origin {
		return 1
	}
	return r.first
}

// fillLocked brings the viewer, for each agent, to the first events that the ring still holds.
func (v *viewer) fillLocked(reason string) {
	s := v.session
	type held struct{ epoch, seq uint64 }
	first := make([]held, len(s.agents))
	missing := len(s.agents)
	for place := s.ring.First(); place < s.ring.Next() && missing > 0; place++ {
		e := s.ring.At(place)
		if first[e.agent].epoch == 0 && e.first != 0 {
			first[e.agent] = held{e.epoch, e.first}
			missing--
		}
	}
	for i, a := range s.agents {
		if v.at[i].behind {
			continue
		}
		if first[i].epoch == 0 {
			first[i] = held{a.epoch, a.nextSeq}
		}
		v.reachLocked(i, first[i].epoch, first[i].seq, reason)
	}
}

// skipLocked announces what lies between the viewer's position and event seq of an epoch, one gap for each epoch.
func (v *viewer) skipLocked(i int, epoch, seq uint64, reason string) {
	p := &v.at[i]
	for _, r := range v.session.agents[i].epochs {
		if r.epoch < p.epoch || r.epoch > epoch {
			continue
		}
		if r.epoch > p.epoch {
			v.enterLocked(i, &r)
		}
		to := r.last
		if r.epoch == epoch {
			to = seq - 1
		}
		if from := p.seq + 1; from <= to {
			v.gapLocked(i, r.epoch, from, to, reason)
		}
	}
}

// enterLocked moves the viewer to the beginning of an epoch, and announces what was lost at the change to one who
// has seen the epoch before it. Such a one is owed the epoch from its first number on, of which this server may have
// seen only later ones. So is one that is owed the session from its origin.
func (v *viewer) enterLocked(i int, r *epochRange) {
	v.rebaseLocked(i)
	p := &v.at[i]
	lost := p.epoch
	p.epoch, p.seq, p.cum = r.epoch, r.first-1, r.before
	if lost == 0 {
		p.seq = v.firstOf(r) - 1
		p.cum -= r.first - 1 - p.seq
		return
	}
	p.seq, p.cum = 0, r.before-(r.first-1)
	opening := r.opening
	if opening == nil {
		var err error
		if opening, err = openingOf(v.session.agents[i].ref.ID, lost); err != nil {
			v.session.hub.log.Error("gap_failed", "session_id", v.session.config.ID, "reason", err)
			return
		}
	}
	v.queueLocked(piece{
		kind: entryGap, agent: i, epoch: r.epoch, data: opening, moves: true, reason: wire.ReasonJournalLost,
	})
}

// gapLocked queues a gap frame and moves the viewer behind it.
func (v *viewer) gapLocked(i int, epoch, from, to uint64, reason string) {
	gap := &wire.Control{
		Type: "control", Event: wire.EventGap, Agent: v.session.agents[i].ref.ID, Epoch: epoch,
		From: from, To: to, Count: to - from + 1, Unit: wire.UnitEvents, Reason: reason,
	}
	data, err := encodeControl(gap)
	if err != nil {
		v.session.hub.log.Error("gap_failed", "session_id", v.session.config.ID, "reason", err)
		return
	}
	v.queueLocked(piece{
		kind: entryGap, agent: i, epoch: epoch, from: from, to: to, count: gap.Count, data: data,
		reason: reason, moves: true,
	})
}

// queueLocked queues a piece and moves the viewer's position behind it.
func (v *viewer) queueLocked(p piece) {
	v.queued += len(p.data)
	if p.count == 0 {
		v.pieces = append(v.pieces, p)
		return
	}
	at, a := &v.at[p.agent], v.session.agents[p.agent]
	v.rebaseLocked(p.agent)
	p.place, p.before = v.place, mark{at.epoch, at.seq, at.cum}
	if at.behind {
		p.place = at.place
	}
	v.pieces = append(v.pieces, p)
	at.epoch, at.seq = p.epoch, p.to
	if cum, ok := a.cumAt(p.epoch, p.to); ok {
		at.cum = cum
	}
}

// returnable is how many of the pieces, from the end, can be given back: log frames, which the ring may still hold.
func (v *viewer) returnable() int {
	n := 0
	for n < len(v.pieces) && v.pieces[len(v.pieces)-1-n].kind == entryFrames {
		n++
	}
	return n
}

// giveBack gives the last n pieces, which are returnable, back to the ring: the viewer takes them again when it goes
// on, or learns that they are gone.
func (v *viewer) giveBack(n int) {
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; n > 0; n-- {
		last := len(v.pieces) - 1
		p := &v.pieces[last]
		at := &v.at[p.agent]
		at.epoch, at.seq, at.cum = p.before.epoch, p.before.seq, p.before.cum
		if last < v.handed {
			v.written[p.agent].Epoch, v.written[p.agent].Seq = at.epoch, at.seq
			v.handed = last
		}
		if at.behind {
			at.place = min(at.place, p.place)
		} else {
			v.place = min(v.place, p.place)
		}
		v.queued -= len(p.data)
		*p = piece{}
		v.pieces = v.pieces[:last]
	}
}

// takeLocked queues what the viewer is owed, up to v.most if one entry is not more by itself.
func (v *viewer) takeLocked() {
	s := v.session
	if v.place < s.ring.First() {
		v.overtakenLocked()
	}
	for i := range v.at {
		v.catchUpLocked(i)
	}
	for ; v.place < s.ring.Next(); v.place++ {
		e := s.ring.At(v.place)
		if v.at[e.agent].behind {
			continue
		}
		if !v.fitsLocked(e) {
			break
		}
		v.takeEntryLocked(e)
	}
	for i := range v.at {
		// The question goes out at once, not at the next look.
		v.catchUpLocked(i)
	}
	if len(v.pieces) == 0 {
		// What was passed over because the viewer has it is taken too; nothing will be written that says so.
		s.consumeLocked(v)
	}
}

// overtakenLocked brings the viewer to what the ring still holds, and announces what left it before the viewer took it.
// An agent that sends events again also sends again what it announced between them.
func (v *viewer) overtakenLocked() {
	from := v.place
	v.place = v.session.ring.First()
	v.fillLocked(wire.ReasonSlowViewer)
	v.missedNotesLocked(from)
}

// missedNotesLocked queues the announcements without numbers that left the ring before the viewer took them, but for
// those of agents that it is behind with.
func (v *viewer) missedNotesLocked(from uint64) {
	for _, n := range v.session.notes {
		if e := n.entry; n.place >= from && !v.at[e.agent].behind {
			v.queueLocked(piece{kind: entryGap, agent: e.agent, epoch: e.epoch, data: e.data})
		}
	}
}

// takeEntryLocked queues the part of an entry that lies behind the viewer's position.
func (v *viewer) takeEntryLocked(e *entry) {
	i := e.agent
	v.rebaseLocked(i)
	at := &v.at[i]
	if e.first != 0 && !v.reachLocked(i, e.epoch, e.first, wire.ReasonPositionLost) {
		return
	}
	switch {
	case e.kind == entryBase:
		return
	case e.kind == entryHistoryEnd && !v.view.AllEvents:
		return
	case e.count == 0:
		v.takeLossLocked(e)
		return
	}
	last := e.first + e.count - 1
	if at.epoch > e.epoch || at.epoch == e.epoch && at.seq >= last {
		return
	}
	from := e.first
	if at.epoch == e.epoch {
		from = max(from, at.seq+1)
	}
	if e.kind == entryGap && from > e.first {
		v.gapLocked(i, e.epoch, from, last, e.gap.Reason)
		return
	}
	v.queueLocked(piece{
		kind: e.kind, agent: i, epoch: e.epoch, from: from, to: last, count: last - from + 1, moves: true,
		data: skipFrames(e.data, from-e.first), reason: e.reason(),
	})
}

// takeLossLocked queues a frame without numbers, be it an announcement of lost bytes or the end of history, unless the
// viewer stands behind it.
func (v *viewer) takeLossLocked(e *entry) {
	at := &v.at[e.agent]
	// Whoever has seen events behind it was told; at the very place it is told again rather than not at all.
	if at.epoch < e.epoch || at.epoch == e.epoch && at.seq < e.first {
		v.queueLocked(piece{kind: e.kind, agent: e.agent, epoch: e.epoch, data: e.data})
	}
}

// skipFrames is data without its first n frames.
func skipFrames(data []byte, n uint64) []byte {
	for ; n > 0; n-- {
		data = data[bytes.IndexByte(data, '\n')+1:]
	}
	return data
}

// restLocked announces everything that the viewer will not get any more, in place of it. Announcements that the ring
// holds are told as they are.
func (v *viewer) restLocked(reason string) {
	ring := v.session.ring
	for i := range v.at {
		v.at[i].behind = false
	}
	if v.place < ring.First() {
		v.missedNotesLocked(v.place)
	}
	for v.place = max(v.place, ring.First()); v.place < ring.Next(); v.place++ {
		if e := ring.At(v.place); e.kind == entryGap && e.count == 0 {
			v.rebaseLocked(e.agent)
			v.skipLocked(e.agent, e.epoch, e.first, reason)
			v.takeLossLocked(e)
		}
	}
	for i, a := range v.session.agents {
		v.rebaseLocked(i)
		if a.epoch != 0 {
			v.skipLocked(i, a.epoch, a.nextSeq, reason)
		}
	}
}

package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spilelog/spile/wire"
)

const (
	// maxEpochs is how many epochs of an agent are remembered, for exact gaps over a change.
	maxEpochs = 16
	// maxReasons bounds the reasons in an agent's accounts.
	maxReasons = 32
	// lagCalm is how long after its last skip an agent counts as lagging: longer than from one skip to the next.
	lagCalm = 3 * wire.LagLimit
)

// agentState is what the hub knows of one agent in one session; the session's lock guards it.
type agentState struct {
	ref wire.AgentRef
	id  [16]byte

	// epoch is 0 until the agent opened the session; nextItem and nextSeq are what it must send next.
	epoch, nextItem, nextSeq uint64
	// total counts the numbered events in the order of the ring, over all epochs.
	total  uint64
	epochs []epochRange

	connected, closed, refused bool
	status                     wire.StreamStatus
	problem                    *wire.Error
	trouble                    string // what keeps the agent from writing its own state
	statusVersion              uint64
	// historyEnded says that the agent told of the end of history, which it does again after a restart.
	historyEnded bool
	// laggedAt is when the agent last said that it skipped what it could not match in time.
	laggedAt time.Time
	accounts wire.AgentAccounts
	// counted is the account as it was counted in the session's sums, and taken how many events of the epoch came as
	// events and not in gaps, as far as that is known.
	counted wire.AgentAccounts
	taken   uint64

	// acked is the last item that was taken; fresh and underway count bytes since the last acknowledgement and
	// beyond it.
	acked           uint64
	fresh, underway int
	ackDue, resend  bool
	// asked says that a resend was asked for and nothing in order has come since.
	asked bool
	// consumed is the place before which the fastest viewer has taken everything of this agent.
	consumed uint64
	replay   replay
}

// epochRange is the part of an agent's numbering that the hub has seen: the events first to last of an epoch, which
// have the totals before+1 and on.
type epochRange struct {
	epoch, first, last, before uint64
	// opening announces what was lost when this epoch began, nil when nothing was. It belongs to the change of the
	// epoch and not to a place in the ring, so that no viewer can pass it by.
	opening []byte
}

// newAgentState is an agent that has not spoken.
func newAgentState(ref wire.AgentRef, id [16]byte) *agentState {
	return &agentState{ref: ref, id: id, accounts: presentAccounts(wire.AgentAccounts{})}
}

// presentAccounts makes the maps present, and bounds them.
func presentAccounts(a wire.AgentAccounts) wire.AgentAccounts {
	if a.Dropped == nil || len(a.Dropped) > maxReasons {
		a.Dropped = map[string]uint64{}
	}
	if a.LostBytes == nil || len(a.LostBytes) > maxReasons {
		a.LostBytes = map[string]uint64{}
	}
	return a
}

// receive takes one message of an agent off the fabric.
func (s *session) receive(data []byte) []byte {
	var id [16]byte
	if len(data) < len(id) {
		s.hub.log.Warn("session_message_failed", "session_id", s.config.ID, "reason", "message too short")
		return nil
	}
	body := data[copy(id[:], data):]
	index, ok := s.byID[id]
	if !ok {
		s.hub.log.Warn("session_message_failed", "session_id", s.config.ID, "agent_id", wire.FormatUUID(id),
			"reason", "agent is not in this session")
		return nil
	}
	if err := s.dispatch(index, body); err != nil {
		s.refuse(index, err)
	}
	return nil
}

// dispatch handles one link message; an error is a breach of the protocol.
func (s *session) dispatch(index int, data []byte) error {
	kind, body, err := wire.SplitLink(data)
	if err != nil {
		return err
	}
	switch kind {
	case wire.LinkBatch:
		batch, err := wire.ParseBatch(body)
		if err != nil {
			return err
		}
		return s.takeBatch(index, &batch)
	case wire.LinkGap:
		var gap wire.GapItem
		if err := json.Unmarshal(body, &gap); err != nil {
			return fmt.Errorf("parse gap: %w", err)
		}
		return s.takeGap(index, &gap)
	case wire.LinkReplayed:
		answer, err := wire.ParseReplayed(body)
		if err != nil {
			return err
		}
		return s.takeReplayed(index, &answer)
	case wire.LinkReport:
		var report wire.Report
		if err := json.Unmarshal(body, &report); err != nil {
			return fmt.Errorf("parse report: %w", err)
		}
		if report.State == wire.ReportOpen && min(report.Epoch, report.NextItem, report.NextSeq) == 0 {
			return fmt.Errorf("report open with epoch %d, item %d, event %d: all begin at 1",
				report.Epoch, report.NextItem, report.NextSeq)
		}
		s.takeReport(index, &report)
		return nil
	case wire.LinkStatus:
		var status Presence
		if err := json.Unmarshal(body, &status); err != nil {
			return fmt.Errorf("parse presence: %w", err)
		}
		s.takePresence(index, status)
		return nil
	}
	return fmt.Errorf("message of kind %d on a session", kind)
}

// Presence is what the server that holds an agent's link publishes to the agent's sessions, as a link message of
// kind LinkStatus: with a status when the link breaks, without one when what the agent says of itself changed.
type Presence struct {
	Status wire.StreamStatus `json:"status,omitempty"`
	// Problem is as in [wire.Agent].
	Problem string `json:"problem,omitempty"`
}

// refuse stops taking items of an agent that broke the protocol: what it sends cannot be trusted to be complete.
func (s *session) refuse(index int, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[index]
	if a.refused {
		return
	}
	s.hub.log.Error("agent_items_failed", "session_id", s.config.ID, "agent_id", a.ref.ID, "reason", why)
	a.refused = true
	a.problem = wire.Errorf(wire.CodeInternal, "agent %s broke the link's rules: %v", a.ref.Name, why)
	s.setStatusLocked(a, wire.StreamEnded)
	s.ackLocked(a)
}

// setStatusLocked changes an agent's status and tells it.
func (s *session) setStatusLocked(a *agentState, status wire.StreamStatus) {
	if a.status == status && a.problem == nil {
		return
	}
	a.status = status
	a.statusVersion++
	s.version++
	s.stateChangedLocked()
	s.wakeLocked()
}

// caughtUp tells of the agents that skipped nothing for a while that they keep up again.
func (s *session) caughtUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.agents {
		if a.status == wire.StreamLagging && time.Since(a.laggedAt) >= lagCalm {
			s.setStatusLocked(a, wire.StreamStreaming)
		}
	}
}

// expectLocked says whether an item is the next one. A double is acknowledged again, one too far asks for a resend.
func (s *session) expectLocked(a *agentState, epoch, item uint64) bool {
	switch {
	case s.ended || a.refused || a.epoch == 0 || epoch != a.epoch:
		return false
	case item < a.nextItem:
		s.ackLocked(a)
		return false
	case item > a.nextItem:
		if !a.asked {
			a.asked, a.resend = true, true
			s.ackLocked(a)
		}
		return false
	}
	a.asked = false
	return true
}

// takeBatch puts the frames of a batch into the ring.
func (s *session) takeBatch(index int, b *wire.Batch) error {
	a := s.agents[index]
	s.mu.Lock()
	expected, next := s.expectLocked(a, b.Epoch, b.Item), a.nextSeq
	s.mu.Unlock()
	if !expected {
		return nil
	}
	if b.First != next {
		return fmt.Errorf("batch %d begins at event %d, want %d", b.Item, b.First, next)
	}
	// Only this goroutine moves the numbers, so that the block may be decoded without the lock.
	scratch := s.hub.borrow(int(b.RawSize))
	defer s.hub.scratch.Put(scratch)
	data, err := s.hub.decoder.DecodeAll(b.Block, (*scratch)[:0])
	if err != nil {
		return fmt.Errorf("decode batch %d: %w", b.Item, err)
	}
	if uint64(len(data)) != b.RawSize {
		return fmt.Errorf("batch %d has %d bytes of frames, announced %d", b.Item, len(data), b.RawSize)
	}
	parts, err := checkFrames(data, a.ref.ID, b)
	if err != nil {
		return fmt.Errorf("batch %d: %w", b.Item, err)
	}
	entries := partEntries(index, data, b, parts)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acceptLocked(a, b.Item, entries...)
	return nil
}

// acceptLocked puts the expected item into the ring, in one entry or in several, and moves the numbers on.
func (s *session) acceptLocked(a *agentState, item uint64, entries ...*entry) {
	size := 0
	for _, e := range entries {
		a.nextSeq += e.count
		a.total += e.count
		a.epochs[len(a.epochs)-1].last += e.count
		size += len(e.data)
		if e.kind == entryFrames {
			a.taken += e.count
		}
	}
	a.nextItem++
	a.underway += size
	// The item is taken when its last part is.
	last := entries[len(entries)-1]
	last.item, last.size = item, size
	for _, e := range entries {
		s.putLocked(e)
	}
	s.arrivedLocked()
}

// partEntries makes an entry of each part of a batch, with bytes of its own.
func partEntries(index int, data []byte, b *wire.Batch, parts []part) []*entry {
	entries := make([]*entry, len(parts))
	first := b.First
	for i, p := range parts {
		entries[i] = &entry{
			kind: entryFrames, agent: index, epoch: b.Epoch, first: first, count: p.count, data: bytes.Clone(data[:p.size]),
		}
		first, data = first+p.count, data[p.size:]
	}
	return entries
}

// part is some of the frames of a batch.
type part struct {
	size  int
	count uint64
}

// checkFrames says whether data is exactly the frames that the batch announces: complete lines of valid text, each
// a log frame of this agent with its own number, so that no agent can speak for the server or another agent. It
// returns the frames in parts of at most entryBytes each, but for a frame that is longer by itself.
func checkFrames(data []byte, agentID string, b *wire.Batch) ([]part, error) {
	if !utf8.Valid(data) {
		return nil, fmt.Errorf("frames are not UTF-8")
	}
	var parts []part
	var now part
	tail := []byte(`,"agent":"` + agentID + `","epoch":` + strconv.FormatUint(b.Epoch, 10) + `,"seq":`)
	fixed := len(tail)
	for seq := b.First; seq < b.First+b.Count; seq++ {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return nil, fmt.Errorf("%d frames announced, %d found", b.Count, seq-b.First)
		}
		tail = append(strconv.AppendUint(tail[:fixed], seq, 10), '}')
		if frame := data[:end]; !bytes.HasPrefix(frame, logPrefix) || !bytes.HasSuffix(frame, tail) {
			return nil, fmt.Errorf("frame of event %d is not a log frame that ends with %s", seq, tail)
		}
		if now.count > 0 && now.size+end >= entryBytes {
			parts, now = append(parts, now), part{}
		}
		now.size += end + 1
		now.count++
		data = data[end+1:]
	}
	if len(data) != 0 {
		return nil, fmt.Errorf("%d frames announced, %d bytes more found", b.Count, len(data))
	}
	return append(parts, now), nil
}

// logPrefix is how every log frame begins.
var logPrefix = []byte(`{"type":"log",`)

// takeGap puts a gap into the ring.
func (s *session) takeGap(index int, g *wire.GapItem) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[index]
	if !s.expectLocked(a, g.Epoch, g.Item) {
		return nil
	}
	piece := wire.ReplayPiece{First: a.nextSeq, Gap: &g.Gap}
	if g.Gap.From != 0 || g.Gap.To != 0 {
		piece.Count = g.Gap.Count
	}
	e, err := gapEntry(index, a.ref.ID, g.Epoch, &piece)
	if err != nil {
		return fmt.Errorf("gap %d: %w", g.Item, err)
	}
	s.acceptLocked(a, g.Item, e)
	if e.gap.Reason == wire.ReasonLagging {
		a.laggedAt = time.Now()
		s.setStatusLocked(a, wire.StreamLagging)
	}
	return nil
}

// takeReport handles an agent's word on the session.
func (s *session) takeReport(index int, r *wire.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[index]
	if s.ended {
		return
	}
	accounts := presentAccounts(r.Accounts)
	a.accounts = accounts
	s.countLocked(a, r)
	s.version++
	switch r.State {
	case wire.ReportOpen:
		s.openedLocked(index, r)
	case wire.ReportHistoryEnd:
		data, err := encodeControl(&wire.Control{Type: "control", Event: wire.EventHistoryEnd, Agent: a.ref.ID})
		if err == nil && !a.historyEnded {
			a.historyEnded = true
			s.pushLocked(&entry{kind: entryHistoryEnd, agent: index, epoch: a.epoch, first: a.nextSeq, data: data})
		}
	case wire.ReportClosed:
		a.closed = true
		s.setStatusLocked(a, wire.StreamEnded)
		s.stateChangedLocked()
	case wire.ReportRefused:
		a.closed, a.problem = true, r.Error
		s.setStatusLocked(a, wire.StreamEnded)
		s.stateChangedLocked()
	}
	s.wakeLocked()
}

// openedLocked sets where an agent's items go on, and announces what cannot follow any more.
func (s *session) openedLocked(index int, r *wire.Report) {
	a := s.agents[index]
	a.connected, a.closed, a.refused, a.asked, a.problem = true, false, false, false, nil
	if a.trouble != "" { // it is told again, if it is still there
		a.trouble = ""
		a.statusVersion++
	}
	// What was asked on an earlier connection is asked again by whoever still waits for it.
	a.replay.able, a.replay.asked, a.replay.due = r.Replays, wire.Replay{}, false
	s.setStatusLocked(a, wire.StreamStreaming)
	defer s.ackLocked(a)
	if r.Epoch == a.epoch {
		if r.NextItem > a.nextItem && r.NextSeq >= a.nextSeq {
			s.skippedLocked(index, r)
		}
		return
	}
	lost := a.epoch
	if lost == 0 {
		lost = r.LostEpoch
	}
	// Numbers of the epoch that others took before this server knew of it count, so that they can be owed.
	a.total += r.NextSeq - 1
	var opening []byte
	if lost != 0 {
		var err error
		if opening, err = openingOf(a.ref.ID, lost); err != nil {
			s.hub.log.Error("gap_failed", "session_id", s.config.ID, "reason", err)
		}
	}
	a.epoch, a.nextItem, a.nextSeq, a.acked, a.underway = r.Epoch, r.NextItem, r.NextSeq, r.NextItem-1, 0
	a.epochs = append(a.epochs, epochRange{
		epoch: r.Epoch, first: r.NextSeq, last: r.NextSeq - 1, before: a.total, opening: opening,
	})
	if len(a.epochs) > maxEpochs {
		a.epochs = a.epochs[1:]
	}
	s.pushLocked(&entry{kind: entryBase, agent: index, epoch: a.epoch, first: a.nextSeq})
}

// openingOf is the announcement that an epoch is lost, and nobody knows how much with it.
func openingOf(agent string, lost uint64) ([]byte, error) {
	return encodeControl(&wire.Control{
		Type: "control", Event: wire.EventGap, Agent: agent, Epoch: lost, Unit: wire.UnitEvents,
		Reason: wire.ReasonJournalLost, AtLeast: true,
	})
}

// skippedLocked goes on behind items that the agent takes for acknowledged and that never came here. An agent that can
// is asked for them by whoever comes to where they are missing; else they are announced.
func (s *session) skippedLocked(index int, r *wire.Report) {
	a := s.agents[index]
	from := a.nextSeq
	a.nextItem = r.NextItem
	if count := r.NextSeq - from; count > 0 {
		a.nextSeq += count
		a.total += count
		a.epochs[len(a.epochs)-1].last += count
		if a.replay.able {
			s.pushLocked(&entry{kind: entryBase, agent: index, epoch: a.epoch, first: a.nextSeq})
			return
		}
		s.pushGapLocked(index, &wire.Control{
			Epoch: a.epoch, From: from, To: r.NextSeq - 1, Count: count, Unit: wire.UnitEvents,
			Reason: wire.ReasonPositionLost,
		})
	}
}

// pushGapLocked puts a gap of the server's own, in events, into the ring.
func (s *session) pushGapLocked(index int, gap *wire.Control) {
	gap.Type, gap.Event, gap.Agent = "control", wire.EventGap, s.agents[index].ref.ID
	data, err := encodeControl(gap)
	if err != nil {
		s.hub.log.Error("gap_failed", "session_id", s.config.ID, "reason", err)
		return
	}
	s.pushLocked(&entry{
		kind: entryGap, agent: index, epoch: gap.Epoch, first: gap.From, count: gap.Count, data: data, gap: gap,
	})
}

// takePresence notes that an agent's link broke, or what the agent says of itself.
func (s *session) takePresence(index int, p Presence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.agents[index]
	if p.Status == "" && !s.ended && a.trouble != p.Problem {
		a.trouble = p.Problem
		a.statusVersion++
		s.wakeLocked()
	}
	if p.Status != wire.StreamUnreachable || s.ended {
		return
	}
	a.connected = false
	if !a.closed {
		s.setStatusLocked(a, wire.StreamUnreachable)
	}
	s.stateChangedLocked()
}

// encodeControl is a control frame with its newline. A gap gets its stage here, so that none is without.
func encodeControl(c *wire.Control) ([]byte, error) {
	if c.Event == wire.EventGap {
		c.Stage = wire.StageOfGap(c.Reason, c.Unit)
	}
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", c.Event, err)
	}
	return append(data, '\n'), nil
}

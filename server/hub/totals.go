package hub

import (
	"maps"

	"github.com/spilelog/spile/wire"
)

// OtherReason stands in totals for a reason that this version does not know, so that no agent can make up many.
const OtherReason = "other"

// Totals are the sums of both equations over all sessions since the server started, and close as they do. They only
// grow, but for Agents.Pending. An agent that comes with an account from before adds all of it. While a session is
// open, what its agents sent and this server has not taken counts as pending: it may have to be sent again, or be lost.
type Totals struct {
	// Agents is the sum of what the agents told of their sessions.
	Agents  wire.AgentAccounts
	Viewers ViewerTotals
}

// ViewerTotals are sums over the viewers of all sessions, present and gone; Offered is the sum of the others.
type ViewerTotals struct {
	Offered, Narrowed, Delivered uint64
	// Gapped counts events by the reason of the gap that announced them.
	Gapped map[string]uint64
	// InFlight is what present viewers are owed, Left what those were who went away before the end.
	InFlight, Left uint64
}

// newTotals are totals of nothing.
func newTotals() Totals {
	return Totals{Agents: presentAccounts(wire.AgentAccounts{}), Viewers: ViewerTotals{Gapped: map[string]uint64{}}}
}

// clone is a copy whose maps are its own.
func (t *Totals) clone() Totals {
	out := *t
	out.Agents.Dropped, out.Agents.LostBytes = maps.Clone(t.Agents.Dropped), maps.Clone(t.Agents.LostBytes)
	out.Viewers.Gapped = maps.Clone(t.Viewers.Gapped)
	return out
}

// add adds other totals.
func (t *Totals) add(o *Totals) {
	t.addAgent(wire.AgentAccounts{}, o.Agents)
	t.Viewers.Offered += o.Viewers.Offered
	t.Viewers.Narrowed += o.Viewers.Narrowed
	t.Viewers.Delivered += o.Viewers.Delivered
	t.Viewers.InFlight += o.Viewers.InFlight
	t.Viewers.Left += o.Viewers.Left
	for reason, n := range o.Viewers.Gapped {
		t.addGapped(reason, n)
	}
}

// addGapped counts events that a gap announced.
func (t *Totals) addGapped(reason string, count uint64) {
	if count > 0 {
		t.Viewers.Gapped[known(reason)] += count
	}
}

// countLocked counts what an agent reports. What it sent is counted when it is taken, so that nothing is counted that
// the agent takes back because it has to send it again.
func (s *session) countLocked(a *agentState, r *wire.Report) {
	now, next := a.accounts, a.nextSeq
	opens := r.State == wire.ReportOpen && r.Epoch != a.epoch
	if opens {
		next = r.NextSeq
	}
	// A new epoch is a new account. One that shrank belongs to an agent that lost its record, and counts anew as well.
	if opens || now.Seen < a.counted.Seen {
		s.sums.Agents.Pending -= a.counted.Pending
		a.counted, a.taken = wire.AgentAccounts{}, 0
	}
	// What was sent or dropped, and not taken, was sent at most; all else that was sent will not be sent again.
	if numbered, taken := now.Sent+sumOf(now.Dropped), max(next, 1)-1; numbered > taken {
		a.taken = max(a.taken, now.Sent-min(now.Sent, numbered-taken))
	} else {
		a.taken = max(a.taken, now.Sent)
	}
	s.countSentLocked(a, a.taken)
}

// countSentLocked counts the account of an agent, with so many events sent.
func (s *session) countSentLocked(a *agentState, sent uint64) {
	now := a.accounts
	sent = max(sent, a.counted.Sent)
	both, back := now.Sent+now.Pending, grown(now.Sent, sent)
	// An agent that died before it heard that something was taken sends it again, or cannot and counts it as dropped.
	// It was sent, whatever the agent makes of it.
	now.Dropped = maps.Clone(now.Dropped)
	for _, reason := range []string{wire.ReasonReplayLost, wire.ReasonSessionEnd} {
		if n := min(grown(a.counted.Dropped[reason], now.Dropped[reason]), back); n > 0 {
			now.Dropped[reason] -= n
			both, back = both+n, back-n
		}
	}
	now.Sent = min(sent, both)
	now.Pending = both - now.Sent
	s.sums.addAgent(a.counted, now)
	a.counted = now
}

// sumOf is the sum of all counts.
func sumOf(counts map[string]uint64) (n uint64) {
	for _, one := range counts {
		n += one
	}
	return n
}

// addAgent counts by how much an agent's account has grown.
func (t *Totals) addAgent(was, now wire.AgentAccounts) {
	t.Agents.Seen += now.Seen - was.Seen
	t.Agents.Filtered += grown(was.Filtered, now.Filtered)
	t.Agents.Sampled += grown(was.Sampled, now.Sampled)
	t.Agents.RedactedAway += grown(was.RedactedAway, now.RedactedAway)
	t.Agents.Sent += now.Sent - was.Sent
	t.Agents.Pending += now.Pending - was.Pending
	t.Agents.TruncatedLines += grown(was.TruncatedLines, now.TruncatedLines)
	for reason, n := range now.Dropped {
		t.Agents.Dropped[known(reason)] += grown(was.Dropped[reason], n)
	}
	for reason, n := range now.LostBytes {
		t.Agents.LostBytes[known(reason)] += grown(was.LostBytes[reason], n)
	}
}

// grown is by how much a counter has grown.
func grown(was, now uint64) uint64 {
	if now < was {
		return 0
	}
	return now - was
}

// known is a reason of the table, or [OtherReason].
func known(reason string) string {
	if _, ok := wire.StageOf(reason); ok {
		return reason
	}
	return OtherReason
}

// offeredLocked is how many events were offered to the viewer so far, and how many of them it is still owed.
func (v *viewer) offeredLocked() (offered, owed uint64) {
	for i, a := range v.session.agents {
		at := &v.at[i]
		if !at.based || a.total <= at.base {
			continue
		}
		offered += a.total - at.base
		owed += a.total - at.base - at.delivered - at.gapped
	}
	return offered, owed
}

// totals is what the session adds up to now.
func (s *session) totals() Totals {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.sums.clone()
	for v := range s.viewers {
		offered, owed := v.offeredLocked()
		out.Viewers.Offered += offered
		out.Viewers.InFlight += owed
	}
	return out
}

// left moves a session whose viewers have gone to the past.
func (h *Hub) left(s *session) {
	final := s.totals()
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.leaving, s)
	h.held.removeLocked(s)
	h.past.add(&final)
}

// Totals is the sum over all sessions since the hub was made.
func (h *Hub) Totals() Totals {
	h.mu.Lock()
	out := h.past.clone()
	all := make([]*session, 0, len(h.sessions)+len(h.leaving))
	for _, s := range h.sessions {
		all = append(all, s)
	}
	for s := range h.leaving {
		all = append(all, s)
	}
	h.mu.Unlock()
	for _, s := range all {
		one := s.totals()
		out.add(&one)
	}
	return out
}

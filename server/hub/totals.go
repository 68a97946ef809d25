package hub

import (
	"maps"

	"github.com/spilelog/spile/wire"
)

// OtherReason stands in totals for a reason that this version does not know, so that no agent can make up many.
const OtherReason = "other"

// Totals are the sums of both equations over all sessions since the server started, and close as they do. They only
// grow, but for Agents.Pending, and for Agents.Sent, which is less for as long as an agent that came back sends again
// what it had sent. An agent that comes with an account from before adds all of it.
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

// addAgent counts by how much an agent's account has grown. One that shrank belongs to an agent that lost its record
// and counts anew.
func (t *Totals) addAgent(was, now wire.AgentAccounts) {
	if now.Seen < was.Seen {
		t.Agents.Pending -= was.Pending
		was = wire.AgentAccounts{}
	}
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

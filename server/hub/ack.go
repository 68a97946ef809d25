package hub

import (
	"context"
	"time"

	"github.com/spilelog/spile/wire"
)

const (
	// ackDelay is how long an acknowledgement may wait for more to acknowledge.
	ackDelay = 5 * time.Millisecond
	// ackBytes is how much may be taken before an acknowledgement goes out at once.
	ackBytes = 64 << 10
	// ackRefresh is how often the state is told again, in case the fabric lost a message.
	ackRefresh = wire.BusyPing
	// lossCheck is how often the subscription is asked for dropped messages, and agents that lagged are looked at.
	lossCheck = time.Second
	// ringShare is the part of the ring, in quarters, that all agents together may have under way.
	ringShare = 3
)

// credit is what each agent of the session may have under way. With many agents their windows share the ring, so
// that the fastest viewer cannot fall out of it.
func (s *session) credit() uint64 {
	share := s.hub.ring * ringShare / 4 / max(len(s.agents), 1)
	return uint64(min(max(share, wire.BatchBytes), wire.WindowBytes))
}

// consumeLocked notes what a viewer has taken of each agent: everything before its place in the ring, or before where
// it is behind.
func (s *session) consumeLocked(v *viewer) {
	for i, a := range s.agents {
		place := v.place
		if v.at[i].behind {
			place = min(place, v.at[i].place)
		}
		for a.consumed = max(a.consumed, s.ring.First()); a.consumed < place; a.consumed++ {
			if e := s.ring.At(a.consumed); e.agent == i {
				s.takenLocked(e)
			}
		}
	}
}

// takenLocked advances the acknowledgement of an entry's agent.
func (s *session) takenLocked(e *entry) {
	a := s.agents[e.agent]
	if e.item == 0 || e.epoch != a.epoch || e.item <= a.acked {
		return
	}
	a.acked = e.item
	a.ackDue = true
	a.fresh += e.size
	a.underway -= e.size
	if a.fresh >= ackBytes || a.underway >= int(s.credit()/2) {
		s.ackNow = true
	}
	s.kickAcks()
}

// ackLocked asks for an acknowledgement to a at once.
func (s *session) ackLocked(a *agentState) {
	a.ackDue = true
	s.ackNow = true
	s.kickAcks()
}

// kickAcks wakes the goroutine that publishes; one wake is enough for any number of reasons.
func (s *session) kickAcks() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// publishAcks is the session's own goroutine.
func (s *session) publishAcks(ctx context.Context) {
	delay := time.NewTimer(time.Hour)
	delay.Stop()
	defer delay.Stop()
	refresh, check := time.NewTicker(ackRefresh), time.NewTicker(lossCheck)
	defer refresh.Stop()
	defer check.Stop()
	var dropped uint64
	waiting := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
			s.mu.Lock()
			now := s.ackNow
			s.mu.Unlock()
			if !now {
				if !waiting {
					delay.Reset(ackDelay)
					waiting = true
				}
				continue
			}
		case <-delay.C:
		case <-refresh.C:
			s.markAll(false)
		case <-check.C:
			s.caughtUp()
			count := s.sub.Dropped()
			s.tendReplays(count != dropped)
			if count == dropped {
				continue
			}
			dropped = count
			s.markAll(true)
		}
		delay.Stop()
		waiting = false
		s.flushAcks()
	}
}

// markAll makes an acknowledgement due to each agent that has spoken, with resend for everything not received.
func (s *session) markAll(resend bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.agents {
		if a.epoch == 0 || !a.connected {
			continue
		}
		a.ackDue = true
		a.resend = a.resend || resend
	}
}

// flushAcks publishes what is due.
func (s *session) flushAcks() {
	type due struct {
		subject string
		kind    wire.LinkKind
		body    any
	}
	var list []due
	s.mu.Lock()
	s.ackNow = false
	attached := len(s.viewers) > 0 && !s.ended
	for _, a := range s.agents {
		if ask := a.dueLocked(); ask != nil {
			list = append(list, due{ackSubject(a.ref.ID), wire.LinkReplay, ask})
		}
		if !a.ackDue {
			continue
		}
		a.ackDue, a.fresh = false, 0
		list = append(list, due{ackSubject(a.ref.ID), wire.LinkAck, wire.Ack{
			Session: s.config.ID, Epoch: a.epoch, Item: a.acked, Credit: s.credit(),
			Attached: attached && !a.refused, Resend: a.resend,
		}})
		a.resend = false
	}
	s.mu.Unlock()
	for _, d := range list {
		data, err := wire.AppendLink(nil, d.kind, d.body)
		if err == nil {
			err = s.hub.fabric.Publish(d.subject, data)
		}
		if err != nil {
			s.hub.log.Warn("ack_failed", "session_id", s.config.ID, "subject", d.subject, "reason", err)
		}
	}
}

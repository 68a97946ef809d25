package sessions

import (
	"context"
	"maps"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/wire"
)

// Get returns a session, or a *wire.Error not_found.
func (m *Manager) Get(ctx context.Context, id string) (wire.Session, error) {
	s, err := m.o.Store.FindSession(ctx, id)
	if err != nil {
		return wire.Session{}, notFound(id, err)
	}
	m.mu.Lock()
	if over, ok := m.unsaved[id]; ok {
		s = over
	}
	m.mu.Unlock()
	return m.present(s), nil
}

// List returns the sessions with this status, the newest first; an empty status means all.
func (m *Manager) List(ctx context.Context, status wire.Status) ([]wire.Session, error) {
	m.mu.Lock()
	over := maps.Clone(m.unsaved)
	m.mu.Unlock()
	ask := status
	if len(over) > 0 {
		ask = "" // the store does not know of what has ended
	}
	list, err := m.o.Store.Sessions(ctx, ask, listLimit)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Session, 0, len(list))
	for _, s := range list {
		if end, ok := over[s.ID]; ok {
			s = end
		}
		if status == "" || s.Status == status {
			out = append(out, m.present(s))
		}
	}
	return out, nil
}

// Open says whether a session can be watched: nil, or a *wire.Error not_found or session_ended.
func (m *Manager) Open(ctx context.Context, id string) error {
	m.mu.Lock()
	l := m.active[id]
	open := l != nil && !l.ending
	m.mu.Unlock()
	if open {
		return nil
	}
	if _, err := m.o.Store.FindSession(ctx, id); err != nil {
		return notFound(id, err)
	}
	return ended(id)
}

// ended is the refusal for a session that is over.
func ended(id string) error {
	return wire.Errorf(wire.CodeSessionEnded, "session %s has ended; start a new one", id)
}

// Extend gives a session this long from now on.
func (m *Manager) Extend(ctx context.Context, id string, timeout time.Duration) (wire.Session, error) {
	m.mu.Lock()
	l := m.active[id]
	if l == nil || l.ending {
		m.mu.Unlock()
		if _, err := m.o.Store.FindSession(ctx, id); err != nil {
			return wire.Session{}, notFound(id, err)
		}
		return wire.Session{}, ended(id)
	}
	deadline := time.Now().Add(timeout)
	s := l.session
	s.ExpiresAt = wire.At(deadline)
	// The lock is held over the write so that two extensions, or one and an end, reach the store in this order.
	if err := m.o.Store.SaveSession(ctx, s); err != nil {
		m.mu.Unlock()
		return wire.Session{}, err
	}
	l.session, l.deadline = s, deadline
	m.o.Streams.Extend(id, deadline)
	m.mu.Unlock()
	m.kick()
	m.notify(s)
	m.log.Info("session_extended", "session_id", id, "timeout", timeout)
	return m.present(s), nil
}

// Stop ends a session and returns it with its final accounts. To stop it again is not an error and changes nothing.
func (m *Manager) Stop(ctx context.Context, id string) (wire.Session, error) {
	m.mu.Lock()
	l := m.active[id]
	if l == nil {
		m.mu.Unlock()
		return m.Get(ctx, id)
	}
	if l.ending {
		m.mu.Unlock()
		select {
		case <-l.ended:
			return m.Get(ctx, id)
		case <-ctx.Done():
			return wire.Session{}, ctx.Err()
		}
	}
	l.ending = true
	m.ending.Add(1)
	m.mu.Unlock()
	defer m.ending.Done()
	return m.finish(ctx, l, wire.EndStopped)
}

// Desired returns what an agent should have open. A forgotten agent is a *wire.Error, which ends its link.
func (m *Manager) Desired(ctx context.Context, agentID string) ([]wire.DesiredSession, error) {
	if _, err := m.o.Agents.Find(ctx, agentID); err != nil {
		return nil, err
	}
	rows, err := m.o.Store.AgentSessions(ctx, agentID)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	out := make([]wire.DesiredSession, 0, len(rows))
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, row := range rows {
		l := m.active[row.SessionID]
		if l == nil || l.ending || row.Refused != "" {
			continue
		}
		left := l.deadline.Sub(now)
		if left <= 0 {
			continue
		}
		out = append(out, desired(l.session, row.Epoch, left))
	}
	return out, nil
}

// desired is one session as an agent needs it.
func desired(s store.Session, epoch uint64, left time.Duration) wire.DesiredSession {
	return wire.DesiredSession{
		ID: s.ID, RemainingMS: max(left.Milliseconds(), 1), Filters: s.Filters, Mode: s.Mode, SinceMS: s.SinceMS,
		Tail: s.Tail, Context: s.Context, Raw: s.Raw, AgeMS: max(time.Since(s.StartedAt.Time).Milliseconds(), 0),
		Epoch: epoch,
	}
}

// Epoch remembers the epoch of an agent's numbering in a session.
func (m *Manager) Epoch(ctx context.Context, session, agentID string, epoch uint64) error {
	return notFound(session, m.o.Store.SaveEpoch(ctx, session, agentID, epoch))
}

// Refused notes that an agent will not open a session; it is not asked again.
func (m *Manager) Refused(ctx context.Context, session, agentID string, why *wire.Error) {
	text := "no reason given"
	if why != nil {
		text = why.Message
	}
	m.log.Warn("session_refused_by_agent", "session_id", session, "agent_id", agentID, "reason", text)
	if err := m.o.Store.SaveRefusal(ctx, session, agentID, text); err != nil {
		m.log.Warn("session_refusal_save_failed", "session_id", session, "agent_id", agentID, "reason", err)
	}
}

// Counts returns how many sessions each agent has open, by its id, and how many are open in all.
func (m *Manager) Counts() (byAgent map[string]int, all int) {
	byAgent = map[string]int{}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.active {
		if l.ending {
			continue
		}
		all++
		for _, a := range l.session.Agents {
			byAgent[a.ID]++
		}
	}
	return byAgent, all
}

// Viewers counts those who watch any session now.
func (m *Manager) Viewers() int {
	m.mu.Lock()
	ids := make([]string, 0, len(m.active))
	for id := range m.active {
		ids = append(ids, id)
	}
	m.mu.Unlock()
	n := 0
	for _, id := range ids {
		n += m.o.Streams.Viewers(id)
	}
	return n
}

// Forget stops the sessions that have no other agent than this one.
func (m *Manager) Forget(ctx context.Context, agentID string) error {
	var alone []string
	m.mu.Lock()
	for id, l := range m.active {
		if len(l.session.Agents) == 1 && l.session.Agents[0].ID == agentID {
			alone = append(alone, id)
		}
	}
	m.mu.Unlock()
	for _, id := range alone {
		if _, err := m.Stop(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// Cut ends the link of an agent that was forgotten.
func (m *Manager) Cut(agentID string) { m.tell(agentID) }

// Package sessions keeps the leases on logs: it starts them, extends them, ends them in time, and tells each agent
// which of them it should have open.
package sessions

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

const (
	// keepEnded is how many ended sessions are remembered.
	keepEnded = 10_000
	// trimInterval is how often older ones are forgotten.
	trimInterval = 10 * time.Minute
	// endTimeout bounds the end of a session: the agents' grace and a while for viewers to take what is held.
	endTimeout = wire.EndGrace + 10*time.Second
	// listLimit bounds a list.
	listLimit = keepEnded + wire.MaxSessions
	// retryEnd is how long the end of a session waits when the store failed.
	retryEnd = time.Second
)

// Store keeps sessions.
type Store interface {
	AddSession(ctx context.Context, s store.Session) error
	SaveSession(ctx context.Context, s store.Session) error
	FindSession(ctx context.Context, id string) (store.Session, error)
	Sessions(ctx context.Context, status wire.Status, limit int) ([]store.Session, error)
	TrimSessions(ctx context.Context, keep int) error
	AgentSessions(ctx context.Context, agentID string) ([]store.SessionAgent, error)
	SaveEpoch(ctx context.Context, session, agentID string, epoch uint64) error
	SaveRefusal(ctx context.Context, session, agentID, why string) error
}

// Agents finds agents.
type Agents interface {
	// Find returns the agent with this id or name, or a *wire.Error not_found.
	Find(ctx context.Context, idOrName string) (wire.Agent, error)
}

// Streams brings what agents send to viewers.
type Streams interface {
	Open(s hub.Session) error
	AwaitOpen(ctx context.Context, id string)
	Extend(id string, expires time.Time)
	End(ctx context.Context, id string, reason wire.EndReason) wire.Accounts
	Accounts(id string) wire.Accounts
	Viewers(id string) int
}

// Publisher tells agents' links that there is news.
type Publisher interface {
	Publish(subject string, data []byte) error
}

// Options configure a manager; all but Log are required.
type Options struct {
	Store   Store
	Agents  Agents
	Streams Streams
	Publish Publisher
	// Check refuses filters that cannot be compiled with a *wire.Error.
	Check func(wire.Filters) error
	// StreamURL is the beginning of a session's WebSocket URL, up to its id.
	StreamURL string
	// Log is for the manager's own events; nil discards them.
	Log *slog.Logger
}

// Manager keeps all sessions of one server. It is safe for concurrent use.
type Manager struct {
	o   Options
	log *slog.Logger
	// wake is signalled (capacity one, never closed) when the next expiry may have changed.
	wake chan struct{}
	// ending counts the ends under way.
	ending sync.WaitGroup

	// mu guards active, the sessions in it, unsaved and starting.
	mu     sync.Mutex
	active map[string]*lease
	// unsaved are sessions that have ended and for whose end the store had no room yet.
	unsaved map[string]store.Session
	// starting counts starts between the check of the limits and the entry in active.
	starting int
}

// lease is one active session.
type lease struct {
	session store.Session
	// deadline is when it ends, on the monotonic clock.
	deadline time.Time
	// ended is closed when it is over and the store has its accounts; ending says that this has begun.
	ended  chan struct{}
	ending bool
}

// New makes a manager without sessions; Restore brings back those of an earlier process.
func New(o Options) *Manager {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Manager{
		o: o, log: log, wake: make(chan struct{}, 1), active: map[string]*lease{}, unsaved: map[string]store.Session{},
	}
}

// Restore opens the sessions that an earlier process left active. What expired meanwhile ends as soon as Run runs.
func (m *Manager) Restore(ctx context.Context) error {
	left, err := m.o.Store.Sessions(ctx, wire.StatusActive, listLimit)
	if err != nil {
		return err
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range left {
		// The store has wall clock times. A clock that was set back meanwhile must not prolong a lease.
		remaining := min(s.ExpiresAt.Sub(now), wire.MaxTimeout)
		deadline := now.Add(remaining)
		if remaining > 0 {
			if err := m.o.Streams.Open(streamOf(s, deadline)); err != nil {
				return err
			}
		}
		m.active[s.ID] = &lease{session: s, deadline: deadline, ended: make(chan struct{})}
		m.log.Info("session_restored", "session_id", s.ID, "remaining", remaining.Round(time.Millisecond))
	}
	return nil
}

// streamOf is what the hub needs to know of a session.
func streamOf(s store.Session, deadline time.Time) hub.Session {
	return hub.Session{ID: s.ID, Agents: s.Agents, Mode: s.Mode, StartedAt: s.StartedAt.Time, ExpiresAt: deadline}
}

// Run ends sessions in time until ctx ends; it waits for the ends under way. Sessions that are still active then stay
// so in the store, for the next process.
func (m *Manager) Run(ctx context.Context) error {
	defer func() {
		m.ending.Wait()
		m.saveEnds(context.WithoutCancel(ctx))
	}()
	trim := time.NewTicker(trimInterval)
	defer trim.Stop()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-trim.C:
			if err := m.o.Store.TrimSessions(ctx, keepEnded); err != nil {
				m.log.Warn("session_trim_failed", "reason", err)
			}
			continue
		case <-m.wake:
		case <-timer.C:
		}
		timer.Reset(min(m.expire(ctx), m.saveEnds(ctx)))
	}
}

// expire begins the end of every session whose time is over, and returns how long the next has.
func (m *Manager) expire(ctx context.Context) time.Duration {
	next := wire.MaxTimeout
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.active {
		if l.ending {
			continue
		}
		if left := l.deadline.Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		l.ending = true
		m.ending.Add(1)
		go func() {
			defer m.ending.Done()
			if _, err := m.finish(ctx, l, wire.EndTimeout); err != nil {
				m.log.Error("session_end_failed", "session_id", l.session.ID, "reason", err)
			}
		}()
	}
	return next
}

// finish ends a lease whose ending was set by the caller. When the store fails, the lease is to be ended again.
func (m *Manager) finish(ctx context.Context, l *lease, reason wire.EndReason) (wire.Session, error) {
	// An end once begun is brought to its end, whoever stops waiting for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	m.mu.Lock()
	s := l.session
	m.mu.Unlock()
	now := wire.At(time.Now())
	s.Status, s.EndedAt, s.EndReason = wire.StatusEnded, &now, reason
	s.Accounts = m.o.Streams.Accounts(s.ID)
	// First the store, so that no death brings back what agents and viewers were told is over. But nothing stays open for
	// want of room on a disk.
	if err := m.o.Store.SaveSession(ctx, s); err != nil && !errors.Is(err, store.ErrUnwritable) {
		m.mu.Lock()
		l.ending = false
		l.deadline = time.Now().Add(retryEnd)
		m.mu.Unlock()
		m.kick()
		return wire.Session{}, err
	}
	m.notify(s)
	s.Accounts = m.o.Streams.End(ctx, s.ID, reason)
	err := m.o.Store.SaveSession(ctx, s)
	m.mu.Lock()
	if errors.Is(err, store.ErrUnwritable) {
		m.log.Warn("session_save_failed", "session_id", s.ID, "reason", err, "next", "tried again")
		m.unsaved[s.ID], err = s, nil
	}
	delete(m.active, s.ID)
	m.mu.Unlock()
	m.kick()
	close(l.ended)
	m.log.Info("session_ended", "session_id", s.ID, "reason", reason)
	return m.present(s), err
}

// saveEnds stores the ends for which there was no room before, and returns when to try again.
func (m *Manager) saveEnds(ctx context.Context) time.Duration {
	m.mu.Lock()
	left := slices.Collect(maps.Values(m.unsaved))
	m.mu.Unlock()
	for _, s := range left {
		if err := m.o.Store.SaveSession(ctx, s); err != nil && !errors.Is(err, store.ErrNotFound) {
			return retryEnd
		}
		m.mu.Lock()
		delete(m.unsaved, s.ID)
		m.mu.Unlock()
		m.log.Info("session_saved", "session_id", s.ID)
	}
	return wire.MaxTimeout
}

// kick lets Run look for the next expiry again.
func (m *Manager) kick() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// notify lets the links of a session's agents ask for their desired sessions.
func (m *Manager) notify(s store.Session) {
	for _, a := range s.Agents {
		m.tell(a.ID)
	}
}

// tell lets an agent's link ask for its desired sessions.
func (m *Manager) tell(agentID string) {
	if err := m.o.Publish.Publish("agent."+agentID+".ctl", nil); err != nil {
		m.log.Warn("agent_notify_failed", "agent_id", agentID, "reason", err)
	}
}

// present is a session as the API shows it.
func (m *Manager) present(s store.Session) wire.Session {
	out := s.Session
	out.WebSocketURL = m.o.StreamURL + s.ID
	if out.Status == wire.StatusActive {
		out.Viewers = m.o.Streams.Viewers(s.ID)
		out.Accounts = m.o.Streams.Accounts(s.ID)
	}
	if out.Accounts.Agents == nil {
		out.Accounts.Agents = map[string]wire.AgentAccounts{}
	}
	return out
}

// notFound is the refusal for an unknown session.
func notFound(id string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return wire.Errorf(wire.CodeNotFound, "no session has the id %q", id)
	}
	return err
}

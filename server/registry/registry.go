// Package registry knows the agents of a fleet: who they are, whether they can be reached, and what they count.
package registry

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/wire"
)

const (
	// sweepInterval is how often silent agents are looked for; flushInterval how often last seen is stored.
	sweepInterval = 5 * time.Second
	flushInterval = time.Minute
)

// Store keeps agents.
type Store interface {
	EnrolAgent(ctx context.Context, a store.Agent) (string, error)
	FindAgent(ctx context.Context, idOrName string) (store.Agent, error)
	Agents(ctx context.Context) ([]store.Agent, error)
	SaveAgent(ctx context.Context, a store.Agent) error
	ForgetAgent(ctx context.Context, id string) error
}

// Options configure a registry.
type Options struct {
	Store Store // required
	// Log is for the registry's own events; nil discards them.
	Log *slog.Logger
}

// Registry is the table of agents. It is safe for concurrent use.
type Registry struct {
	store   Store
	log     *slog.Logger
	started time.Time

	// mu guards agents and what is in them.
	mu     sync.Mutex
	agents map[string]*state
}

// state is what is known of an agent since this server started.
type state struct {
	online bool
	// links counts connections: an agent that reconnects has two for a moment.
	links int
	since time.Time
	seen  time.Time
	dirty bool // seen is newer than the store's
	// sources is the list that the indexes of a metrics report mean.
	sources []wire.Source
	// problem is what the agent said last of what keeps it from writing its own state.
	problem string
	metrics metrics
}

// New makes a registry that has heard of no agent yet.
func New(o Options) *Registry {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Registry{store: o.Store, log: log, started: time.Now(), agents: map[string]*state{}}
}

// Run finds agents that fell silent and stores when each was last seen, until ctx ends.
func (r *Registry) Run(ctx context.Context) error {
	sweep, flush := time.NewTicker(sweepInterval), time.NewTicker(flushInterval)
	defer sweep.Stop()
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			r.flush(context.WithoutCancel(ctx))
			return nil
		case <-sweep.C:
			r.sweep(time.Now())
		case <-flush.C:
			r.flush(ctx)
		}
	}
}

// sweep marks agents offline that were silent for too long.
func (r *Registry) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.agents {
		if s.online && now.Sub(s.seen) >= wire.OfflineAfter {
			s.online, s.since = false, now
			r.log.Info("agent_silent", "agent_id", id, "last_seen", s.seen)
		}
	}
}

// flush stores when each agent was last seen.
func (r *Registry) flush(ctx context.Context) {
	r.mu.Lock()
	var ids []string
	for id, s := range r.agents {
		if s.dirty {
			s.dirty = false
			ids = append(ids, id)
		}
	}
	r.mu.Unlock()
	for _, id := range ids {
		r.save(ctx, id, func(*store.Agent) {})
	}
}

// save changes an agent in the store. A failure is logged: what is stored here is a convenience after a restart.
func (r *Registry) save(ctx context.Context, id string, change func(*store.Agent)) {
	a, err := r.store.FindAgent(ctx, id)
	if err == nil {
		change(&a)
		r.mu.Lock()
		if s := r.agents[id]; s != nil && s.seen.After(a.LastSeen) {
			a.LastSeen = s.seen
		}
		r.mu.Unlock()
		err = r.store.SaveAgent(ctx, a)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		r.log.Warn("agent_save_failed", "agent_id", id, "reason", err)
	}
}

// stateLocked is the state of an agent, made when it is not there.
func (r *Registry) stateLocked(id string) *state {
	s := r.agents[id]
	if s == nil {
		s = &state{since: r.started}
		r.agents[id] = s
	}
	return s
}

// PublicKey is the key that an agent must prove to have, or a *wire.Error unauthorized for an unknown agent.
func (r *Registry) PublicKey(ctx context.Context, agentID string) (ed25519.PublicKey, error) {
	a, err := r.store.FindAgent(ctx, agentID)
	if errors.Is(err, store.ErrNotFound) || err == nil && a.ID != agentID {
		return nil, wire.Errorf(wire.CodeUnauthorized, "agent %q is not enrolled here", agentID)
	}
	if err != nil {
		return nil, err
	}
	return a.PublicKey, nil
}

// Connected notes that an agent's link is up.
func (r *Registry) Connected(ctx context.Context, hello wire.Hello, clockOffset time.Duration) error {
	a, err := r.store.FindAgent(ctx, hello.AgentID)
	if errors.Is(err, store.ErrNotFound) || err == nil && a.ID != hello.AgentID {
		return wire.Errorf(wire.CodeUnauthorized, "agent %q is not enrolled here", hello.AgentID)
	}
	if err != nil {
		return err
	}
	now := time.Now()
	if hello.Labels != nil {
		if err := checkLabels(hello.Labels); err != nil {
			return err
		}
		a.Labels = hello.Labels
	}
	a.Version, a.Sources, a.LastSeen, a.ClockOffset = clip(hello.Version), hello.Sources, now, clockOffset
	switch err := r.store.SaveAgent(ctx, a); {
	case errors.Is(err, store.ErrUnwritable):
		// It is stored for after a restart only: a full disk must not cost the fleet its agents.
		r.log.Warn("agent_save_failed", "agent_id", a.ID, "reason", err)
	case err != nil:
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stateLocked(hello.AgentID)
	s.links++
	s.seen, s.sources = now, hello.Sources
	r.setProblemLocked(hello.AgentID, s, hello.Problem)
	if !s.online {
		s.online, s.since = true, now
		r.log.Info("agent_connected", "agent_id", a.ID, "name", a.Name, "version", a.Version)
	}
	return nil
}

// Disconnected notes that a link of an agent is down.
func (r *Registry) Disconnected(agentID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.agents[agentID]
	if s == nil {
		return
	}
	s.links = max(s.links-1, 0)
	if s.links == 0 && s.online {
		s.online, s.since, s.dirty = false, time.Now(), true
		r.log.Info("agent_disconnected", "agent_id", agentID)
	}
}

// Seen notes a sign of life.
func (r *Registry) Seen(agentID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seenLocked(agentID)
}

// seenLocked notes a sign of life; an agent that was silent while its link stood is back.
func (r *Registry) seenLocked(agentID string) *state {
	s := r.agents[agentID]
	if s == nil {
		return nil
	}
	s.seen, s.dirty = time.Now(), true
	if !s.online && s.links > 0 {
		s.online, s.since = true, s.seen
	}
	return s
}

// Status notes what an agent says of itself while it is connected.
func (r *Registry) Status(agentID string, status wire.StatusUpdate) {
	r.mu.Lock()
	if s := r.seenLocked(agentID); s != nil {
		s.sources = status.Sources
		r.setProblemLocked(agentID, s, status.Problem)
	}
	r.mu.Unlock()
	r.save(context.Background(), agentID, func(a *store.Agent) { a.Sources = status.Sources })
}

// setProblemLocked notes what keeps an agent from writing its own state.
func (r *Registry) setProblemLocked(agentID string, s *state, problem string) {
	problem = strings.ToValidUTF8(problem[:min(len(problem), maxProblem)], "")
	switch problem {
	case s.problem:
	case "":
		r.log.Info("agent_problem_over", "agent_id", agentID)
	default:
		r.log.Warn("agent_problem", "agent_id", agentID, "reason", problem)
	}
	s.problem = problem
}

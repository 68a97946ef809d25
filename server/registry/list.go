package registry

import (
	"context"
	"errors"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/wire"
)

// List returns every agent by name. Sessions is left 0: it is not known here.
func (r *Registry) List(ctx context.Context) ([]wire.Agent, error) {
	agents, err := r.store.Agents(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Agent, 0, len(agents))
	for _, a := range agents {
		out = append(out, r.describe(a))
	}
	return out, nil
}

// Find returns the agent with this id or name, or a *wire.Error not_found.
func (r *Registry) Find(ctx context.Context, idOrName string) (wire.Agent, error) {
	a, err := r.store.FindAgent(ctx, idOrName)
	if errors.Is(err, store.ErrNotFound) {
		return wire.Agent{}, wire.Errorf(wire.CodeNotFound, "no agent has the id or name %q", idOrName)
	}
	if err != nil {
		return wire.Agent{}, err
	}
	return r.describe(a), nil
}

// Forget removes an agent, by its id, with all that is known of it.
func (r *Registry) Forget(ctx context.Context, id string) error {
	err := r.store.ForgetAgent(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return wire.Errorf(wire.CodeNotFound, "no agent has the id %q", id)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.agents, id)
	r.mu.Unlock()
	r.log.Info("agent_forgotten", "agent_id", id)
	return nil
}

// describe joins what is stored and what is known now.
func (r *Registry) describe(a store.Agent) wire.Agent {
	out := wire.Agent{
		ID: a.ID, Name: a.Name, Labels: a.Labels, Status: wire.AgentUnknown, StatusSince: wire.At(r.started),
		LastSeen: wire.At(a.LastSeen), EnrolledAt: wire.At(a.EnrolledAt), Version: a.Version, Sources: a.Sources,
		ClockOffsetMS: a.ClockOffset.Milliseconds(),
	}
	if a.EnrolledAt.After(r.started) {
		out.StatusSince = wire.At(a.EnrolledAt)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.agents[a.ID]; s != nil {
		out.StatusSince = wire.At(s.since)
		if s.seen.After(a.LastSeen) {
			out.LastSeen = wire.At(s.seen)
		}
		out.Status = wire.AgentOffline
		if s.online && time.Since(s.seen) < wire.OfflineAfter {
			out.Status = wire.AgentOnline
		}
		out.Sources, out.Problem = s.sources, s.problem
		out.Metrics = s.metrics.latest()
	}
	if out.Sources == nil {
		out.Sources = []wire.Source{}
	}
	return out
}

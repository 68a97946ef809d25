package sessions

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/wire"
)

// BusyError refuses a start because too many sessions are open.
type BusyError struct {
	Refusal *wire.Error
	// RetryAfter is when the first of those sessions ends at the latest.
	RetryAfter time.Duration
}

// Error is the refusal's.
func (e *BusyError) Error() string { return e.Refusal.Error() }

// Unwrap is the refusal.
func (e *BusyError) Unwrap() error { return e.Refusal }

// warnNoFilter is the warning of a start without any filter.
const warnNoFilter = "no filter is set: every line of these agents is streamed; " +
	"set filters to save their network and yours"

// idText is the alphabet of session ids.
var idText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Start checks a request and opens a session for who. It returns the session and warnings; on any error, which is a
// *wire.Error or a *BusyError where the request is at fault, nothing was started.
func (m *Manager) Start(ctx context.Context, request wire.StartRequest, who string) (wire.Session, []string, error) {
	now := time.Now()
	timeout, since, err := m.check(&request, now)
	if err != nil {
		return wire.Session{}, nil, err
	}
	agents, err := m.agents(ctx, request)
	if err != nil {
		return wire.Session{}, nil, err
	}
	s := store.Session{SinceMS: since.Milliseconds(), Session: wire.Session{
		ID: newID(), AgentID: agents[0].ID, AgentName: agents[0].Name, Agents: agents, Status: wire.StatusActive,
		Mode: request.Mode, StartedAt: wire.At(now), ExpiresAt: wire.At(now.Add(timeout)), Filters: request.Filters,
		Since: request.Since, Tail: request.Tail, Context: request.Context, Raw: request.Raw, Reason: request.Reason,
		CreatedBy: who, Accounts: wire.Accounts{Agents: map[string]wire.AgentAccounts{}},
	}}
	if err := m.open(ctx, s, now.Add(timeout)); err != nil {
		return wire.Session{}, nil, err
	}
	m.log.Info("session_started", "session_id", s.ID, "agents", len(agents), "timeout", timeout, "created_by", who)
	var warnings []string
	if request.Filters.Empty() {
		warnings = append(warnings, warnNoFilter)
	}
	return m.present(s), warnings, nil
}

// open takes a place within the limits, remembers the session and tells its agents.
func (m *Manager) open(ctx context.Context, s store.Session, deadline time.Time) error {
	m.mu.Lock()
	if err := m.limitLocked(s.Agents); err != nil {
		m.mu.Unlock()
		return err
	}
	m.starting++
	m.mu.Unlock()
	err := m.o.Store.AddSession(ctx, s)
	if err == nil {
		err = m.o.Streams.Open(streamOf(s, deadline))
	}
	m.mu.Lock()
	m.starting--
	if err == nil {
		m.active[s.ID] = &lease{session: s, deadline: deadline, ended: make(chan struct{})}
	}
	m.mu.Unlock()
	if err != nil {
		now := wire.At(time.Now())
		s.Status, s.EndedAt, s.EndReason = wire.StatusEnded, &now, wire.EndStopped
		// The row is there only if it was the hub that failed.
		again := m.o.Store.SaveSession(context.WithoutCancel(ctx), s)
		if again != nil && !errors.Is(again, store.ErrNotFound) {
			err = errors.Join(err, again)
		}
		return err
	}
	m.kick()
	m.notify(s)
	m.o.Streams.AwaitOpen(ctx, s.ID)
	return nil
}

// limitLocked refuses when the server or one of the agents has enough sessions.
func (m *Manager) limitLocked(agents []wire.AgentRef) error {
	if len(m.active)+m.starting >= wire.MaxSessions {
		return m.busyLocked("", wire.MaxSessions, "this server has")
	}
	counts := map[string]int{}
	for _, l := range m.active {
		for _, a := range l.session.Agents {
			counts[a.ID]++
		}
	}
	for _, a := range agents {
		if counts[a.ID]+m.starting >= wire.MaxAgentSessions {
			return m.busyLocked(a.ID, wire.MaxAgentSessions, fmt.Sprintf("agent %q has", a.Name))
		}
	}
	return nil
}

// busyLocked is the refusal for too many sessions, of one agent or of all.
func (m *Manager) busyLocked(agentID string, limit int, whose string) error {
	retry := wire.MaxTimeout
	for _, l := range m.active {
		for _, a := range l.session.Agents {
			if agentID == "" || a.ID == agentID {
				retry = min(retry, time.Until(l.deadline))
			}
		}
	}
	return &BusyError{
		Refusal: wire.Errorf(wire.CodeRateLimited, "%s %d open sessions, which is the limit; stop one or wait", whose, limit),
		// Rounded up, since a client that comes a moment early is refused again.
		RetryAfter: max(retry, 0).Truncate(time.Second) + time.Second,
	}
}

// check looks at everything in a request that needs no agent, fills in defaults, and returns its length and how far
// back it begins.
func (m *Manager) check(request *wire.StartRequest, now time.Time) (timeout, since time.Duration, err error) {
	timeout, err = Timeout(request.TimeoutSeconds)
	if err != nil {
		return 0, 0, err
	}
	switch request.Mode {
	case "":
		request.Mode = wire.ModeLive
	case wire.ModeLive, wire.ModeComplete:
	default:
		return 0, 0, wire.Invalid("mode", "%q is not a mode; must be live or complete", request.Mode)
	}
	if request.Tail < 0 || request.Tail > wire.MaxHistory {
		return 0, 0, wire.Invalid("tail", "must be a whole number from 0 to %d, not %d", wire.MaxHistory, request.Tail)
	}
	if err := checkContext(request.Context); err != nil {
		return 0, 0, err
	}
	if len(request.Reason) > wire.MaxReason {
		return 0, 0, wire.Invalid("reason", "has %d bytes, at most %d allowed", len(request.Reason), wire.MaxReason)
	}
	if request.Since != "" {
		if since, err = parseSince(request.Since, now); err != nil {
			return 0, 0, err
		}
	}
	if err := m.o.Check(request.Filters); err != nil {
		return 0, 0, err
	}
	return timeout, since, nil
}

// checkContext refuses more lines around a match than are allowed.
func checkContext(c wire.Context) error {
	if c.Before < 0 || c.Before > wire.MaxContext {
		return wire.Invalid("context.before", "must be a whole number from 0 to %d, not %d", wire.MaxContext, c.Before)
	}
	if c.After < 0 || c.After > wire.MaxContext {
		return wire.Invalid("context.after", "must be a whole number from 0 to %d, not %d", wire.MaxContext, c.After)
	}
	return nil
}

// Timeout is the length that a request asks for: the default for nil, else within the limits.
func Timeout(seconds *int) (time.Duration, error) {
	if seconds == nil {
		return wire.DefaultTimeout, nil
	}
	low, high := int(wire.MinTimeout/time.Second), int(wire.MaxTimeout/time.Second)
	if *seconds < low || *seconds > high {
		return 0, wire.Invalid("timeout_seconds", "must be a whole number from %d to %d, not %d", low, high, *seconds)
	}
	return time.Duration(*seconds) * time.Second, nil
}

// parseSince reads how far before now history begins, from a duration, bare seconds or a time.
func parseSince(text string, now time.Time) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		if n, bad := strconv.ParseUint(text, 10, 31); bad == nil {
			d, err = time.Duration(n)*time.Second, nil
		}
	}
	if err != nil {
		at, bad := time.Parse(time.RFC3339, text)
		if bad != nil {
			return 0, wire.Invalid("since", "%q must be a duration such as 10m, seconds such as 600, or an RFC 3339 time", text)
		}
		d = now.Sub(at)
	}
	if d < 0 {
		return 0, wire.Invalid("since", "%q must not be in the future", text)
	}
	return d, nil
}

// agents finds the agents of a request, all of which must be there and online.
func (m *Manager) agents(ctx context.Context, request wire.StartRequest) ([]wire.AgentRef, error) {
	field, names := "agent_id", []string{request.AgentID}
	switch {
	case request.AgentID != "" && request.Agents != nil:
		return nil, wire.Invalid("agents", "must not be given together with agent_id")
	case request.AgentID == "" && request.Agents == nil:
		return nil, wire.Invalid("agent_id", "must be an agent's id or name; or give agents, a list of them")
	case request.Agents != nil:
		field, names = "agents", request.Agents
	}
	if len(names) == 0 || len(names) > wire.MaxSessionAgents {
		return nil, wire.Invalid(field, "must name 1 to %d agents, not %d", wire.MaxSessionAgents, len(names))
	}
	out := make([]wire.AgentRef, 0, len(names))
	seen := map[string]bool{}
	for _, name := range names {
		if name == "" {
			return nil, wire.Invalid(field, "must be an agent's id or name, not empty")
		}
		a, err := m.o.Agents.Find(ctx, name)
		if refusal, ok := errors.AsType[*wire.Error](err); ok {
			out := *refusal
			out.Details = map[string]string{field: refusal.Message}
			return nil, &out
		}
		if err != nil {
			return nil, err
		}
		if a.Status != wire.AgentOnline {
			return nil, offline(field, a)
		}
		if seen[a.ID] {
			return nil, wire.Invalid(field, "names agent %q twice", a.Name)
		}
		seen[a.ID] = true
		out = append(out, wire.AgentRef{ID: a.ID, Name: a.Name})
	}
	return out, nil
}

// offline is the refusal for an agent that cannot be reached.
func offline(field string, a wire.Agent) error {
	seen := "last seen " + a.LastSeen.UTC().Format(wire.TimeLayout)
	why := wire.Errorf(wire.CodeAgentOffline, "agent %q is %s, %s", a.Name, a.Status, seen)
	why.Details = map[string]string{field: seen}
	return why
}

// newID is a fresh session id.
func newID() string {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		panic("sessions: " + err.Error()) // crypto/rand never fails
	}
	return "sess_" + idText.EncodeToString(id[:])
}

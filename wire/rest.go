package wire

import (
	"encoding/json"
	"time"
)

// Time is a time on the wire: RFC 3339 in UTC with milliseconds.
type Time struct{ time.Time }

// TimeLayout is the layout of every time on the wire.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// At is t as a wire time.
func At(t time.Time) Time { return Time{t.UTC()} }

// MarshalJSON writes the time with milliseconds in UTC, the zero time as null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + t.UTC().Format(TimeLayout) + `"`), nil
}

// Strings is one string or a list of strings in JSON; it is written as a list.
type Strings []string

// UnmarshalJSON reads a string or a list of strings.
func (s *Strings) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var one string
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		*s = Strings{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(s))
}

// Filters is what passes; all that is set must hold. The zero value passes everything.
type Filters struct {
	// Level is an exact set of level words; empty means any.
	Level Strings `json:"level,omitempty"`
	// MinLevel is a level word; that level and above pass.
	MinLevel string `json:"min_level,omitempty"`
	// Source is a list of globs, one of which the event's source must match.
	Source Strings `json:"source,omitempty"`
	// Pattern is an RE2 expression that must be found in the line as it was written.
	Pattern string `json:"pattern,omitempty"`
	// Scope is a list of key:value pairs, all of which the metadata must hold; values compare as text.
	Scope Strings `json:"scope,omitempty"`
}

// Empty says whether f passes everything.
func (f Filters) Empty() bool {
	return len(f.Level) == 0 && f.MinLevel == "" && len(f.Source) == 0 && f.Pattern == "" && len(f.Scope) == 0
}

// Mode says what happens when nobody reads as fast as lines are written.
type Mode string

// The modes.
const (
	// ModeLive keeps up with now: events that find no credit are dropped and counted.
	ModeLive Mode = "live"
	// ModeComplete loses nothing: without credit the agent stops reading.
	ModeComplete Mode = "complete"
)

// StartRequest is the body of POST /stream/start.
type StartRequest struct {
	// AgentID is one agent's id or name; Agents is a list of them. Exactly one of the two is given.
	AgentID string   `json:"agent_id,omitempty"`
	Agents  []string `json:"agents,omitempty"`
	// TimeoutSeconds is the session's length, 1 to 3600; absent means 300.
	TimeoutSeconds *int `json:"timeout_seconds,omitempty"`
	// Filters is what passes.
	Filters Filters `json:"filters,omitzero"`
	// Mode is live (the default) or complete.
	Mode Mode `json:"mode,omitempty"`
	// Since asks for history: a Go duration back from now, or an RFC 3339 time.
	Since string `json:"since,omitempty"`
	// Tail asks for the last so many matching events before live.
	Tail int `json:"tail,omitempty"`
	// Context asks for lines around those that match.
	Context Context `json:"context,omitzero"`
	// Raw asks for each line's own bytes in the frames.
	Raw bool `json:"raw,omitempty"`
	// Reason says why, for the record.
	Reason string `json:"reason,omitempty"`
}

// Context is how many lines of the same file, at most [MaxContext] each, are sent before and after a line that matches,
// as those of grep -B and -A. It does not reach from one file into another that took its place.
type Context struct {
	Before int `json:"before,omitempty"`
	After  int `json:"after,omitempty"`
}

// StopRequest is the body of POST /stream/stop.
type StopRequest struct {
	SessionID string `json:"session_id"`
}

// PatchRequest is the body of PATCH /sessions/{id}.
type PatchRequest struct {
	// TimeoutSeconds, 1 to 3600, is the new remaining length counted from now.
	TimeoutSeconds *int `json:"timeout_seconds,omitempty"`
}

// Status is the state of a session.
type Status string

// The states of a session.
const (
	StatusActive Status = "active"
	StatusEnded  Status = "ended"
)

// EndReason says why a session ended.
type EndReason string

// The reasons of an end.
const (
	EndTimeout EndReason = "timeout"
	EndStopped EndReason = "stopped"
)

// Session is a lease on the logs of some agents.
type Session struct {
	ID        string `json:"id"`
	AgentID   string `json:"agent_id"`
	AgentName string `json:"agent_name"`
	// Agents lists every agent of the session in the order of its cursor; the first is AgentID.
	Agents    []AgentRef `json:"agents"`
	Status    Status     `json:"status"`
	Mode      Mode       `json:"mode"`
	StartedAt Time       `json:"started_at"`
	ExpiresAt Time       `json:"expires_at"`
	EndedAt   *Time      `json:"ended_at,omitempty"`
	// EndReason is set once the session has ended.
	EndReason    EndReason `json:"end_reason,omitempty"`
	Filters      Filters   `json:"filters"`
	Since        string    `json:"since,omitempty"`
	Tail         int       `json:"tail,omitempty"`
	Context      Context   `json:"context,omitzero"`
	Raw          bool      `json:"raw,omitempty"`
	Reason       string    `json:"reason,omitempty"`
	CreatedBy    string    `json:"created_by"`
	WebSocketURL string    `json:"websocket_url"`
	Viewers      int       `json:"viewers"`
	// Accounts is the state of the agents' equation, final once the session has ended.
	Accounts Accounts `json:"accounts"`
}

// AgentRef names an agent.
type AgentRef struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// StartResponse is the answer to POST /stream/start: the session, and its main members flat beside it, since both
// forms are published.
type StartResponse struct {
	Session      Session  `json:"session"`
	SessionID    string   `json:"session_id"`
	AgentID      string   `json:"agent_id"`
	Status       Status   `json:"status"`
	WebSocketURL string   `json:"websocket_url"`
	Warnings     []string `json:"warnings,omitempty"`
}

// SessionList is the answer to GET /stream/sessions.
type SessionList struct {
	Sessions []Session `json:"sessions"`
	Total    int       `json:"total"`
}

// AgentStatus says whether an agent can be reached.
type AgentStatus string

// The states of an agent.
const (
	AgentOnline  AgentStatus = "online"
	AgentOffline AgentStatus = "offline"
	// AgentUnknown is an agent that this server has not heard of since it started.
	AgentUnknown AgentStatus = "unknown"
)

// Agent is one member of the fleet.
type Agent struct {
	ID     string            `json:"id"`
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Status AgentStatus       `json:"status"`
	// StatusSince is since when Status holds.
	StatusSince Time     `json:"status_since"`
	LastSeen    Time     `json:"last_seen"`
	EnrolledAt  Time     `json:"enrolled_at"`
	Version     string   `json:"version"`
	Sources     []Source `json:"sources"`
	// Problem says in words what keeps the agent from writing its own state, which it needs after a restart; empty when
	// nothing does.
	Problem string `json:"problem,omitempty"`
	// ClockOffsetMS is the agent's clock minus the server's at the last hello, in milliseconds.
	ClockOffsetMS int64 `json:"clock_offset_ms"`
	Sessions      int   `json:"sessions"`
	// Metrics is what the agent reported last, null before the first report.
	Metrics *MetricsPoint `json:"metrics"`
}

// Source is where an agent's events come from.
type Source struct {
	// Name is what filters.source compares.
	Name string `json:"name"`
	// Kind is file; others come later.
	Kind string `json:"kind"`
	// Files is how many files the source follows now.
	Files int `json:"files"`
	// Problem says in words what keeps some file from being read, empty when nothing does.
	Problem string `json:"problem,omitempty"`
}

// AgentList is the answer to GET /agents.
type AgentList struct {
	Agents []Agent `json:"agents"`
	Total  int     `json:"total"`
}

// MetricsPoint is what an agent counted in one interval.
type MetricsPoint struct {
	Time            Time                  `json:"time"`
	IntervalSeconds float64               `json:"interval_seconds"`
	CPUPercent      float64               `json:"cpu_percent"`
	MemoryBytes     uint64                `json:"memory_bytes"`
	DiskUsedPercent float64               `json:"disk_used_percent"`
	Sources         map[string]SourceRate `json:"sources"`
}

// SourceRate is what one source wrote in an interval.
type SourceRate struct {
	Lines uint64 `json:"lines"`
	Bytes uint64 `json:"bytes"`
	// Levels counts lines by level word; zeros are left out.
	Levels map[string]uint64 `json:"levels"`
}

// AgentMetrics is the answer to GET /agents/{id}/metrics: the last hour, oldest first.
type AgentMetrics struct {
	AgentID string         `json:"agent_id"`
	Points  []MetricsPoint `json:"points"`
}

// EnrolRequest is the body of POST /enrol, which needs an enrolment token and no other.
type EnrolRequest struct {
	Token  string            `json:"token"`
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	// PublicKey is the agent's Ed25519 key, 32 bytes in base64.
	PublicKey []byte `json:"public_key"`
	Version   string `json:"version,omitempty"`
}

// EnrolResponse is the answer to POST /enrol.
type EnrolResponse struct {
	AgentID string `json:"agent_id"`
	Name    string `json:"name"`
}

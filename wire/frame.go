package wire

import "encoding/json"

// Log is the frame of one event.
type Log struct {
	Type      string          `json:"type"` // always "log"
	Timestamp Time            `json:"timestamp"`
	Level     string          `json:"level"`
	Source    string          `json:"source"`
	Message   string          `json:"message"`
	Metadata  json.RawMessage `json:"metadata"`
	// Raw is the line's own bytes, RawBase64 the same where they are not UTF-8; only when the session asked for raw.
	Raw       *string `json:"raw,omitempty"`
	RawBase64 []byte  `json:"raw_base64,omitempty"`
	// Context says that the line does not match itself and is sent for one nearby that does; only when the session asked
	// for context. The metadata then has end_offset beside offset: a line whose offset is the end_offset of another one
	// of the same agent and file follows directly on it.
	Context bool `json:"context,omitempty"`
	// Agent is the id of the agent, Epoch and Seq the place of the event in its numbering.
	Agent string `json:"agent"`
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
}

// Event is what a control frame tells.
type Event string

// The events of control frames.
const (
	EventSessionStarted  Event = "session_started"
	EventSessionEnding   Event = "session_ending"
	EventSessionExtended Event = "session_extended"
	EventSessionEnded    Event = "session_ended"
	EventGap             Event = "gap"
	EventAgentStatus     Event = "agent_status"
	EventHistoryEnd      Event = "history_end"
	EventStats           Event = "stats"
	EventHeartbeat       Event = "heartbeat"
	EventError           Event = "error"
)

// Default says whether a stream carries e without being asked: what a client that knows only log lines, the warning
// and the end can stand, and what nobody may be left without.
func (e Event) Default() bool {
	switch e {
	case EventGap, EventSessionEnding, EventSessionEnded, EventError:
		return true
	}
	return false
}

// Control is a frame that is not an event of a log. Type and Event are always set, the rest as the event needs.
type Control struct {
	Type  string `json:"type"` // always "control"
	Event Event  `json:"event"`
	// Reason says why: a gap, an ending, an end.
	Reason string `json:"reason,omitempty"`
	// SecondsRemaining is how long the session still lasts, rounded up.
	SecondsRemaining *int `json:"seconds_remaining,omitempty"`
	// ExpiresAt comes with session_started and session_extended.
	ExpiresAt *Time `json:"expires_at,omitempty"`
	// SessionID comes with session_started.
	SessionID string `json:"session_id,omitempty"`
	// NextSeq is, by agent id, the number of the first event that this viewer is owed; with session_started.
	NextSeq map[string]uint64 `json:"next_seq,omitempty"`

	// Agent, Epoch, From, To, Count, Unit, File and Stage describe a gap; Agent also an agent_status. A gap in events
	// covers the numbers From to To; one in bytes has a file and no numbers.
	Agent string `json:"agent,omitempty"`
	Epoch uint64 `json:"epoch,omitempty"`
	From  uint64 `json:"from,omitempty"`
	To    uint64 `json:"to,omitempty"`
	Count uint64 `json:"count,omitempty"`
	Unit  Unit   `json:"unit,omitempty"`
	File  string `json:"file,omitempty"`
	// Stage is where on the way the loss of a gap happened.
	Stage Stage `json:"stage,omitempty"`
	// AtLeast says that Count is a lower bound: bytes were written and destroyed that nobody could see.
	AtLeast bool `json:"at_least,omitempty"`

	// Status is an agent's state in agent_status.
	Status StreamStatus `json:"status,omitempty"`
	// Problem says, in agent_status, what keeps the agent from writing its own state, as in [Agent]; without it nothing
	// does.
	Problem string `json:"problem,omitempty"`

	// Accounts comes with stats and session_ended.
	Accounts *Accounts `json:"accounts,omitempty"`
	// Cursor is where this viewer stands; with stats, session_ended and error slow_viewer.
	Cursor string `json:"cursor,omitempty"`

	// Code and Message describe an error.
	Code    Code   `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
}

// Unit is what a gap counts.
type Unit string

// The units of a gap.
const (
	UnitEvents Unit = "events"
	UnitBytes  Unit = "bytes"
)

// StreamStatus is what an agent does for a session.
type StreamStatus string

// The states of an agent in a session.
const (
	StreamStreaming   StreamStatus = "streaming"
	StreamUnreachable StreamStatus = "unreachable"
	StreamLagging     StreamStatus = "lagging"
	StreamEnded       StreamStatus = "ended"
)

// The reasons of gaps and drops.
const (
	// ReasonSlowViewer: this viewer read slower than the ring moved.
	ReasonSlowViewer = "slow_viewer"
	// ReasonBufferOverrun: in live mode no viewer read as fast as the agent matched, so that what may be under way
	// was full.
	ReasonBufferOverrun = "buffer_overrun"
	// ReasonRate: the agent's own limit on a session's rate.
	ReasonRate = "rate"
	// ReasonLagging: matching fell behind a live file and bytes were skipped.
	ReasonLagging = "lagging"
	// ReasonTruncated: a file was cut before it was read to its end.
	ReasonTruncated = "truncated"
	// ReasonHole: zeros at a file's beginning, where nothing was written. A writer that does not append leaves them when
	// its file is cut: it goes on where it was.
	ReasonHole = "hole"
	// ReasonRotated: bytes of a rotated file are gone.
	ReasonRotated = "rotated"
	// ReasonCorrupt: a compressed file is broken and cannot be read on.
	ReasonCorrupt = "corrupt"
	// ReasonOversize: a compressed file unpacks to more than the agent allows.
	ReasonOversize = "oversize"
	// ReasonUnreadable: the agent may not or cannot read a file that history asks for.
	ReasonUnreadable = "unreadable"
	// ReasonReplayLost: a batch could not be rebuilt, its bytes are gone.
	ReasonReplayLost = "replay_lost"
	// ReasonJournalLost: the agent lost its record of what it had sent, and numbers anew.
	ReasonJournalLost = "journal_lost"
	// ReasonPositionLost: the server no longer holds what this viewer asks for.
	ReasonPositionLost = "position_lost"
	// ReasonSessionEnd: the session ended before the events were sent.
	ReasonSessionEnd = "session_end"
)

// Accounts is the state of the two equations, by agent id.
type Accounts struct {
	Agents map[string]AgentAccounts `json:"agents"`
	// Viewer is this viewer's own account; only on its stream.
	Viewer map[string]ViewerAccounts `json:"viewer,omitempty"`
}

// AgentAccounts is an agent's equation for a session, in events:
//
//	seen = filtered + sampled + redacted_away + dropped{reason} + sent + pending
type AgentAccounts struct {
	Seen         uint64 `json:"seen"`
	Filtered     uint64 `json:"filtered"`
	Sampled      uint64 `json:"sampled"`
	RedactedAway uint64 `json:"redacted_away"`
	// Dropped counts by reason what passed the filter and was not sent.
	Dropped map[string]uint64 `json:"dropped"`
	// Sent counts what went on the link, a resend once.
	Sent    uint64 `json:"sent"`
	Pending uint64 `json:"pending"`
	// LostBytes counts by reason bytes that were never read; they stand beside the equation.
	LostBytes map[string]uint64 `json:"lost_bytes"`
	// TruncatedLines counts lines longer than MaxLine.
	TruncatedLines uint64 `json:"truncated_lines"`
}

// Closes says whether the equation holds.
func (a AgentAccounts) Closes() bool {
	sum := a.Filtered + a.Sampled + a.RedactedAway + a.Sent + a.Pending
	for _, n := range a.Dropped {
		sum += n
	}
	return a.Seen == sum
}

// ViewerAccounts is a viewer's equation for one agent, in events:
//
//	offered = narrowed + delivered + gapped + in_flight
type ViewerAccounts struct {
	// Offered counts the numbered events from this viewer's first position on.
	Offered uint64 `json:"offered"`
	// Narrowed counts what the viewer's own narrower filter held back.
	Narrowed uint64 `json:"narrowed"`
	// Delivered counts what was written to the viewer's socket.
	Delivered uint64 `json:"delivered"`
	// Gapped counts what gap frames announced.
	Gapped   uint64 `json:"gapped"`
	InFlight uint64 `json:"in_flight"`
}

// Closes says whether the equation holds.
func (v ViewerAccounts) Closes() bool {
	return v.Offered == v.Narrowed+v.Delivered+v.Gapped+v.InFlight
}

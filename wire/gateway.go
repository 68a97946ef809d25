package wire

import (
	"encoding/json"
	"time"
)

// Limits of the ways to a stream that are no stream.
const (
	// TicketTTL is how long a ticket waits to be used.
	TicketTTL = 30 * time.Second
	// PollWait is how long a poll waits for frames when nothing is said, MaxPollWait the most that may be asked for.
	PollWait    = 20 * time.Second
	MaxPollWait = 25 * time.Second
	// PollGrace is how long a viewer that polls keeps its place from one poll to the next.
	PollGrace = 10 * time.Second
	// PollBytes is about how many bytes of frames one answer to a poll has at most.
	PollBytes = 1 << 20
	// MaxPolls bounds the viewers of one server that poll.
	MaxPolls = 500
)

// Limits of a beacon.
const (
	// BeaconCount and BeaconInterval hold when nothing is said.
	BeaconCount    = 10
	BeaconInterval = 200 * time.Millisecond
	// MaxBeaconCount, MinBeaconInterval, MaxBeaconInterval and MaxBeaconTime bound what may be asked for.
	MaxBeaconCount    = 100
	MinBeaconInterval = 50 * time.Millisecond
	MaxBeaconInterval = 60 * time.Second
	MaxBeaconTime     = 120 * time.Second
	// MaxBeacons bounds the beacons that a server sends at a time.
	MaxBeacons = 32
)

// TicketRequest is the body of POST /stream/ticket.
type TicketRequest struct {
	SessionID string `json:"session_id"`
}

// TicketResponse is the answer to POST /stream/ticket. The ticket is good once, for a stream of that session, as
// ?ticket= in place of a token.
type TicketResponse struct {
	Ticket           string `json:"ticket"`
	ExpiresInSeconds int    `json:"expires_in_seconds"`
}

// LoginRequest is the body of POST /login, which answers with the login cookie.
type LoginRequest struct {
	Token string `json:"token"`
}

// Me is the answer to GET /me: who the caller is here.
type Me struct {
	Subject string `json:"subject"`
	// ExpiresAt is when the token or the login ends.
	ExpiresAt Time       `json:"expires_at"`
	Server    ServerInfo `json:"server"`
}

// ServerInfo is what a server says of itself.
type ServerInfo struct {
	Version string `json:"version"`
}

// Enrolment is the answer to GET /enrolment: how a new agent joins.
type Enrolment struct {
	// Command is a line for a POSIX shell on the new agent's machine. It has the enrolment token in it.
	Command string `json:"command"`
	// Server is the server's URL as agents reach it.
	Server string `json:"server"`
}

// PollAnswer is the answer to GET /stream/poll/{id}.
type PollAnswer struct {
	// Frames are frames as a stream carries them, in their order.
	Frames []json.RawMessage `json:"frames"`
	// Cursor is what the next poll passes as after. It is a cursor that every stream takes, and names the place of the
	// viewer that polls besides.
	Cursor string `json:"cursor"`
	// Ended says that session_ended is the last of the frames.
	Ended bool `json:"ended"`
}

// Beacon is one message of GET /beacon/{form}: it says when it was sent, so that whoever reads it sees what the way
// did to it.
type Beacon struct {
	Type string `json:"type"` // always "beacon"
	// N counts from 0.
	N      int  `json:"n"`
	SentAt Time `json:"sent_at"`
	// Request is how the request arrived; only with the first.
	Request *BeaconRequest `json:"request,omitempty"`
	// Pad is always empty: a beacon is as small as a short line, which is what buffers hold back.
	Pad string `json:"pad"`
}

// BeaconRequest is a request as it came to the server.
type BeaconRequest struct {
	Method string `json:"method"`
	Proto  string `json:"proto"`
	Host   string `json:"host"`
	// Headers are those that proxies add, change or strip; no others are told.
	Headers map[string][]string `json:"headers"`
}

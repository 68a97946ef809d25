package wire

import "time"

// Limits of a session.
const (
	// DefaultTimeout is a session's length when none is asked for.
	DefaultTimeout = 300 * time.Second
	// MinTimeout and MaxTimeout bound a session's length.
	MinTimeout = 1 * time.Second
	MaxTimeout = 3600 * time.Second
	// EndingWarning is how long before its end a session announces it.
	EndingWarning = 30 * time.Second
	// MaxHistory bounds tail: the number of matching events that may be asked for before live.
	MaxHistory = 100_000
	// MaxContext bounds the lines before and those after a match.
	MaxContext = 100
	// MaxSessionAgents bounds the agents of one session.
	MaxSessionAgents = 100
	// MaxReason bounds the bytes of a session's reason.
	MaxReason = 500
)

// Limits of a filter.
const (
	// MaxPattern bounds the bytes of a pattern.
	MaxPattern = 1024
	// MaxPatternCost bounds program instructions times line bytes of a pattern, so that the worst pattern spends
	// less than 250 ms on the longest line.
	MaxPatternCost = 10_000_000
	// MaxPatternProgram is how many instructions a compiled pattern may have: MaxPatternCost over MaxLine.
	MaxPatternProgram = MaxPatternCost / MaxLine
	// MaxSources and MaxScopes bound the lists of a filter; MaxFilterItem the bytes of one item.
	MaxSources    = 64
	MaxScopes     = 32
	MaxFilterItem = 512
)

// Limits of the stream and the link.
const (
	// MaxLine is how many bytes of a line are kept; the rest is cut and told.
	MaxLine = 64 << 10
	// BatchBytes is the size of frames that makes a batch full.
	BatchBytes = 64 << 10
	// MaxBatchBytes bounds the uncompressed frames of one batch: a full batch plus one longest frame, whose line
	// may grow sixfold by escaping and is carried twice when raw is asked for.
	MaxBatchBytes = BatchBytes + 16*MaxLine
	// MaxLinkMessage bounds one message of the agent link as it is read from the socket.
	MaxLinkMessage = MaxBatchBytes + 64<<10
	// WindowBytes is the credit of a session at one agent: how many bytes of frames may be under way.
	WindowBytes = 1 << 20
	// RingBytes is how much of a session a server keeps for viewers that come back or lag.
	RingBytes = 8 << 20
	// MaxBody bounds the body of a request.
	MaxBody = 1 << 20
	// MaxViewers bounds the viewers of one session.
	MaxViewers = 10_000
	// MaxSessions bounds the open sessions of one server, MaxAgentSessions those at one agent.
	MaxSessions      = 1000
	MaxAgentSessions = 64
	// MaxViewerMessage bounds what a viewer may send on its socket.
	MaxViewerMessage = 4 << 10
)

// Times of the stream and the link.
const (
	// FlushDelay is how long a batch may wait for more while the reader is busy.
	FlushDelay = 5 * time.Millisecond
	// StatsInterval is how often accounts are told while they change.
	StatsInterval = time.Second
	// HeartbeatInterval is the longest silence on a viewer's stream.
	HeartbeatInterval = 15 * time.Second
	// IdlePing and BusyPing are the link's ping periods without and with a session.
	IdlePing = 30 * time.Second
	BusyPing = 5 * time.Second
	// OfflineAfter is the silence after which an agent counts as offline.
	OfflineAfter = 90 * time.Second
	// SlowViewer is how long a viewer may make no progress before it is ended with its cursor.
	SlowViewer = 30 * time.Second
	// MetricsInterval is how often an agent reports what it counts; MetricsHistory how long a server keeps it.
	MetricsInterval = 60 * time.Second
	MetricsHistory  = time.Hour
	// StartGrace is how long a start waits for the agents to open the session, so that what is written after its
	// answer belongs to it; a slower agent opens it later.
	StartGrace = time.Second
	// EndGrace is how long a server waits for an agent's final accounts before it ends a session without them.
	EndGrace = 2 * time.Second
	// LagLimit is how far matching may fall behind a live file before bytes are skipped and announced.
	LagLimit = time.Second
)

// Subprotocol is the WebSocket subprotocol of the agent link.
const Subprotocol = "spile.agent.v1"

// BasePath is the prefix of every API path.
const BasePath = "/api/v1"

// AgentPath is the path of the agent link, EnrolPath that of the enrolment call.
const (
	AgentPath = BasePath + "/agent"
	EnrolPath = BasePath + "/enrol"
)

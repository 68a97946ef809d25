package wire

// LinkVersion is the version of the agent link; it is the first byte of every message.
const LinkVersion = 1

// LinkKind is the kind of a message on the agent link, its second byte. Every message is one binary WebSocket
// message: version, kind, body. Bodies are JSON but for batch, metrics and replayed.
//
// The conversation: the server opens with challenge, the agent answers hello, the server welcome and desired. From
// then on the server sends desired whenever the agent's sessions change (always the whole list) and ack as viewers
// take what was sent; the agent sends items (batch, gap) of each session within its credit, report when a session's
// state or accounts change, metrics once a minute, and status when its sources change. A viewer that is owed what the
// server holds no more makes it send replay, which the agent answers with replayed. Either side pings.
type LinkKind byte

// The kinds of link messages.
const (
	LinkChallenge LinkKind = 1  // server to agent: Challenge
	LinkHello     LinkKind = 2  // agent to server: Hello
	LinkWelcome   LinkKind = 3  // server to agent: Welcome
	LinkDesired   LinkKind = 4  // server to agent: Desired
	LinkReport    LinkKind = 5  // agent to server: Report
	LinkBatch     LinkKind = 6  // agent to server: Batch, binary
	LinkGap       LinkKind = 7  // agent to server: GapItem
	LinkAck       LinkKind = 8  // server to agent: Ack
	LinkMetrics   LinkKind = 9  // agent to server: Metrics, binary
	LinkStatus    LinkKind = 10 // agent to server: StatusUpdate
	LinkReject    LinkKind = 11 // server to agent: Error; the server closes after it
	LinkReplay    LinkKind = 12 // server to agent: Replay; only to agents whose reports say that they replay
	LinkReplayed  LinkKind = 13 // agent to server: Replayed, binary
)

// Challenge opens a link: the agent proves its key by signing the nonce.
type Challenge struct {
	Nonce []byte `json:"nonce"` // 32 random bytes
	// Time is the server's clock, for the agent's offset.
	Time Time `json:"time"`
}

// SignedText is what an agent signs with its Ed25519 key to answer a challenge.
func SignedText(nonce []byte, agentID string) []byte {
	return append([]byte(Subprotocol+"\x00"+agentID+"\x00"), nonce...)
}

// Hello introduces an agent.
type Hello struct {
	AgentID   string            `json:"agent_id"`
	Signature []byte            `json:"signature"`
	Name      string            `json:"name"`
	Version   string            `json:"version"`
	Labels    map[string]string `json:"labels,omitempty"`
	Sources   []Source          `json:"sources"`
	// Problem is as in [Agent].
	Problem string `json:"problem,omitempty"`
	// Time is the agent's clock.
	Time Time `json:"time"`
	// Capabilities names what the agent can do beyond the first version of the link.
	Capabilities []string `json:"capabilities,omitempty"`
}

// Welcome accepts an agent.
type Welcome struct {
	Version string `json:"version"`
}

// Desired is the whole list of sessions that an agent should have open. A session that is not in it is over.
type Desired struct {
	Sessions []DesiredSession `json:"sessions"`
}

// DesiredSession is one session as an agent needs it.
type DesiredSession struct {
	ID string `json:"id"`
	// RemainingMS is how long the session still lasts; the agent keeps its own timer from it.
	RemainingMS int64   `json:"remaining_ms"`
	Filters     Filters `json:"filters"`
	Mode        Mode    `json:"mode"`
	// SinceMS is how far before the session's start history begins, 0 for none; Tail how many events it has.
	SinceMS int64 `json:"since_ms,omitempty"`
	Tail    int   `json:"tail,omitempty"`
	Raw     bool  `json:"raw,omitempty"`
	// Context is how many lines around a match are sent.
	Context Context `json:"context,omitzero"`
	// AgeMS is how long ago the session started, so that since keeps its meaning for an agent that comes late.
	AgeMS int64 `json:"age_ms,omitempty"`
	// Epoch is the last epoch that the server knows of this agent in this session, 0 for none. An agent without a
	// journal takes the next.
	Epoch uint64 `json:"epoch,omitempty"`
}

// ReportState is what a report says of a session.
type ReportState string

// The states of a report.
const (
	// ReportOpen: the agent has (again) opened the session. Items from NextItem on follow, the first event of which
	// is NextSeq; all before it were acknowledged.
	ReportOpen ReportState = "open"
	// ReportStats: the accounts changed.
	ReportStats ReportState = "stats"
	// ReportHistoryEnd: everything before the session's start was sent.
	ReportHistoryEnd ReportState = "history_end"
	// ReportClosed: the session is over at the agent; the accounts are final.
	ReportClosed ReportState = "closed"
	// ReportRefused: the agent will not open the session; Error says why.
	ReportRefused ReportState = "refused"
)

// Report is an agent's word on one session.
type Report struct {
	Session  string        `json:"session"`
	State    ReportState   `json:"state"`
	Epoch    uint64        `json:"epoch"`
	NextItem uint64        `json:"next_item"`
	NextSeq  uint64        `json:"next_seq"`
	Accounts AgentAccounts `json:"accounts"`
	Error    *Error        `json:"error,omitempty"`
	// LostEpoch is an epoch that the agent cannot continue; with ReportOpen.
	LostEpoch uint64 `json:"lost_epoch,omitempty"`
	// Replays says that the agent answers Replay; with ReportOpen.
	Replays bool `json:"replays,omitempty"`
}

// GapItem is an item of a session that stands for events or bytes that are not sent. Like a batch it has its place
// in the order of items and is acknowledged.
type GapItem struct {
	Session string `json:"session"`
	Epoch   uint64 `json:"epoch"`
	Item    uint64 `json:"item"`
	// Gap is the control frame as a viewer gets it; a gap in events covers the numbers From to To.
	Gap Control `json:"gap"`
}

// Ack acknowledges items and grants credit. With Attached false nobody watches: the agent holds its positions and
// sends nothing.
type Ack struct {
	Session string `json:"session"`
	Epoch   uint64 `json:"epoch"`
	// Item is the last item that no resend is needed for; all before it are acknowledged too.
	Item uint64 `json:"item"`
	// Credit is how many bytes of frames, counted from the first item after Item on, may be under way.
	Credit   uint64 `json:"credit"`
	Attached bool   `json:"attached"`
	// Resend asks for everything after Item again: something between was lost on the way.
	Resend bool `json:"resend,omitempty"`
}

// Replay asks an agent to make again what it sent before and what was acknowledged: the events From to To of an epoch,
// and announcements of lost bytes between them. It changes neither numbers nor accounts, and needs no credit: the
// server asks for the next part when it has the answer to the one before.
type Replay struct {
	Session string `json:"session"`
	Epoch   uint64 `json:"epoch"`
	From    uint64 `json:"from"`
	To      uint64 `json:"to"`
	// Before is the first item that the server has; only items before it are asked for.
	Before uint64 `json:"before"`
}

// StatusUpdate tells that an agent's sources, or its own trouble, changed.
type StatusUpdate struct {
	Sources []Source `json:"sources"`
	// Problem is as in [Agent]; empty means that there is none any more.
	Problem string `json:"problem,omitempty"`
}

package wire

import (
	"maps"
	"slices"
)

// Stage is where on its way something was dropped.
type Stage string

// The stages.
const (
	// StageRead is the agent's reading: bytes that could not be read, or not in time.
	StageRead Stage = "agent_read"
	// StageQueue is the agent's queue: events that passed the filter and were not sent, or not sent again.
	StageQueue Stage = "agent_queue"
	// StageRing is the server's ring: events that were sent and left it before this viewer took them.
	StageRing Stage = "server_ring"
)

// stages is the one table of reasons: there is no gap and no drop for any other. Each bounded queue of the way has its
// reasons, and what has none loses nothing:
//
//   - the agent's reading, which may lag behind a live file (lagging) or find that bytes are gone or cannot be read
//     (truncated, rotated, corrupt, oversize, unreadable), or that nobody wrote any (hole);
//   - the agent's window of what is under way, where live drops (buffer_overrun) and complete stops reading; its own
//     limit of events a second (rate); what was sealed and can be sent no more (replay_lost, journal_lost,
//     session_end);
//   - the server's ring, which moves on over a viewer that reads slowly (slow_viewer) and may no longer hold where one
//     comes back to (position_lost). A viewer has no queue of its own: it is a place in the ring.
//
// The queues of messages between agent, link and fabric are in this table with nothing: what does not fit is kept by
// its sender, or asked for again. There is no reason for a budget, since sessions have none.
var stages = map[string]Stage{
	ReasonLagging:       StageRead,
	ReasonTruncated:     StageRead,
	ReasonHole:          StageRead,
	ReasonRotated:       StageRead,
	ReasonCorrupt:       StageRead,
	ReasonOversize:      StageRead,
	ReasonUnreadable:    StageRead,
	ReasonBufferOverrun: StageQueue,
	ReasonRate:          StageQueue,
	ReasonReplayLost:    StageQueue,
	ReasonJournalLost:   StageQueue,
	ReasonSessionEnd:    StageQueue,
	ReasonSlowViewer:    StageRing,
	ReasonPositionLost:  StageRing,
}

// StageOf is the stage that a reason of a gap or a drop belongs to, and whether the reason is one of the table.
func StageOf(reason string) (Stage, bool) {
	stage, known := stages[reason]
	return stage, known
}

// StageOfGap is the stage of a gap that an agent sent. For the reason of a later version, which is not in the table, it
// follows from what is counted: events that were numbered and not sent, or bytes that were not read.
func StageOfGap(reason string, unit Unit) Stage {
	if stage, known := StageOf(reason); known {
		return stage
	}
	if unit == UnitBytes {
		return StageRead
	}
	return StageQueue
}

// Reasons lists the reasons of gaps and drops in order.
func Reasons() []string { return slices.Sorted(maps.Keys(stages)) }

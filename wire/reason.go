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

// stages is the one table of reasons: there is no gap and no drop for any other.
var stages = map[string]Stage{
	ReasonLagging:      StageRead,
	ReasonTruncated:    StageRead,
	ReasonRotated:      StageRead,
	ReasonCorrupt:      StageRead,
	ReasonOversize:     StageRead,
	ReasonUnreadable:   StageRead,
	ReasonNoCredit:     StageQueue,
	ReasonRate:         StageQueue,
	ReasonReplayLost:   StageQueue,
	ReasonJournalLost:  StageQueue,
	ReasonSessionEnd:   StageQueue,
	ReasonSlowViewer:   StageRing,
	ReasonPositionLost: StageRing,
}

// StageOf is the stage that a reason of a gap or a drop belongs to, and whether the reason is one of the table.
func StageOf(reason string) (Stage, bool) {
	stage, known := stages[reason]
	return stage, known
}

// Reasons lists the reasons of gaps and drops in order.
func Reasons() []string { return slices.Sorted(maps.Keys(stages)) }

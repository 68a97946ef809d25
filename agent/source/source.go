// Package source says what an agent can read: a [Source] knows places where events are written, and each consumer
// (the counter, each session) reads them through a [Reader] of its own with positions of its own. Nothing is shared
// between readers but open files, so a slow session delays nobody.
//
// A place is one life of one file (or what stands for it in other kinds): from its creation or truncation to its
// rotation. A [Position] names a place in a way that survives the death of the process.
package source

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/spilelog/spile/wire"
)

// ErrDry is what [Reader.Next] returns when everything written so far was read.
var ErrDry = errors.New("nothing to read now")

// ErrGone is what [Source.ReadRange] returns when the bytes no longer exist.
var ErrGone = errors.New("bytes are gone")

// Source is a set of places of one kind.
//
//   - Run owns discovery and rotation; everything else may be called concurrently with it and with one another.
//   - Open and ReadRange work only while Run runs.
type Source interface {
	// Run follows the places until ctx ends. It returns nil then, and an error only if it can never work.
	Run(ctx context.Context) error
	// Open starts a reader. The caller closes it.
	Open(ctx context.Context, start Start) (Reader, error)
	// ReadRange reads the bytes [from, to) of the place that at names, for the rebuilding of a batch, wherever they
	// now lie. It returns ErrGone (wrapped) if they no longer exist or are not provably the same.
	ReadRange(at Position, from, to int64) ([]byte, error)
	// Sources tells names, number of files and problems, in a stable order.
	Sources() []wire.Source
	// Changed is signalled (capacity one, never closed) when Sources would tell something new.
	Changed() <-chan struct{}
}

// Start says where a reader begins.
type Start struct {
	// Accept picks sources by name; nil means all.
	Accept func(source string) bool
	// Resume, when not nil, are the positions of an earlier reader (of this or of a dead process). Places that are not
	// in it are read from their beginning if they appeared since.
	Resume []Position
	// Known, when not zero, is when the first of the readers that Resume goes back to was opened. Of a path without a
	// position all that was written later appeared since, though it may have been rotated away.
	Known time.Time
	// Since, when not zero, moves the beginning back to the first event at or after it, also into files that were
	// rotated away. Lines of one file are taken to be in order of time. What was written before the reader was opened
	// is returned before what was written later, each file's lines in their order, and those of several files in the
	// order of their own times as far as these are in order within each file; a line without a time goes with the one
	// before it.
	Since time.Time
	// Tail, when not zero, moves the beginning back so that Tail matching lines, counted over all places by time,
	// lie before the end. With Since too the later beginning wins.
	Tail int
	// Match says for Tail whether a line counts and when it was written. It is called from one goroutine.
	Match func(source, path string, line []byte) (time.Time, bool)
	// TimeOf reads a line's own time for Since; false where it has none.
	TimeOf func(source string, line []byte) (time.Time, bool)
}

// Reader reads blocks for one consumer. It is not safe for concurrent use, but for Ready.
type Reader interface {
	// Next returns the next block, taking places in turn so that none starves. It never waits: ErrDry says that
	// there is nothing now. The block is valid until the next call.
	Next() (*Block, error)
	// Ready is signalled (capacity one, never closed) when Next may have more after ErrDry.
	Ready() <-chan struct{}
	// Positions are where this reader stands in each place it reads: everything before them was returned by Next. They
	// are gone over before any other call: there may be very many, and they are made one by one.
	Positions() iter.Seq[Position]
	// Backlog is how many bytes lie between the reader's positions and the end of its places.
	Backlog() int64
	// HistoryDone says whether everything that existed when the reader was opened was returned.
	HistoryDone() bool
	// SkipToEnd moves past everything written so far but keeps line boundaries, and tells what was skipped: blocks
	// without data, each with its gap.
	SkipToEnd() []Block
	// Close frees the reader; a second call does nothing.
	Close() error
}

// Block is a run of whole lines from one place.
type Block struct {
	// Source is the name of the source, Path the path by which the place was allowed (not a rotated name).
	Source, Path string
	// Place identifies the place within this process; equal for blocks of one place.
	Place uint64
	// At is the place's identity with Offset = From.
	At Position
	// From is the offset of Data's first byte; To the offset after the last byte that Data stands for. They differ
	// by more than len(Data) only for a cut line.
	From, To int64
	// Data is whole lines, each ended by a newline but for the last line of a finished place, or one cut line.
	Data []byte
	// CutFrom, when not zero, says that Data is the kept beginning of one line of CutFrom bytes, without a newline.
	CutFrom int64
	// Gap, when not nil, tells bytes of this place, from From to To, that nobody reads; Data is empty then.
	Gap *Gap
}

// Position is a place in a file that survives a restart.
type Position struct {
	Source string `json:"source"`
	Path   string `json:"path"`
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	// Print is the CRC-64 (ECMA) of the place's first PrintLen bytes; PrintLen grows with the file to a limit.
	Print    uint64 `json:"print"`
	PrintLen int    `json:"print_len"`
	// PrintAt is the offset of those bytes: behind the hole that a stale writer left, else 0.
	PrintAt int64 `json:"print_at,omitempty"`
	Offset  int64 `json:"offset"`
	// Born is when the file with Inode was made, in nanoseconds of Unix time, which tells it from a later one with the
	// same number; 0 where the file system does not say.
	Born int64 `json:"born,omitempty"`
	// Modified is when the place was last written, by an earlier look, in nanoseconds of Unix time: what was written
	// since was written later. 0 where it is not known.
	Modified int64 `json:"modified,omitempty"`
	// Size is how much the place had then, or less.
	Size int64 `json:"size,omitempty"`
	// Packed, when not empty, says how the file is compressed, by the ending of its name without the dot. Device and
	// Inode are then those of the compressed file; Print and Offset count what it holds.
	Packed string `json:"packed,omitempty"`
	// Over says that nothing more is to come of the place: what is missing of it was told. It then only tells what is
	// younger.
	Over bool `json:"over,omitempty"`
}

// Gap is a run of bytes that is not read.
type Gap struct {
	Source, Path string
	// Bytes is how many; AtLeast says that more may have been written that nobody saw.
	Bytes   int64
	AtLeast bool
	// Reason is one of the wire.Reason words.
	Reason string
}

package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
)

// MaxReplayPieces bounds the pieces of one answer to Replay.
const MaxReplayPieces = 1024

// Replayed answers Replay for the numbers From to To, where To may be less than what was asked for: the rest is for
// another question. What is in no piece the agent does not know any more.
type Replayed struct {
	Session  string
	Epoch    uint64
	From, To uint64
	// Pieces are in the order of the numbers.
	Pieces []ReplayPiece
	// RawSize is the size of the frames before compression.
	RawSize uint64
	// Block is one zstd block of the frames of all pieces, each ended by a newline.
	Block []byte
}

// ReplayPiece is one item of the session as it was sent, or as it can still be made.
type ReplayPiece struct {
	// First and Count say which numbers it has; for lost bytes Count is 0 and First the number that comes next.
	First uint64 `json:"first"`
	Count uint64 `json:"count,omitempty"`
	// Gap is set for a piece that has no frames.
	Gap *Control `json:"gap,omitempty"`
}

// AppendReplayed appends the link message of r.
func AppendReplayed(dst []byte, r *Replayed) ([]byte, error) {
	pieces, err := json.Marshal(r.Pieces)
	if err != nil {
		return nil, fmt.Errorf("encode replayed: %w", err)
	}
	dst = append(dst, LinkVersion, byte(LinkReplayed))
	dst = appendText(dst, r.Session)
	for _, n := range []uint64{r.Epoch, r.From, r.To, r.RawSize} {
		dst = binary.AppendUvarint(dst, n)
	}
	dst = appendText(dst, string(pieces))
	return append(dst, r.Block...), nil
}

// ParseReplayed reads the body of a replayed message and checks that its pieces are in order. Block aliases body.
func ParseReplayed(body []byte) (Replayed, error) {
	var out Replayed
	r := reader{data: body}
	out.Session = r.text()
	for _, field := range []*uint64{&out.Epoch, &out.From, &out.To, &out.RawSize} {
		*field = r.uvarint()
	}
	pieces := r.text()
	out.Block = r.data
	if r.err != nil {
		return Replayed{}, fmt.Errorf("parse replayed: %w", r.err)
	}
	if err := json.Unmarshal([]byte(pieces), &out.Pieces); err != nil {
		return Replayed{}, fmt.Errorf("parse replayed: %w", err)
	}
	if err := out.check(); err != nil {
		return Replayed{}, fmt.Errorf("parse replayed: %w", err)
	}
	return out, nil
}

// check says what is wrong with the sizes and the order of an answer.
func (r *Replayed) check() error {
	switch {
	case r.RawSize > MaxBatchBytes:
		return fmt.Errorf("%d bytes of frames, at most %d allowed", r.RawSize, MaxBatchBytes)
	case r.From == 0 || r.To < r.From:
		return fmt.Errorf("events %d to %d", r.From, r.To)
	case len(r.Pieces) > MaxReplayPieces:
		return fmt.Errorf("%d pieces, at most %d allowed", len(r.Pieces), MaxReplayPieces)
	}
	next, frames := uint64(1), uint64(0)
	for i := range r.Pieces {
		p := &r.Pieces[i]
		switch {
		case p.First < next || p.First > r.To+1 || p.Count > r.To+1-p.First:
			return fmt.Errorf("piece %d of %d has the events %d and %d more, want them from %d to %d", i+1,
				len(r.Pieces), p.First, p.Count, next, r.To)
		case p.Gap == nil && p.Count == 0:
			return fmt.Errorf("piece %d of %d is empty", i+1, len(r.Pieces))
		case p.Gap != nil && p.Gap.Reason == "":
			return fmt.Errorf("piece %d of %d has no reason", i+1, len(r.Pieces))
		case p.Gap == nil:
			frames += p.Count
		}
		next = p.First + p.Count
	}
	if frames > r.RawSize {
		return fmt.Errorf("%d frames in %d bytes", frames, r.RawSize)
	}
	return nil
}

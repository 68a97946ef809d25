package uplink

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	"github.com/spilelog/spile/wire"
)

const (
	// keptItems and keptBytes bound what an outbox remembers of items that were acknowledged, which lasts as long as the
	// session at the most. Items are of up to wire.BatchBytes of frames each, so that a busy session can be taken up
	// about half a gigabyte behind its end.
	keptItems = 8192
	keptBytes = 2 << 20
	// itemBytes, placeBytes and rangeBytes are about what the parts of a record take in memory. What a place is called
	// is shared by the records that name it.
	itemBytes  = 160
	placeBytes = 48
	rangeBytes = 32
	// answerBytes is the size of the descriptions of pieces that makes an answer full, so that a message that has as
	// many frames as a batch holds them too.
	answerBytes = 32 << 10
	// A description takes at most framesBytes, or gapBytes and what the name of the file does when it is escaped.
	framesBytes = 64
	gapBytes    = 512
	escapedByte = 6
)

// keeper holds the records of acknowledged items, the oldest first, within its bounds.
type keeper struct {
	items []Item
	bytes int
}

// recordBytes is about what a record takes.
func recordBytes(it *Item) int {
	n := itemBytes + placeBytes*len(it.Places) + rangeBytes*len(it.Ranges)
	if it.Gap != nil {
		n += itemBytes + len(it.Gap.File)
	}
	return n
}

// add keeps one more record, in place of the oldest ones if there are too many.
func (k *keeper) add(it Item) {
	k.items = append(k.items, it)
	k.bytes += recordBytes(&it)
	for len(k.items) > keptItems || k.bytes > keptBytes {
		k.bytes -= recordBytes(&k.items[0])
		k.items[0] = Item{}
		k.items = k.items[1:]
	}
}

// shareNames lets records that name the same place hold its name once.
func shareNames(items []Item) {
	names := map[string]json.RawMessage{}
	for i := range items {
		for j := range items[i].Places {
			at := &items[i].Places[j].At
			if known, ok := names[string(*at)]; ok {
				*at = known
			} else {
				names[string(*at)] = *at
			}
		}
	}
}

// last is the last number of a record, or the one before the first where it has none.
func (it *Item) last() uint64 { return it.First + it.Count - 1 }

// Replay makes again what was sent before, as far as it is remembered and its bytes are still there, and returns the
// link message with the answer, or ErrLater. Numbers, accounts and what is under way stay as they are.
func (o *Outbox) Replay(ask *wire.Replay) ([]byte, error) {
	out := wire.Replayed{
		Session: o.opts.Session, Epoch: ask.Epoch, From: ask.From, To: ask.To, Pieces: []wire.ReplayPiece{},
	}
	var frames []byte
	if ask.Epoch == o.epoch {
		var err error
		if frames, err = o.replay(ask, &out); err != nil {
			return nil, err
		}
	}
	out.RawSize, out.Block = uint64(len(frames)), o.opts.Encoder.EncodeAll(frames, nil)
	return wire.AppendReplayed(nil, &out)
}

// replay fills in the pieces of an answer and returns their frames.
func (o *Outbox) replay(ask *wire.Replay, out *wire.Replayed) ([]byte, error) {
	var frames []byte
	told := 0
	for i := o.firstRecord(ask.From); i < len(o.kept.items)+len(o.items); i++ {
		rec := o.recordAt(i)
		if rec.Number >= ask.Before || rec.First > ask.To+1 || rec.First > ask.To && rec.Count > 0 {
			break
		}
		full := told >= answerBytes
		if full && rec.First <= ask.From && rec.Count == 0 {
			continue // an answer without an event would be no step
		}
		if full && rec.First > ask.From || len(frames) >= wire.BatchBytes {
			out.To = rec.First - 1
			break
		}
		more, gap, err := o.again(rec)
		if err != nil {
			return nil, err
		}
		if len(frames) > 0 && len(frames)+len(more) > wire.MaxBatchBytes {
			out.To = rec.First - 1
			break
		}
		frames = append(frames, more...)
		out.Pieces = append(out.Pieces, wire.ReplayPiece{First: rec.First, Count: rec.Count, Gap: gap})
		told += pieceBytes(gap)
		out.To = max(out.To, rec.last())
	}
	return frames, nil
}

// firstRecord is the index of the first record that has number from or stands behind it.
func (o *Outbox) firstRecord(from uint64) int {
	return sort.Search(len(o.kept.items)+len(o.items), func(i int) bool {
		rec := o.recordAt(i)
		return rec.First >= from || rec.last() >= from
	})
}

// recordAt is the record with an index among those of acknowledged and of other items.
func (o *Outbox) recordAt(i int) *Item {
	if i < len(o.kept.items) {
		return &o.kept.items[i]
	}
	return &o.items[i-len(o.kept.items)].rec
}

// pieceBytes is what the description of a piece takes at most.
func pieceBytes(gap *wire.Control) int {
	if gap == nil {
		return framesBytes
	}
	return gapBytes + escapedByte*len(gap.File)
}

// again makes the frames of an item from its record, or the gap that it is, or that stands for a batch whose bytes are
// gone.
func (o *Outbox) again(rec *Item) ([]byte, *wire.Control, error) {
	if rec.Gap != nil {
		return nil, rec.Gap, nil
	}
	members, err := o.rebuild(rec)
	if err == nil {
		return o.reframe(rec.First, members), nil, nil
	}
	if errors.Is(err, ErrLater) {
		return nil, nil, err
	}
	o.opts.Log.Warn("batch_replay_failed", "session", o.opts.Session, "item", rec.Number, "count", rec.Count,
		"reason", err.Error())
	return nil, o.gapOf(rec, wire.ReasonReplayLost), nil
}

// rebuild makes the members of a batch's frames.
func (o *Outbox) rebuild(rec *Item) ([][]byte, error) {
	members, err := o.opts.Rebuild(rec)
	if err == nil && uint64(len(members)) != rec.Count {
		err = fmt.Errorf("rebuild batch: %d events, want %d", len(members), rec.Count)
	}
	return members, err
}

// gapOf is the gap that stands for a batch.
func (o *Outbox) gapOf(rec *Item, reason string) *wire.Control {
	return &wire.Control{
		Type: "control", Event: wire.EventGap, Reason: reason, Agent: o.opts.AgentID, Epoch: o.epoch,
		From: rec.First, To: rec.last(), Count: rec.Count, Unit: wire.UnitEvents,
		Stage: wire.StageOfGap(reason, wire.UnitEvents),
	}
}

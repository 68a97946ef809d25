package uplink

import (
	"errors"
	"slices"
	"strconv"

	"github.com/spilelog/spile/wire"
)

// Ack takes the server's acknowledgement and credit.
func (o *Outbox) Ack(ack wire.Ack) {
	if ack.Epoch != o.epoch {
		return
	}
	o.credit, o.attached = ack.Credit, ack.Attached
	done := 0
	for done < len(o.items) && o.items[done].rec.Number <= ack.Item {
		if done < o.sent {
			o.flying -= o.items[done].cost
		}
		done++
	}
	for i := range done {
		o.kept.add(o.items[i].rec)
	}
	if done > 0 {
		// A recovered item may be acknowledged unsent, because it was sent before the process died; it counts as sent.
		o.items = slices.Delete(o.items, 0, done)
		o.sent = max(o.sent-done, 0)
		o.state.Acked, o.touched = ack.Item, true
	}
	if ack.Resend {
		o.sent, o.flying = 0, 0
	}
}

// Detach forgets what was on the link: the connection is gone. Everything unacknowledged is sent again once the
// server grants credit.
func (o *Outbox) Detach() { o.sent, o.flying, o.credit, o.attached = 0, 0, 0, false }

// Open is the report with which a session is (again) announced to the server.
func (o *Outbox) Open(lostEpoch uint64) wire.Report {
	r := wire.Report{
		Session: o.opts.Session, State: wire.ReportOpen, Epoch: o.epoch, LostEpoch: lostEpoch,
		NextItem: o.state.NextItem, NextSeq: o.firstUnjournalled(), Accounts: o.Accounts(), Replays: true,
	}
	if len(o.items) > 0 {
		r.NextItem, r.NextSeq = o.items[0].rec.Number, o.items[0].rec.First
	}
	return r
}

// firstUnjournalled is the number of the first event that no item stands for.
func (o *Outbox) firstUnjournalled() uint64 {
	if o.state.OpenGap != nil {
		return o.state.OpenGap.From
	}
	return o.state.NextSeq - o.item.Count
}

// Pump sends what credit and room on the link allow. It says whether everything queued was sent.
func (o *Outbox) Pump(link Sender) bool {
	if !o.attached {
		return len(o.items) == o.sent
	}
	for o.sent < len(o.items) {
		it := &o.items[o.sent]
		if it.msg == nil && !o.build(it) {
			return false
		}
		if o.flying > 0 && o.flying+it.cost > o.credit || !link.Send(it.msg) {
			return false
		}
		o.flying += it.cost
		it.once = true
		o.sent++
	}
	return true
}

// build makes the message of a recovered item or a gap. A batch whose bytes are gone becomes one gap in its place. It
// is false where that cannot be told now.
func (o *Outbox) build(it *outItem) bool {
	if it.rec.Gap == nil {
		members, err := o.rebuild(&it.rec)
		if err == nil {
			frames := o.reframe(it.rec.First, members)
			it.msg, it.cost = o.encode(&it.rec, frames), uint64(len(frames))
			return true
		}
		if errors.Is(err, ErrLater) {
			return false
		}
		o.opts.Log.Warn("batch_rebuild_failed", "session", o.opts.Session, "item", it.rec.Number,
			"count", it.rec.Count, "reason", err.Error())
		o.giveUp(it, wire.ReasonReplayLost)
		// Else the next life would give it up once more. The state is left to whoever knows that it is not ahead.
		o.written(o.opts.Journal.Append(&it.rec, nil, nil))
	}
	msg, err := wire.AppendLink(nil, wire.LinkGap, wire.GapItem{
		Session: o.opts.Session, Epoch: o.epoch, Item: it.rec.Number, Gap: *it.rec.Gap,
	})
	if err != nil {
		o.opts.Log.Error("gap_encode_failed", "session", o.opts.Session, "reason", err.Error())
	}
	it.msg = msg
	it.cost = uint64(len(it.msg))
	return true
}

// giveUp turns a batch that cannot be sent any more into a gap.
func (o *Outbox) giveUp(it *outItem, reason string) {
	it.rec.Gap = o.gapOf(&it.rec, reason)
	it.rec.Places, it.rec.Ranges = nil, nil
	giveUp(&o.state.Accounts, &it.rec)
	o.touched = true
}

// reframe makes the frames of a batch from the members of its events.
func (o *Outbox) reframe(first uint64, members [][]byte) []byte {
	var frames []byte
	for i, m := range members {
		frames = o.appendFrame(frames, m, first+uint64(i))
	}
	return frames
}

// appendFrame appends the frame, with its newline, of the event with the given members and number.
func (o *Outbox) appendFrame(dst, members []byte, seq uint64) []byte {
	dst = append(dst, `{"type":"log",`...)
	dst = append(dst, members...)
	dst = append(dst, o.tail...)
	dst = strconv.AppendUint(dst, seq, 10)
	return append(dst, '}', '\n')
}

// unsentEvents counts the events in sealed batches that were never on the link.
func (o *Outbox) unsentEvents() uint64 {
	var n uint64
	for i := range o.items {
		if !o.items[i].once && o.items[i].rec.Gap == nil {
			n += o.items[i].rec.Count
		}
	}
	return n
}

// Accounts is the session's equation now. It closes if [Outbox.Advance] was called for everything that was added or
// dropped. The caller owns the maps.
func (o *Outbox) Accounts() wire.AgentAccounts {
	a := cloneAccounts(o.state.Accounts)
	unsent := o.unsentEvents()
	a.Sent -= unsent
	a.Pending = unsent + o.item.Count
	return a
}

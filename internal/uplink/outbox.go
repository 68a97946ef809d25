package uplink

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/wire"
)

// rewritePause is how long a journal that could not be rewritten is left alone.
const rewritePause = time.Second

// maxRanges bounds the ranges of one batch, and so the size of its journal record.
const maxRanges = 512

// ErrLater is what Rebuild returns where it cannot tell now whether a batch's bytes are gone.
var ErrLater = errors.New("cannot be told now")

// Sender takes one message for the link and says whether it found room; [Link] is one.
type Sender interface {
	Send(msg []byte) bool
}

// What is sealed and not sent is bounded by spareItems and about spareBytes: two full batches, and room as for a third
// for those who have little to say.
const (
	spareItems = 128
	spareBytes = 3 * wire.BatchBytes
)

// OutboxOptions says what an outbox sends and with what it begins.
type OutboxOptions struct {
	Session string
	AgentID string
	// Journal records each item before it is sent. The outbox owns it.
	Journal *Journal
	// Recovered is what the journal held, or a fresh epoch with the first marks.
	Recovered *Recovered
	// Encoder compresses batches; it may be shared.
	Encoder *zstd.Encoder
	// Rebuild makes the members of the frames of a recovered batch again, one for each event, from its record. An error
	// says that its bytes are gone, but for ErrLater.
	Rebuild func(item *Item) ([][]byte, error)
	// Journalled is told of the first failure to write the journal, and with nil when it is written again; nil tells
	// nobody.
	Journalled func(error)
	Log        *slog.Logger
}

// Outbox numbers, packs, journals, sends and keeps a session's events. It belongs to one goroutine.
type Outbox struct {
	opts  OutboxOptions
	epoch uint64
	known int64 // Recovered.KnownMS
	state State
	tail  []byte // what stands between a frame's members and its number

	frames  []byte // the frames of the batch in the making
	item    Item   // its record
	passed  uint64 // events that passed since the last Advance
	dirty   []Mark // marks since the last record
	touched bool   // the state changed since the last record

	kept   keeper    // what is remembered of acknowledged items
	items  []outItem // not acknowledged, in order
	sent   int       // items[:sent] are on the link
	flying uint64    // what items[:sent] cost
	credit uint64
	// attached says whether anybody watches; nothing is sent and nothing should be read otherwise.
	attached bool
	failed   bool // the last journal write failed
	// triedAt is when the journal could not be written, zero since it was rewritten.
	triedAt time.Time
}

// outItem is one item that is not acknowledged.
type outItem struct {
	rec  Item
	msg  []byte // nil for a recovered item that was not built again yet
	cost uint64
	once bool // was on the link before: a resend does not count as sent again
}

// NewOutbox makes an outbox and writes its journal anew. Where there is no room for that it goes on from memory.
func NewOutbox(opts OutboxOptions) (*Outbox, error) {
	rec := opts.Recovered
	o := &Outbox{opts: opts, epoch: rec.Epoch, known: rec.KnownMS, state: rec.State}
	o.state.Accounts = cloneAccounts(rec.State.Accounts)
	o.state.NextSeq, o.state.NextItem = max(o.state.NextSeq, 1), max(o.state.NextItem, 1)
	o.tail = fmt.Appendf(nil, `,"agent":%q,"epoch":%d,"seq":`, opts.AgentID, rec.Epoch)
	for _, it := range rec.Kept {
		o.kept.add(it)
	}
	for _, it := range rec.Items {
		o.items = append(o.items, outItem{rec: it})
	}
	if err := o.rewrite(rec.Marks); err != nil {
		// What an earlier process left may be read no more, once numbers are given that are not in it.
		if again := opts.Journal.empty(); again != nil {
			return nil, errors.Join(err, again)
		}
		o.journalFailed(err)
	}
	return o, nil
}

// Attached says whether anybody watches the session.
func (o *Outbox) Attached() bool { return o.attached }

// Epoch is the numbering that the outbox is in.
func (o *Outbox) Epoch() uint64 { return o.epoch }

// Accepting says whether [Outbox.Add] may be called now. If not, the caller waits for credit, or drops.
func (o *Outbox) Accepting() bool {
	unsent := len(o.items) - o.sent
	if o.state.OpenGap != nil {
		return unsent == 0
	}
	return unsent == 0 || !o.Full()
}

// Spare says whether [Outbox.Add] may be called although the outbox is not accepting, for an event of somebody who had
// little so far: beyond what others fill there is always some room for those.
func (o *Outbox) Spare() bool {
	unsent := o.items[o.sent:]
	size := uint64(len(o.frames))
	for i := range unsent {
		size += unsent[i].cost
	}
	return len(unsent) < spareItems && size < spareBytes
}

// Full says whether the batch in the making should be sealed.
func (o *Outbox) Full() bool {
	return len(o.frames) >= wire.BatchBytes || len(o.item.Ranges) >= maxRanges
}

// Empty says whether no event waits in the batch in the making.
func (o *Outbox) Empty() bool { return o.item.Count == 0 }

// BatchTime is the time that lines without one of their own carry in the present batch.
func (o *Outbox) BatchTime(now time.Time) time.Time {
	if o.item.Count == 0 { // also where it was asked for earlier, for a line that did not pass
		o.item.AtMS = now.UnixMilli()
	}
	return time.UnixMilli(o.item.AtMS)
}

// Add numbers one event and puts its frame, whose members are given, into the batch. Line says where it stands, so
// that the frame can be made again. It may be called only while the outbox is accepting.
func (o *Outbox) Add(members []byte, place Mark, line Range) {
	if o.state.OpenGap != nil {
		o.closeGap()
	}
	if o.item.Count == 0 {
		o.item.First = o.state.NextSeq
	}
	o.frames = o.appendFrame(o.frames, members, o.state.NextSeq)
	o.item.addRange(place, line)
	o.item.Count++
	o.state.NextSeq++
	o.passed++
}

// addRange records where one more line stands, joined to the range before it where they touch.
func (it *Item) addRange(place Mark, line Range) {
	index := len(it.Places) - 1
	for index >= 0 && it.Places[index].Place != place.Place {
		index--
	}
	if index < 0 {
		it.Places = append(it.Places, place)
		index = len(it.Places) - 1
	}
	line.Place = index
	if n := len(it.Ranges); n > 0 && line.CutFrom == 0 {
		last := &it.Ranges[n-1]
		if last.Place == index && last.CutFrom == 0 && last.To == line.From && last.Context == line.Context {
			last.To = line.To
			return
		}
	}
	it.Ranges = append(it.Ranges, line)
}

// Records says whether dropping an event for reason, or adding one if reason is empty, first makes an item of what is
// there. [Outbox.Advance] must then have been called for everything before that event, since the item's record holds
// the marks: a process that dies after it goes on from them.
func (o *Outbox) Records(reason string) bool {
	return o.state.OpenGap != nil && o.state.OpenGap.Reason != reason || reason != "" && o.item.Count > 0
}

// Drop numbers one event that passed and will not be sent. Only what was sealed before may stand before it.
func (o *Outbox) Drop(reason string) {
	if o.item.Count > 0 {
		o.Seal()
	}
	if g := o.state.OpenGap; g != nil && g.Reason != reason {
		o.closeGap()
	}
	if o.state.OpenGap == nil {
		o.state.OpenGap = &OpenGap{From: o.state.NextSeq, Reason: reason}
	}
	o.state.OpenGap.To = o.state.NextSeq
	o.state.Accounts.Dropped[reason]++
	o.state.NextSeq++
	o.passed++
	o.touched = true
}

// Advance says that the reader has finished with everything up to mark, in which it saw so many lines.
func (o *Outbox) Advance(mark Mark, seen uint64) {
	o.state.Accounts.Seen += seen
	o.state.Accounts.Filtered += seen - o.passed
	o.passed = 0
	o.move(mark)
}

// move notes how far the reader has come in one place, for the next record.
func (o *Outbox) move(mark Mark) {
	o.touched = true
	for i := range o.dirty {
		if o.dirty[i].Place == mark.Place {
			o.dirty[i] = mark
			return
		}
	}
	o.dirty = append(o.dirty, mark)
}

// CountTruncated counts one line that was cut.
func (o *Outbox) CountTruncated() { o.state.Accounts.TruncatedLines++ }

// Lost announces bytes that were never read, as an item of its own. The reader goes on behind them, from mark: the two
// are one record, or a process that died between them would announce the bytes again, or never. [Outbox.Advance] must
// have been called for everything before them.
func (o *Outbox) Lost(gap wire.Control, mark Mark) {
	if o.item.Count > 0 {
		o.Seal()
	}
	if o.state.OpenGap != nil {
		o.closeGap()
	}
	o.state.Accounts.LostBytes[gap.Reason] += gap.Count
	o.move(mark)
	o.pushGap(gap, 0)
}

// closeGap makes an item of the open gap.
func (o *Outbox) closeGap() {
	g := o.state.OpenGap
	o.state.OpenGap = nil
	o.pushGap(wire.Control{Reason: g.Reason, From: g.From, To: g.To, Count: g.To - g.From + 1, Unit: wire.UnitEvents},
		g.To-g.From+1)
}

// CloseGap makes an item of the open gap if there is one and nothing waits before it.
func (o *Outbox) CloseGap() {
	if o.state.OpenGap != nil && o.sent == len(o.items) {
		o.closeGap()
	}
}

// pushGap queues a gap that covers so many numbers.
func (o *Outbox) pushGap(gap wire.Control, numbers uint64) {
	gap.Type, gap.Event = "control", wire.EventGap
	gap.Agent, gap.Epoch, gap.Stage = o.opts.AgentID, o.epoch, wire.StageOfGap(gap.Reason, gap.Unit)
	it := Item{Number: o.state.NextItem, First: gap.From, Count: numbers, Gap: &gap}
	if numbers == 0 {
		it.First = o.state.NextSeq
	}
	o.state.NextItem++
	o.record(&it)
	o.items = append(o.items, outItem{rec: it, once: true})
}

// Seal ends the batch in the making: it is compressed, journalled and queued. [Outbox.Advance] must have been called
// for everything in it.
func (o *Outbox) Seal() {
	if o.item.Count == 0 {
		return
	}
	it := o.item
	it.Number = o.state.NextItem
	o.state.NextItem++
	o.state.Accounts.Sent += it.Count
	msg := o.encode(&it, o.frames)
	o.record(&it)
	o.items = append(o.items, outItem{rec: it, msg: msg, cost: uint64(len(o.frames))})
	o.item, o.frames = Item{}, o.frames[:0]
}

// encode makes the link message of a batch.
func (o *Outbox) encode(it *Item, frames []byte) []byte {
	return wire.AppendBatch(nil, &wire.Batch{
		Session: o.opts.Session,
		Epoch:   o.epoch,
		Item:    it.Number,
		First:   it.First,
		Count:   it.Count,
		RawSize: uint64(len(frames)),
		Block:   o.opts.Encoder.EncodeAll(frames, nil),
	})
}

// Checkpoint records the state if it changed since the last record. While events wait in the batch in the making the
// state is ahead of what any item stands for, and is left to the record of that batch.
func (o *Outbox) Checkpoint() {
	if o.touched && o.Empty() {
		o.record(nil)
	}
}

// Due says whether the journal should be rewritten at the next moment at which all marks are known and no event waits
// in the batch in the making.
func (o *Outbox) Due() bool {
	return o.opts.Journal.Full() && (o.triedAt.IsZero() || time.Since(o.triedAt) >= rewritePause)
}

// Rewrite replaces the journal by the present state with the given marks, which are all there are. It may be called
// only while no event waits in the batch in the making.
func (o *Outbox) Rewrite(marks []Mark) {
	if err := o.rewrite(marks); err != nil {
		o.journalFailed(err)
	}
}

// rewrite writes the journal anew.
func (o *Outbox) rewrite(marks []Mark) error {
	rec := &Recovered{Epoch: o.epoch, KnownMS: o.known, State: o.state, Marks: marks, Kept: o.kept.items}
	for i := range o.items {
		rec.Items = append(rec.Items, o.items[i].rec)
	}
	if err := o.opts.Journal.Rewrite(o.opts.Session, rec); err != nil {
		o.triedAt = time.Now()
		return err
	}
	o.triedAt = time.Time{}
	o.dirty, o.touched = o.dirty[:0], false
	o.journalWorks()
	return nil
}

// record writes one journal record. Without room on the disk the session goes on from memory, which is told.
func (o *Outbox) record(it *Item) {
	if o.written(o.opts.Journal.Append(it, &o.state, o.dirty)) {
		o.dirty, o.touched = o.dirty[:0], false
	}
}

// written takes the result of writing a record and says whether it was good.
func (o *Outbox) written(err error) bool {
	if err == nil {
		o.journalWorks()
		return true
	}
	if !errors.Is(err, errVoid) {
		o.triedAt = time.Now()
	}
	o.journalFailed(err)
	return false
}

// journalFailed tells once that the journal cannot be written.
func (o *Outbox) journalFailed(err error) {
	if !o.failed {
		o.opts.Log.Error("journal_write_failed", "session", o.opts.Session, "reason", err.Error())
		o.tell(err)
	}
	o.failed = true
}

// journalWorks tells once that the journal can be written again.
func (o *Outbox) journalWorks() {
	if o.failed {
		o.opts.Log.Info("journal_written_again", "session", o.opts.Session)
		o.tell(nil)
	}
	o.failed = false
}

// tell tells the owner how writing the journal goes.
func (o *Outbox) tell(err error) {
	if o.opts.Journalled != nil {
		o.opts.Journalled(err)
	}
}

// Close flushes and keeps the journal, for a process that will come back.
func (o *Outbox) Close() error {
	o.Checkpoint()
	return o.opts.Journal.Close()
}

// cloneAccounts is a copy whose maps are its own and not nil.
func cloneAccounts(a wire.AgentAccounts) wire.AgentAccounts {
	a.Dropped, a.LostBytes = maps.Clone(a.Dropped), maps.Clone(a.LostBytes)
	if a.Dropped == nil {
		a.Dropped = map[string]uint64{}
	}
	if a.LostBytes == nil {
		a.LostBytes = map[string]uint64{}
	}
	return a
}

package hub_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

const (
	agentID   = "00000000-0000-4000-8000-00000000000a"
	otherID   = "00000000-0000-4000-8000-00000000000b"
	sessionID = "sess_test"
)

// fakeAgent is an agent without a link: it speaks over the fabric as agentlink would, and keeps what is not
// acknowledged, so that it can send it again.
type fakeAgent struct {
	tb    testing.TB
	fab   fabric.Fabric
	id    string
	uuid  [16]byte
	enc   *zstd.Encoder
	epoch uint64
	item  uint64 // next
	seq   uint64 // next
	pad   string
	// session is the session that it speaks of.
	session string
	sent    map[uint64][]byte
	sizes   map[uint64]int
	resend  bool

	// mu guards what follows; changed is closed and replaced with each ack.
	mu      sync.Mutex
	ack     wire.Ack
	acks    int
	changed chan struct{}
	// pieces are what was sent, for replays; forgot is the number before which they are forgotten. A mute agent answers
	// no questions.
	pieces []sentPiece
	forgot uint64
	mute   bool
	asked  int
}

// sentPiece is what was sent in one item.
type sentPiece struct {
	wire.ReplayPiece
	epoch uint64
}

// newFakeAgent listens for acknowledgements and opens the session.
func newFakeAgent(tb testing.TB, fab fabric.Fabric, id string) *fakeAgent {
	tb.Helper()
	return newFakeAgentOf(tb, fab, id, sessionID)
}

// newFakeAgentOf is an agent of some session.
func newFakeAgentOf(tb testing.TB, fab fabric.Fabric, id, session string) *fakeAgent {
	tb.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		tb.Fatal(err)
	}
	uuid, err := wire.ParseUUID(id)
	if err != nil {
		tb.Fatal(err)
	}
	a := &fakeAgent{
		tb: tb, fab: fab, id: id, uuid: uuid, enc: enc, epoch: 1, item: 1, seq: 1, session: session,
		sent: map[uint64][]byte{}, sizes: map[uint64]int{}, changed: make(chan struct{}),
	}
	_, err = fab.Subscribe("agent."+id+".ack", 1024, func(data []byte) []byte {
		kind, body, err := wire.SplitLink(data)
		if kind == wire.LinkReplay {
			a.answer(body)
			return nil
		}
		var ack wire.Ack
		if err == nil {
			err = json.Unmarshal(body, &ack)
		}
		if err != nil {
			tb.Errorf("ack: %v", err)
			return nil
		}
		if ack.Session != a.session {
			return nil
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if ack.Epoch == a.ack.Epoch && ack.Item < a.ack.Item {
			tb.Errorf("ack went back from %d to %d", a.ack.Item, ack.Item)
		}
		a.ack = ack
		a.resend = a.resend || ack.Resend
		a.acks++
		close(a.changed)
		a.changed = make(chan struct{})
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// publish sends a link message to the session. The answer to a late question may find that the test is over.
func (a *fakeAgent) publish(data []byte) {
	err := a.fab.Publish("session."+a.session+".data", append(a.uuid[:len(a.uuid):len(a.uuid)], data...))
	if err != nil && !errors.Is(err, fabric.ErrClosed) {
		a.tb.Errorf("publish: %v", err)
	}
}

// report sends a report.
func (a *fakeAgent) report(state wire.ReportState, change func(*wire.Report)) {
	r := wire.Report{Session: a.session, State: state, Epoch: a.epoch, NextItem: a.item, NextSeq: a.seq}
	r.Accounts.Seen, r.Accounts.Sent = a.seq-1, a.seq-1
	if change != nil {
		change(&r)
	}
	data, err := wire.AppendLink(nil, wire.LinkReport, r)
	if err != nil {
		a.tb.Fatal(err)
	}
	a.publish(data)
}

// frame is a log frame with a number.
func (a *fakeAgent) frame(dst []byte, seq uint64) []byte {
	return appendFrame(dst, wire.Position{Agent: a.uuid, Epoch: a.epoch, Seq: seq}, a.pad)
}

// appendFrame appends the log frame at a position.
func appendFrame(dst []byte, at wire.Position, pad string) []byte {
	return fmt.Appendf(dst, `{"type":"log","timestamp":"2026-01-02T03:04:05.678Z","level":"INFO","source":"s",`+
		`"message":"event %d%s","metadata":{},"agent":"%s","epoch":%d,"seq":%d}`+"\n", at.Seq, pad, wire.FormatUUID(at.Agent), at.Epoch, at.Seq)
}

// answer answers a question, with a few events at a time.
func (a *fakeAgent) answer(body []byte) {
	const most = 40
	var ask wire.Replay
	if err := json.Unmarshal(body, &ask); err != nil {
		a.tb.Errorf("replay: %v", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	close(a.changed)
	a.changed = make(chan struct{})
	out := wire.Replayed{Session: ask.Session, Epoch: ask.Epoch, From: ask.From, To: ask.To}
	var frames []byte
	count := uint64(0)
	for _, p := range a.pieces {
		if p.epoch != ask.Epoch || p.First+p.Count <= ask.From || p.First > ask.To || p.First < a.forgot {
			continue
		}
		if count >= most {
			out.To = p.First - 1
			break
		}
		for seq := p.First; p.Gap == nil && seq < p.First+p.Count; seq++ {
			frames = appendFrame(frames, wire.Position{Agent: a.uuid, Epoch: ask.Epoch, Seq: seq}, "")
		}
		count += p.Count
		out.Pieces = append(out.Pieces, p.ReplayPiece)
		out.To = max(out.To, p.First+p.Count-1)
	}
	out.RawSize, out.Block = uint64(len(frames)), a.enc.EncodeAll(frames, nil)
	data, err := wire.AppendReplayed(nil, &out)
	if err != nil {
		a.tb.Errorf("replay: %v", err)
	}
	if !a.mute {
		a.publish(data)
	}
}

// set changes how the agent answers.
func (a *fakeAgent) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

// able says in a report that the agent replays.
func able(r *wire.Report) { r.Replays = true }

// batch makes the next item, of count frames, and keeps it.
func (a *fakeAgent) batch(count int) uint64 {
	var frames []byte
	for i := range count {
		frames = a.frame(frames, a.seq+uint64(i))
	}
	data := wire.AppendBatch(nil, &wire.Batch{
		Session: a.session, Epoch: a.epoch, Item: a.item, First: a.seq, Count: uint64(count),
		RawSize: uint64(len(frames)), Block: a.enc.EncodeAll(frames, nil),
	})
	return a.keep(data, wire.ReplayPiece{First: a.seq, Count: uint64(count)}, len(frames))
}

// gap makes the next item, a gap of count events, and keeps it.
func (a *fakeAgent) gap(count uint64) uint64 {
	gap := wire.Control{
		Type: "control", Event: wire.EventGap, Agent: a.id, Epoch: a.epoch, From: a.seq, To: a.seq + count - 1,
		Count: count, Unit: wire.UnitEvents, Reason: wire.ReasonBufferOverrun,
	}
	data, err := wire.AppendLink(nil, wire.LinkGap, wire.GapItem{
		Session: a.session, Epoch: a.epoch, Item: a.item, Gap: gap,
	})
	if err != nil {
		a.tb.Fatal(err)
	}
	return a.keep(data, wire.ReplayPiece{First: a.seq, Count: count, Gap: &gap}, 0)
}

// keep keeps an item for resends.
func (a *fakeAgent) keep(data []byte, piece wire.ReplayPiece, size int) uint64 {
	a.set(func() { a.pieces = append(a.pieces, sentPiece{piece, a.epoch}) })
	item := a.item
	a.sent[item], a.sizes[item] = data, size
	a.item++
	a.seq += piece.Count
	return item
}

// send publishes one kept item.
func (a *fakeAgent) send(item uint64) { a.publish(a.sent[item]) }

// lastAck is the newest acknowledgement and a channel that tells of a newer one.
func (a *fakeAgent) lastAck() (wire.Ack, <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ack, a.changed
}

// await waits until an acknowledgement satisfies want.
func (a *fakeAgent) await(want func(wire.Ack) bool) {
	a.tb.Helper()
	deadline := time.After(10 * time.Second)
	for {
		ack, changed := a.lastAck()
		if want(ack) {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			a.tb.Fatalf("no such acknowledgement, last %+v", ack)
		}
	}
}

// newHub is a hub with one session, and its fabric; both are closed with the test.
func newHub(tb testing.TB, change func(*hub.Session)) (*hub.Hub, *fabric.Memory) {
	tb.Helper()
	fab := fabric.NewMemory()
	h := hub.New(hub.Options{Fabric: fab})
	session := hub.Session{
		ID: sessionID, Agents: []wire.AgentRef{{ID: agentID, Name: "a"}}, Mode: wire.ModeComplete,
		StartedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(&session)
	}
	if err := h.Open(session); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.Close(); err != nil {
			tb.Errorf("close hub: %v", err)
		}
		if err := fab.Close(); err != nil {
			tb.Errorf("close fabric: %v", err)
		}
	})
	return h, fab
}

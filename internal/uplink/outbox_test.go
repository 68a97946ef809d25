package uplink_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// wireEnd is the other end of a link: it takes items as a server does, in order, and checks them.
type wireEnd struct {
	t       interface{ Fatalf(string, ...any) }
	dec     *zstd.Decoder
	room    int
	item    uint64
	nextSeq uint64
	got     []string // messages in order; a gap is "gap:from-to"
	bytes   uint64
}

// Send takes one message.
func (w *wireEnd) Send(msg []byte) bool {
	if w.room == 0 {
		return false
	}
	w.room--
	kind, body, err := wire.SplitLink(msg)
	if err != nil {
		w.t.Fatalf("split: %v", err)
	}
	switch kind {
	case wire.LinkBatch:
		w.batch(body)
	case wire.LinkGap:
		w.gap(body)
	}
	return true
}

// batch checks the order and the frames of a batch.
func (w *wireEnd) batch(body []byte) {
	b, err := wire.ParseBatch(body)
	if err != nil {
		w.t.Fatalf("parse: %v", err)
	}
	if b.Item <= w.item {
		return
	}
	if b.Item != w.item+1 || b.First != w.nextSeq {
		w.t.Fatalf("item %d first %d, want %d and %d", b.Item, b.First, w.item+1, w.nextSeq)
	}
	frames, err := w.dec.DecodeAll(b.Block, nil)
	if err != nil || uint64(len(frames)) != b.RawSize {
		w.t.Fatalf("decode: %v, %d bytes, want %d", err, len(frames), b.RawSize)
	}
	lines := strings.Split(strings.TrimSuffix(string(frames), "\n"), "\n")
	if uint64(len(lines)) != b.Count {
		w.t.Fatalf("%d frames, want %d", len(lines), b.Count)
	}
	for i, line := range lines {
		var log wire.Log
		if err := json.Unmarshal([]byte(line), &log); err != nil && !strings.Contains(err.Error(), "timestamp") {
			w.t.Fatalf("frame %q: %v", line, err)
		}
		if log.Seq != b.First+uint64(i) {
			w.t.Fatalf("seq %d, want %d", log.Seq, b.First+uint64(i))
		}
		w.got = append(w.got, log.Message)
	}
	w.item, w.nextSeq, w.bytes = b.Item, b.First+b.Count, w.bytes+b.RawSize
}

// gap checks the order of a gap.
func (w *wireEnd) gap(body []byte) {
	var g wire.GapItem
	if err := json.Unmarshal(body, &g); err != nil {
		w.t.Fatalf("gap: %v", err)
	}
	if g.Item <= w.item {
		return
	}
	if g.Item != w.item+1 {
		w.t.Fatalf("gap item %d, want %d", g.Item, w.item+1)
	}
	w.item = g.Item
	if g.Gap.Unit == wire.UnitEvents {
		if g.Gap.From != w.nextSeq || g.Gap.Count != g.Gap.To-g.Gap.From+1 {
			w.t.Fatalf("gap %d-%d count %d, want from %d", g.Gap.From, g.Gap.To, g.Gap.Count, w.nextSeq)
		}
		w.got = append(w.got, fmt.Sprintf("gap:%d-%d", g.Gap.From, g.Gap.To))
		w.nextSeq = g.Gap.To + 1
	}
}

// model drives an outbox through random actions beside a list of everything that was logged.
type model struct {
	t       *rapid.T
	path    string
	end     *wireEnd
	out     *uplink.Outbox
	enc     *zstd.Encoder
	lines   []string // by seq-1; dropped ones are empty
	offset  int64
	gone    bool // the bytes of the file are gone
	lost    bool // they were gone at some time
	acked   uint64
	pending uint64
}

// open makes the outbox anew, as after the death of the process.
func (m *model) open() {
	journal, rec, err := uplink.OpenJournal(m.path, false)
	if err != nil {
		m.t.Fatalf("open: %v", err)
	}
	if rec == nil {
		rec = &uplink.Recovered{Epoch: 1}
	}
	m.offset = 0
	for _, mark := range rec.Marks {
		m.offset = mark.Offset
	}
	m.lines = m.lines[:max(int(rec.State.NextSeq), 1)-1]
	m.out, err = uplink.NewOutbox(uplink.OutboxOptions{
		Session: "sess_x", AgentID: "a", Journal: journal, Recovered: rec, Encoder: m.enc, Rebuild: m.rebuild,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		m.t.Fatalf("new outbox: %v", err)
	}
	m.pending = 0
}

// rebuild makes members again: the offset of a line is its seq times ten.
func (m *model) rebuild(item *uplink.Item) ([][]byte, error) {
	if m.gone {
		return nil, errors.New("gone")
	}
	var out [][]byte
	for _, r := range item.Ranges {
		for at := r.From; at < r.To; at += 10 {
			out = append(out, members(fmt.Sprintf("line %d", at/10)))
		}
	}
	return out, nil
}

// members is what a frame of the model holds.
func members(text string) []byte { return fmt.Appendf(nil, `"message":%q`, text) }

// mark is the model's position.
func (m *model) mark() uplink.Mark {
	return uplink.Mark{Place: 1, At: json.RawMessage(`{}`), Offset: m.offset}
}

// add logs one event that passes; it is dropped if there is no room, also not the room for those who had little.
func (m *model) add(little bool) {
	if !m.out.Accepting() && (!little || !m.out.Spare()) {
		m.out.Drop(wire.ReasonBufferOverrun)
		m.lines = append(m.lines, "")
		m.offset += 10
		m.out.Advance(m.mark(), 1)
		return
	}
	text := fmt.Sprintf("line %d", m.offset/10)
	m.out.Add(members(text), m.mark(), uplink.Range{From: m.offset, To: m.offset + 10})
	m.lines = append(m.lines, text)
	m.offset += 10
	m.out.Advance(m.mark(), 1)
	m.pending++
}

// check compares the account with what happened.
func (m *model) check() {
	// The sum alone would close with less than nothing in one part of it.
	if a := m.out.Accounts(); !a.Closes() || a.Seen != uint64(m.offset/10) || max(a.Sent, a.Pending) > a.Seen {
		m.t.Fatalf("accounts %+v do not close or see %d lines", a, m.offset/10)
	}
}

func TestOutboxKeepsNumbersAndAccounts(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		m := &model{
			t: rt, path: filepath.Join(dir, fmt.Sprint(runs)), enc: enc,
			end: &wireEnd{t: rt, dec: dec, nextSeq: 1},
		}
		m.open()
		rt.Repeat(map[string]func(*rapid.T){
			"add":    func(*rapid.T) { m.add(false) },
			"little": func(*rapid.T) { m.add(true) },
			"filter": func(*rapid.T) { m.offset += 10; m.out.Advance(m.mark(), 1) },
			"seal":   func(*rapid.T) { m.out.Seal() },
			"pump": func(r *rapid.T) {
				m.end.room = rapid.IntRange(0, 5).Draw(r, "room")
				m.out.Pump(m.end)
			},
			"ack": func(r *rapid.T) {
				m.acked = rapid.Uint64Range(m.acked, m.end.item).Draw(r, "item")
				m.out.Ack(wire.Ack{
					Epoch: 1, Item: m.acked, Credit: 1000, Attached: true,
					Resend: rapid.Bool().Draw(r, "resend"),
				})
			},
			"replay":     func(r *rapid.T) { m.replay(r) },
			"detach":     func(*rapid.T) { m.out.Detach() },
			"close-gap":  func(*rapid.T) { m.out.CloseGap() },
			"checkpoint": func(*rapid.T) { m.out.Checkpoint() },
			"die":        func(*rapid.T) { m.open() },
			"gone": func(r *rapid.T) {
				m.gone = rapid.Bool().Draw(r, "gone")
				m.lost = m.lost || m.gone
			},
			"": func(*rapid.T) { m.check() },
		})
		m.drain()
	})
}

// newOutbox makes an outbox in a new journal and with a new epoch.
func newOutbox(t *testing.T) *uplink.Outbox {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	journal, _, err := uplink.OpenJournal(filepath.Join(t.TempDir(), "sess_x.journal"), false)
	if err != nil {
		t.Fatal(err)
	}
	out, err := uplink.NewOutbox(uplink.OutboxOptions{
		Session: "sess_x", AgentID: "a", Journal: journal, Recovered: &uplink.Recovered{Epoch: 1}, Encoder: enc,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSpareIsBounded adds without end on a link that takes nothing: also what is spared for those who have little ends.
func TestSpareIsBounded(t *testing.T) {
	for name, size := range map[string]int{"small": 10, "large": wire.BatchBytes / 2} {
		t.Run(name, func(t *testing.T) {
			out := newOutbox(t)
			text := members(strings.Repeat("x", size))
			added, bytes := 0, 0
			for offset := int64(0); out.Accepting() || out.Spare(); offset += 20 {
				if added++; added > 1000 {
					t.Fatal("there is always more room")
				}
				bytes += len(text)
				mark := uplink.Mark{Place: 1, At: json.RawMessage(`{}`), Offset: offset}
				out.Add(text, mark, uplink.Range{From: offset, To: offset + 10})
				out.Advance(mark, 1)
				out.Drop(wire.ReasonBufferOverrun)
				out.Advance(mark, 1)
			}
			if bytes > 4*wire.BatchBytes || added < 2 {
				t.Errorf("%d events with %d bytes found room", added, bytes)
			}
		})
	}
}

// drain sends everything and compares what arrived with what was logged.
func (m *model) drain() {
	m.out.CloseGap()
	m.out.Seal()
	m.end.room = 1 << 20
	for range 1 << 12 {
		m.out.Ack(wire.Ack{Epoch: 1, Item: m.end.item, Credit: 1 << 30, Attached: true})
		if m.out.Pump(m.end) {
			m.out.CloseGap()
			if m.out.Pump(m.end) {
				break
			}
		}
	}
	seq := 1
	for _, got := range m.end.got {
		var from, to int
		if n, _ := fmt.Sscanf(got, "gap:%d-%d", &from, &to); n == 2 {
			seq = to + 1
			continue
		}
		if got != m.lines[seq-1] {
			m.t.Fatalf("event %d is %q, want %q", seq, got, m.lines[seq-1])
		}
		seq++
	}
	if seq-1 != len(m.lines) {
		m.t.Fatalf("%d events arrived, %d were logged", seq-1, len(m.lines))
	}
}

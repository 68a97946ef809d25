package uplink_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// asker asks an outbox for what it sent before and reads the answers.
type asker struct {
	t   interface{ Fatalf(string, ...any) }
	out *uplink.Outbox
	dec *zstd.Decoder
}

// ask puts one question and returns what came by number, a gap being "gap:reason" and lost bytes "lost:bytes" under the
// number that comes next, and the last number that was answered.
func (a *asker) ask(question wire.Replay) (map[uint64][]string, uint64) {
	msg, err := a.out.Replay(&question)
	if err != nil {
		a.t.Fatalf("replay: %v", err)
	}
	if len(msg) > wire.MaxLinkMessage {
		a.t.Fatalf("an answer of %d bytes, at most %d pass the link", len(msg), wire.MaxLinkMessage)
	}
	_, body, err := wire.SplitLink(msg)
	if err != nil {
		a.t.Fatalf("split: %v", err)
	}
	r, err := wire.ParseReplayed(body)
	if err != nil {
		a.t.Fatalf("parse: %v", err)
	}
	data, err := a.dec.DecodeAll(r.Block, nil)
	if err != nil || uint64(len(data)) != r.RawSize || r.From != question.From || r.Epoch != question.Epoch {
		a.t.Fatalf("decode: %v, %d bytes; answer %+v to %+v", err, len(data), r.Pieces, question)
	}
	got := map[uint64][]string{}
	frames := strings.Split(string(data), "\n")
	for _, p := range r.Pieces {
		for seq := p.First; seq < p.First+p.Count; seq++ {
			if p.Gap != nil {
				got[seq] = append(got[seq], "gap:"+p.Gap.Reason)
				continue
			}
			_, text, _ := strings.Cut(frames[0], `"message":"`)
			text, number, _ := strings.Cut(text, `","agent":"a","epoch":1,"seq":`)
			if number != fmt.Sprintf("%d}", seq) {
				a.t.Fatalf("frame %q, want event %d", frames[0], seq)
			}
			got[seq], frames = append(got[seq], text), frames[1:]
		}
		if p.Count == 0 {
			got[p.First] = append(got[p.First], fmt.Sprintf("lost:%d", p.Gap.Count))
		}
	}
	if len(frames) != 1 || frames[0] != "" {
		a.t.Fatalf("%d frames more than the pieces have", len(frames)-1)
	}
	return got, r.To
}

// replay asks for a part of what was sent and compares it with what was logged.
func (m *model) replay(r *rapid.T) {
	if m.end.nextSeq <= 1 {
		return
	}
	from := rapid.Uint64Range(1, m.end.nextSeq-1).Draw(r, "from")
	to := rapid.Uint64Range(from, m.end.nextSeq-1).Draw(r, "to")
	before := m.out.Accounts()
	a := asker{m.t, m.out, m.end.dec}
	for next := from; next <= to; {
		got, answered := a.ask(wire.Replay{Epoch: 1, From: next, To: to, Before: m.end.item + 1})
		if answered < next {
			m.t.Fatalf("asked from %d on, answered up to %d", next, answered)
		}
		for ; next <= min(answered, to); next++ {
			want := m.lines[next-1]
			if want == "" {
				want = "gap:" + wire.ReasonBufferOverrun
			}
			lost := m.lost && slices.Equal(got[next], []string{"gap:" + wire.ReasonReplayLost})
			if !lost && !slices.Equal(got[next], []string{want}) {
				m.t.Fatalf("event %d came again as %q, want %q", next, got[next], want)
			}
		}
	}
	if diff := cmp.Diff(before, m.out.Accounts()); diff != "" {
		m.t.Fatalf("a replay changed the account:\n%s", diff)
	}
}

// rewound is an outbox that has sent and had acknowledged: a batch of 3, a drop of 2, lost bytes, a batch of 3, and
// sent without acknowledgement a batch of 2.
type rewound struct {
	t    *testing.T
	path string
	enc  *zstd.Encoder
	out  *uplink.Outbox
	gone map[int64]bool // offsets of lines whose bytes are gone
	at   int64
	busy bool // nothing can be built now
}

// open opens the outbox, as a later life does.
func (r *rewound) open() {
	r.t.Helper()
	journal, rec, err := uplink.OpenJournal(r.path, false)
	if err != nil {
		r.t.Fatal(err)
	}
	if rec == nil {
		rec = &uplink.Recovered{Epoch: 1}
	}
	r.out, err = uplink.NewOutbox(uplink.OutboxOptions{
		Session: "sess_x", AgentID: "a", Journal: journal, Recovered: rec, Encoder: r.enc, Log: slog.New(slog.DiscardHandler),
		Rebuild: func(it *uplink.Item) ([][]byte, error) {
			if r.busy {
				return nil, fmt.Errorf("rebuild: %w", uplink.ErrLater)
			}
			var out [][]byte
			for _, g := range it.Ranges {
				for at := g.From; at < g.To; at += 10 {
					if r.gone[at] {
						return nil, os.ErrNotExist
					}
					out = append(out, members(fmt.Sprintf("line %d", at/10)))
				}
			}
			return out, nil
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// lines sends a batch.
func (r *rewound) lines(n int) {
	for range n {
		mark := uplink.Mark{Place: 1, At: json.RawMessage(`{"path":"a"}`), Offset: r.at}
		r.out.Add(members(fmt.Sprintf("line %d", r.at/10)), mark, uplink.Range{From: r.at, To: r.at + 10})
		r.at += 10
		mark.Offset = r.at
		r.out.Advance(mark, 1)
	}
	r.out.Seal()
	r.out.Pump(&blind{})
}

// blind takes every message.
type blind struct{}

func (*blind) Send([]byte) bool { return true }

// ack acknowledges up to an item.
func (r *rewound) ack(item uint64) {
	r.out.Ack(wire.Ack{Session: "sess_x", Epoch: 1, Item: item, Credit: 1 << 30, Attached: true})
}

// newRewound makes one with a history.
func newRewound(t *testing.T) *rewound {
	t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &rewound{t: t, path: filepath.Join(t.TempDir(), "x.journal"), enc: enc, gone: map[int64]bool{}}
	r.open()
	r.ack(0)
	r.lines(3)
	for range 2 {
		r.out.Drop(wire.ReasonRate)
		r.at += 10
		r.out.Advance(uplink.Mark{Place: 1, At: json.RawMessage(`{"path":"a"}`), Offset: r.at}, 1)
	}
	r.out.CloseGap()
	r.out.Lost(wire.Control{Reason: wire.ReasonTruncated, Count: 77, Unit: wire.UnitBytes, File: "a"},
		uplink.Mark{Place: 1, At: json.RawMessage(`{"path":"a"}`), Offset: r.at})
	r.lines(3)
	r.ack(4)
	r.lines(2)
	return r
}

func TestReplay(t *testing.T) {
	whole := map[uint64][]string{
		1: {"line 0"}, 2: {"line 1"}, 3: {"line 2"}, 4: {"gap:rate"}, 5: {"gap:rate"}, 6: {"lost:77", "line 5"},
		7: {"line 6"}, 8: {"line 7"}, 9: {"line 8"}, 10: {"line 9"},
	}
	part := func(from, to uint64) map[uint64][]string {
		out := map[uint64][]string{}
		for seq := from; seq <= to; seq++ {
			out[seq] = whole[seq]
		}
		return out
	}
	tests := []struct {
		name   string
		before func(r *rewound)
		ask    wire.Replay
		want   map[uint64][]string
	}{
		{"all", nil, wire.Replay{Epoch: 1, From: 1, To: 10, Before: 6}, whole},
		{"from-within-a-batch", nil, wire.Replay{Epoch: 1, From: 2, To: 3, Before: 2}, part(1, 3)},
		{"up-to-an-item", nil, wire.Replay{Epoch: 1, From: 1, To: 5, Before: 3}, part(1, 5)},
		{"lost-bytes-behind-the-last-event", nil, wire.Replay{Epoch: 1, From: 4, To: 5, Before: 4}, map[uint64][]string{
			4: {"gap:rate"}, 5: {"gap:rate"}, 6: {"lost:77"},
		}},
		{"lost-bytes-at-the-beginning", nil, wire.Replay{Epoch: 1, From: 6, To: 8, Before: 5}, part(6, 8)},
		{"another-epoch", nil, wire.Replay{Epoch: 7, From: 1, To: 10, Before: 6}, part(1, 0)},
		{"what-was-never-sent", nil, wire.Replay{Epoch: 1, From: 11, To: 20, Before: 99}, part(1, 0)},
		{
			"after-a-death", func(r *rewound) { r.open() },
			wire.Replay{Epoch: 1, From: 1, To: 10, Before: 6},
			whole,
		},
		{
			"after-two-deaths", func(r *rewound) {
				r.open()
				r.open()
			},
			wire.Replay{Epoch: 1, From: 1, To: 10, Before: 6},
			whole,
		},
		{
			"all-acknowledged-and-written-anew", func(r *rewound) {
				r.ack(5)
				r.out.Rewrite(nil)
				r.open()
			},
			wire.Replay{Epoch: 1, From: 1, To: 10, Before: 6},
			whole,
		},
		{
			"bytes-that-are-gone", func(r *rewound) { r.gone[60] = true },
			wire.Replay{Epoch: 1, From: 4, To: 10, Before: 6},
			map[uint64][]string{
				4: whole[4], 5: whole[5], 6: {"lost:77", "gap:replay_lost"}, 7: {"gap:replay_lost"},
				8: {"gap:replay_lost"}, 9: whole[9], 10: whole[10],
			},
		},
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRewound(t)
			if tt.before != nil {
				tt.before(r)
			}
			account := r.out.Accounts()
			got, answered := (&asker{t, r.out, dec}).ask(tt.ask)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("came again (-want +got):\n%s", diff)
			}
			if answered != tt.ask.To {
				t.Errorf("answered up to %d, want %d", answered, tt.ask.To)
			}
			if diff := cmp.Diff(account, r.out.Accounts()); diff != "" {
				t.Errorf("the account changed:\n%s", diff)
			}
		})
	}
}

// TestWhatCannotBeToldNowIsNotGivenUp asks for batches at a moment at which nobody knows whether their bytes are there.
func TestWhatCannotBeToldNowIsNotGivenUp(t *testing.T) {
	r := newRewound(t)
	r.busy = true
	r.open()
	r.ack(4)
	ask := &wire.Replay{Epoch: 1, From: 1, To: 10, Before: 6}
	if r.out.Pump(&blind{}) {
		t.Error("all was sent")
	}
	if _, err := r.out.Replay(ask); !errors.Is(err, uplink.ErrLater) {
		t.Errorf("asked again: %v", err)
	}
	r.busy = false
	if !r.out.Pump(&blind{}) {
		t.Error("not all was sent")
	}
	if a := r.out.Accounts(); !a.Closes() || a.Dropped[wire.ReasonReplayLost] != 0 {
		t.Errorf("accounts %+v", a)
	}
}

// TestReplayForgetsTheOldest sends more items than are remembered: the oldest are gone, the newest there, and the
// journal does not grow without end.
func TestReplayForgetsTheOldest(t *testing.T) {
	const items, acks = 10_000, 100
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	r := newRewound(t)
	for i := range uint64(items) {
		r.lines(1)
		if i%acks == acks-1 {
			r.ack(i + 6)
		}
		if r.out.Due() {
			r.out.Rewrite(nil)
		}
	}
	const last = items + 10
	question := wire.Replay{Epoch: 1, From: 1, To: last, Before: items + 6}
	got, answered := (&asker{t, r.out, dec}).ask(question)
	if len(got[1]) != 0 || answered >= last || len(got[answered]) != 1 {
		t.Errorf("%d events up to %d, the first %q; want the oldest to be forgotten, and a part", len(got), answered, got[1])
	}
	question.From = last - 100
	got, answered = (&asker{t, r.out, dec}).ask(question)
	if answered != last || len(got) != 101 {
		t.Errorf("%d events up to %d; want the last 101", len(got), answered)
	}
	if info, err := os.Stat(r.path); err != nil || info.Size() > 16<<20 {
		t.Errorf("journal: %v, %v", info, err)
	}
}

func TestRemoveDrafts(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.journal", "a.journal.new-123", "b.journal.new-9", "c.new-1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := uplink.RemoveDrafts(dir, ".journal"); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"a.journal", "c.new-1"}; !slices.Equal(left, want) {
		t.Errorf("left %q, want %q", left, want)
	}
	if err := uplink.RemoveDrafts(filepath.Join(dir, "none"), ".journal"); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

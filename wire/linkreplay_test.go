package wire_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/wire"
)

// replayed is an answer with a piece of each kind.
func replayed() wire.Replayed {
	return wire.Replayed{
		Session: "sess_a", Epoch: 2, From: 3, To: 9,
		Pieces: []wire.ReplayPiece{
			{First: 2, Count: 3},
			{First: 5, Gap: &wire.Control{Count: 7, Unit: wire.UnitBytes, File: "/a", Reason: wire.ReasonTruncated}},
			{First: 7, Count: 3, Gap: &wire.Control{
				From: 7, To: 9, Count: 3, Unit: wire.UnitEvents, Reason: wire.ReasonReplayLost,
			}},
		},
		RawSize: 6, Block: []byte("packed"),
	}
}

func TestReplayedRoundTrip(t *testing.T) {
	tests := []struct {
		name   string
		answer wire.Replayed
	}{
		{"each-kind", replayed()},
		{"nothing-known", wire.Replayed{
			Session: "s", Epoch: 1, From: 1, To: 1, Pieces: []wire.ReplayPiece{}, Block: []byte{},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg, err := wire.AppendReplayed(nil, &tt.answer)
			if err != nil {
				t.Fatal(err)
			}
			got, err := wire.ParseReplayed(body(t, msg, wire.LinkReplayed))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.answer, got); diff != "" {
				t.Errorf("other than what was sent (-sent +got):\n%s", diff)
			}
		})
	}
}

func TestParseReplayedRefuses(t *testing.T) {
	tests := []struct {
		name   string
		change func(*wire.Replayed)
		want   string
	}{
		{"no-numbers", func(r *wire.Replayed) { r.From, r.To, r.Pieces = 0, 0, nil }, "events 0 to 0"},
		{"backwards", func(r *wire.Replayed) { r.To, r.Pieces = 2, nil }, "events 3 to 2"},
		{"too-large", func(r *wire.Replayed) { r.RawSize = wire.MaxBatchBytes + 1 }, "at most"},
		{"more-frames-than-bytes", func(r *wire.Replayed) { r.RawSize = 2 }, "3 frames in 2 bytes"},
		{"out-of-order", func(r *wire.Replayed) { r.Pieces[2].First = 4 }, "piece 3 of 3"},
		{"beyond-its-end", func(r *wire.Replayed) { r.Pieces[2].Count = 4 }, "piece 3 of 3"},
		{"endless", func(r *wire.Replayed) { r.Pieces[2].Count = ^uint64(0) }, "piece 3 of 3"},
		{"empty-piece", func(r *wire.Replayed) { r.Pieces[0].Count = 0 }, "piece 1 of 3 is empty"},
		{"no-reason", func(r *wire.Replayed) { r.Pieces[1].Gap.Reason = "" }, "piece 2 of 3 has no reason"},
		{"too-many-pieces", func(r *wire.Replayed) {
			r.Pieces = make([]wire.ReplayPiece, wire.MaxReplayPieces+1)
		}, "pieces, at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := replayed()
			tt.change(&answer)
			msg, err := wire.AppendReplayed(nil, &answer)
			if err != nil {
				t.Fatal(err)
			}
			_, err = wire.ParseReplayed(body(t, msg, wire.LinkReplayed))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzParseReplayed holds that what is accepted is in order, and comes out of its own encoding again.
func FuzzParseReplayed(f *testing.F) {
	answer := replayed()
	msg, err := wire.AppendReplayed(nil, &answer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg[2:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := wire.ParseReplayed(data)
		if err != nil {
			return
		}
		next := uint64(1)
		for _, p := range r.Pieces {
			if p.First < next || p.First+p.Count > r.To+1 {
				t.Errorf("piece %+v before event %d or beyond %d", p, next, r.To)
			}
			next = p.First + p.Count
		}
		msg, err := wire.AppendReplayed(nil, &r)
		if err != nil {
			return // text that is not UTF-8
		}
		again, err := wire.ParseReplayed(body(t, msg, wire.LinkReplayed))
		if err != nil || len(again.Pieces) != len(r.Pieces) || again.To != r.To {
			t.Errorf("%+v came back as %+v, %v", r, again, err)
		}
	})
}

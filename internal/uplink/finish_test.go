package uplink_test

import (
	"encoding/json"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// TestFinishTellsDropsThoughNobodyWatches ends a session between the moment at which its last viewer went away and the
// one at which the agent learns that he is back: the numbers that were dropped are told all the same.
func TestFinishTellsDropsThoughNobodyWatches(t *testing.T) {
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	out := newOutbox(t)
	mark := uplink.Mark{Place: 1, At: json.RawMessage(`{}`)}
	out.Ack(wire.Ack{Session: "sess_x", Epoch: 1, Credit: 1 << 20, Attached: true})
	out.Drop(wire.ReasonBufferOverrun)
	out.Advance(mark, 1)
	out.Ack(wire.Ack{Session: "sess_x", Epoch: 1, Credit: 1 << 20, Attached: false})
	end := &wireEnd{t: t, dec: dec, room: 10, nextSeq: 1}
	accounts, err := out.Finish(end)
	if err != nil {
		t.Fatal(err)
	}
	if want := accounts.Dropped[wire.ReasonBufferOverrun] + 1; end.nextSeq != want || want != 2 {
		t.Errorf("the numbers were told up to %d, want %d; accounts %+v", end.nextSeq, want, accounts)
	}
}

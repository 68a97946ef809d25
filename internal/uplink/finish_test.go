package uplink_test

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// TestFinishTellsDropsThoughNobodyWatches ends a session between the moment at which its last viewer went away and the
// one at which the agent learns that he is back: the numbers that were dropped are told all the same.
func TestFinishTellsDropsThoughNobodyWatches(t *testing.T) {
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	journal, _, err := uplink.OpenJournal(filepath.Join(t.TempDir(), "x.journal"), false)
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

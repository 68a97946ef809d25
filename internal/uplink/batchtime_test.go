package uplink_test

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/internal/uplink"
)

func TestBatchTimeIsThatOfTheFirstEvent(t *testing.T) {
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
	t.Cleanup(func() { _ = out.Close() })
	early := time.UnixMilli(1_000)
	out.BatchTime(early) // for a line that does not pass
	first := early.Add(time.Hour)
	for _, now := range []time.Time{first, first.Add(time.Minute)} {
		if at := out.BatchTime(now); !at.Equal(first) {
			t.Errorf("batch time %v at %v, want %v", at, now, first)
		}
		out.Add(members("x"), uplink.Mark{Place: 1}, uplink.Range{To: 2})
	}
}

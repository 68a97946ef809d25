package uplink_test

import (
	"testing"
	"time"

	"github.com/spilelog/spile/internal/uplink"
)

func TestBatchTimeIsThatOfTheFirstEvent(t *testing.T) {
	out := newOutbox(t)
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

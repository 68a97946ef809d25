package agent

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// TestHoleIsNoLag comes to the hole of a stale writer, which is backlog until it is told and never read.
func TestHoleIsNoLag(t *testing.T) {
	dir := modelFolder(t)
	rapid.Check(t, func(rt *rapid.T) {
		m := newContextModel(rt, dir, wire.DesiredSession{ID: "sess_hole", RemainingMS: 60_000, Mode: wire.ModeLive})
		m.open()
		s := m.session
		hole := int64(rapid.IntRange(1, 1<<30).Draw(rt, "bytes"))
		ticks := rapid.IntRange(1, lagSamples-1).Draw(rt, "ticks")
		for range ticks {
			if s.lag.sample(s.pipe.bytes, hole) {
				rt.Fatal("late before the limit")
			}
		}
		s.begin(&source.Block{
			Source: "app", Path: "/log/0", Place: 1, To: hole, Gap: &source.Gap{Bytes: hole, Reason: wire.ReasonHole},
		})
		for tick := range 2 * lagSamples {
			if s.lag.sample(s.pipe.bytes, 0) {
				rt.Fatalf("late %d ticks after a hole of %d bytes", tick, hole)
			}
		}
		s.finish("test")
	})
}

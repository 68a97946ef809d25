package hub_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// TestBreachEndsTheAgent passes nothing on of an agent whose items are not what they say.
func TestBreachEndsTheAgent(t *testing.T) {
	for name, test := range map[string]struct {
		frames func([]byte) []byte
		header func(*wire.Batch)
	}{
		"skips-a-number":     {header: func(b *wire.Batch) { b.First++ }},
		"one-frame-too-few":  {header: func(b *wire.Batch) { b.Count++ }},
		"one-frame-too-many": {header: func(b *wire.Batch) { b.Count-- }},
		"another-size":       {header: func(b *wire.Batch) { b.RawSize++ }},
		"broken-block":       {header: func(b *wire.Batch) { b.Block = b.Block[:len(b.Block)-4] }},
		"not-utf8": {frames: func(f []byte) []byte {
			return bytes.Replace(f, []byte("event 1"), []byte("event \xff"), 1)
		}},
		"control-frame": {frames: func(f []byte) []byte {
			return bytes.Replace(f, []byte(`"type":"log"`), []byte(`"type":"control"`), 1)
		}},
		"another-agent": {frames: func(f []byte) []byte {
			return bytes.Replace(f, []byte(agentID), []byte(otherID), 1)
		}},
		"wrong-number": {frames: func(f []byte) []byte {
			return bytes.Replace(f, []byte(`"seq":2}`), []byte(`"seq":3}`), 1)
		}},
		"no-newline":    {frames: func(f []byte) []byte { return f[:len(f)-1] }},
		"bomb-of-zeros": {frames: func([]byte) []byte { return make([]byte, 2*wire.MaxBatchBytes) }},
	} {
		t.Run(name, func(t *testing.T) {
			h, fab := newHub(t, nil)
			a := newFakeAgent(t, fab, agentID)
			a.report(wire.ReportOpen, nil)
			w := watch(h, hub.View{})
			a.await(func(ack wire.Ack) bool { return ack.Attached })
			frames := a.frame(a.frame(nil, 1), 2)
			size := uint64(len(frames))
			if test.frames != nil {
				if frames = test.frames(frames); len(frames) < wire.MaxBatchBytes {
					size = uint64(len(frames))
				}
			}
			b := wire.Batch{
				Session: sessionID, Epoch: 1, Item: 1, First: 1, Count: 2, RawSize: size,
				Block: a.enc.EncodeAll(frames, nil),
			}
			if test.header != nil {
				test.header(&b)
			}
			a.publish(wire.AppendBatch(nil, &b))
			a.await(func(ack wire.Ack) bool { return !ack.Attached })
			a.send(a.batch(2)) // Not even a good one is taken after that.
			a.settle(t)
			w.gate.await(1)
			if text := w.gate.text(); strings.Contains(text, `"log"`) || !strings.Contains(text, "internal_error") {
				t.Errorf("the viewer got %s", text)
			}
			w.leave()
			<-w.done
		})
	}
}

// TestGapMustSayWhatIsLostAndWhy takes no gap that says less, or covers other numbers than those that come next.
func TestGapMustSayWhatIsLostAndWhy(t *testing.T) {
	for name, change := range map[string]func(*wire.Control){
		"no-reason":        func(c *wire.Control) { c.Reason = "" },
		"other-count":      func(c *wire.Control) { c.Count++ },
		"skips-a-number":   func(c *wire.Control) { c.From, c.To = c.From+1, c.To+1 },
		"backwards":        func(c *wire.Control) { c.To = c.From - 1; c.Count = 0 },
		"bytes-as-numbers": func(c *wire.Control) { c.Unit = wire.UnitBytes },
	} {
		t.Run(name, func(t *testing.T) {
			h, fab := newHub(t, nil)
			a := newFakeAgent(t, fab, agentID)
			a.report(wire.ReportOpen, nil)
			w := watch(h, hub.View{})
			a.await(func(ack wire.Ack) bool { return ack.Attached })
			gap := wire.Control{From: 1, To: 3, Count: 3, Unit: wire.UnitEvents, Reason: wire.ReasonRate}
			change(&gap)
			a.lost(gap)
			a.await(func(ack wire.Ack) bool { return !ack.Attached })
			w.gate.await(1)
			if text := w.gate.text(); strings.Contains(text, `"gap"`) || !strings.Contains(text, "internal_error") {
				t.Errorf("the viewer got %s", text)
			}
			w.leave()
			<-w.done
		})
	}
}

// TestFabricLossIsMadeGood asks again for what was lost on the way.
func TestFabricLossIsMadeGood(t *testing.T) {
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	w := watch(h, hub.View{})
	a.await(func(ack wire.Ack) bool { return ack.Attached })
	a.batch(5) // lost on the way
	a.send(a.batch(5))
	a.await(func(ack wire.Ack) bool { return ack.Resend && ack.Item == 0 })
	a.settle(t)
	a.await(func(ack wire.Ack) bool { return ack.Item == 2 })
	w.leave()
	<-w.done
	if states, _ := w.check(t); states[agentID].delivered != 10 {
		t.Errorf("got %+v", states[agentID])
	}
}

package hub_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// sumOf adds up the last accounts of streams, and the gap frames by reason.
func sumOf(t *testing.T, watchers []*watcher) hub.Totals {
	t.Helper()
	out := hub.Totals{Viewers: hub.ViewerTotals{Gapped: map[string]uint64{}}}
	for _, w := range watchers {
		<-w.done
		for _, line := range w.gate.lines() {
			var c wire.Control
			if line == "" || json.Unmarshal([]byte(line), &c) != nil {
				continue
			}
			switch c.Event {
			case wire.EventGap:
				if c.Count > 0 && c.Unit == wire.UnitEvents {
					out.Viewers.Gapped[c.Reason] += c.Count
				}
			case wire.EventSessionEnded:
				account := c.Accounts.Viewer[agentID]
				out.Viewers.Offered += account.Offered
				out.Viewers.Narrowed += account.Narrowed
				out.Viewers.Delivered += account.Delivered
				out.Agents = c.Accounts.Agents[agentID]
			}
		}
	}
	return out
}

// TestTotalsAreTheSumsOfTheFrames holds what the hub adds up against what the viewers were told, to the event.
func TestTotalsAreTheSumsOfTheFrames(t *testing.T) {
	fab := fabric.NewMemory()
	h := hub.New(hub.Options{Fabric: fab, RingBytes: 64 << 10})
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := fab.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := h.Open(hub.Session{ID: sessionID, Agents: []wire.AgentRef{{ID: agentID}}, Mode: wire.ModeLive}); err != nil {
		t.Fatal(err)
	}
	a := newFakeAgent(t, fab, agentID)
	a.pad = strings.Repeat("x", 400)
	a.report(wire.ReportOpen, nil)
	h.AwaitOpen(t.Context(), sessionID)
	watchers := []*watcher{
		watch(h, hub.View{FromStart: true, AllEvents: true}), watch(h, hub.View{FromStart: true, AllEvents: true}),
	}
	for _, w := range watchers {
		w.gate.await(1)
	}
	stuck := watchers[1].gate
	stuck.set(func() { stuck.stalled = true })
	for range 40 {
		a.send(a.batch(20))
		a.send(a.gap(3))
	}
	a.lost(wire.Control{Unit: wire.UnitBytes, Count: 100, File: "/var/log/a", Reason: wire.ReasonTruncated})
	a.await(func(ack wire.Ack) bool { return ack.Item == a.item-1 })
	late := watch(h, hub.View{FromStart: true, AllEvents: true})
	late.gate.await(1)
	stuck.set(func() { stuck.stalled = false })
	a.report(wire.ReportClosed, func(r *wire.Report) {
		r.Accounts = wire.AgentAccounts{
			Seen: 1000, Filtered: 80, Sent: 800, Dropped: map[string]uint64{wire.ReasonBufferOverrun: 120},
			LostBytes: map[string]uint64{wire.ReasonTruncated: 100}, TruncatedLines: 2,
		}
	})
	h.End(context.Background(), sessionID, wire.EndStopped)
	want := sumOf(t, append(watchers, late))
	if want.Viewers.Gapped[wire.ReasonSlowViewer] == 0 || want.Viewers.Gapped[wire.ReasonPositionLost] == 0 {
		t.Fatalf("the viewers were told %+v; the test wants slow ones", want.Viewers)
	}
	got := h.Totals()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-frames +hub):\n%s", diff)
	}
	if !got.Agents.Closes() {
		t.Errorf("the sum of the agents does not close: %+v", got.Agents)
	}
	checkViewers(t, got.Viewers)
}

// checkViewers holds the sums of viewers to their equation.
func checkViewers(t fataler, v hub.ViewerTotals) {
	if v.Offered != v.Narrowed+v.Delivered+sumUp(v.Gapped)+v.InFlight+v.Left {
		t.Fatalf("the sum of the viewers does not close: %+v", v)
	}
}

// tellAccounts reports an account with these numbers and everything else pending, and waits until it is taken.
func (a *fakeAgent) tellAccounts(t *testing.T, seen, sent uint64, dropped map[string]uint64) {
	t.Helper()
	a.report(wire.ReportStats, func(r *wire.Report) {
		r.Accounts = wire.AgentAccounts{Seen: seen, Sent: sent, Dropped: dropped, Pending: seen - sent - sumUp(dropped)}
	})
	a.sync(t)
}

// TestTotalsGrow goes through an agent that comes back with more, and one that lost its record; reasons that nobody
// knows do not multiply.
func TestTotalsGrow(t *testing.T) {
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	a.send(a.batch(6))
	a.send(a.gap(3))
	a.tellAccounts(t, 10, 6, map[string]uint64{wire.ReasonRate: 2, "moon": 1})
	a.send(a.batch(9))
	a.send(a.gap(2))
	a.tellAccounts(t, 20, 15, map[string]uint64{wire.ReasonRate: 2, "moon": 1, "mars": 2})
	a.epoch, a.item, a.seq, a.sent = 2, 1, 1, map[uint64][]byte{}
	a.report(wire.ReportOpen, func(r *wire.Report) { r.LostEpoch, r.Accounts.Seen, r.Accounts.Sent = 1, 0, 0 })
	a.send(a.batch(4))
	a.tellAccounts(t, 5, 4, nil)
	got := h.Totals()
	want := wire.AgentAccounts{
		Seen: 25, Sent: 19, Pending: 1, LostBytes: map[string]uint64{},
		Dropped: map[string]uint64{wire.ReasonRate: 2, hub.OtherReason: 3},
	}
	if diff := cmp.Diff(want, got.Agents); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got.Agents.Closes() {
		t.Error("the sum does not close")
	}
}

// TestSentIsWhatIsTaken goes through an agent that dies and sends again, or cannot: the sum of what was sent counts
// each event once, never shrinks, and never counts what is not sent in the end. It agrees with the last account.
func TestSentIsWhatIsTaken(t *testing.T) {
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	lost := map[string]uint64{wire.ReasonReplayLost: 5}
	tell := func(seen, sent uint64, dropped map[string]uint64) func() {
		return func() { a.tellAccounts(t, seen, sent, dropped) }
	}
	for _, test := range []struct {
		name                   string
		act                    func()
		sent, pending, dropped uint64
	}{
		{"ten-are-taken", func() { a.send(a.batch(10)); tell(10, 10, nil)() }, 10, 0, 0},
		{"five-are-lost-on-the-way", func() { a.batch(5); tell(15, 15, nil)() }, 10, 5, 0},
		{"it-dies-and-counts-none-as-sent", func() {
			a.report(wire.ReportOpen, func(r *wire.Report) {
				r.NextItem, r.NextSeq, r.Accounts = 1, 1, wire.AgentAccounts{Seen: 15, Pending: 15}
			})
			a.sync(t)
		}, 10, 5, 0},
		{"it-sends-ten-again", func() { a.send(1); tell(15, 10, nil)() }, 10, 5, 0},
		{"it-cannot-send-the-others", func() {
			a.item, a.seq = a.item-1, a.seq-5
			a.send(a.gap(5))
			tell(15, 10, lost)()
		}, 10, 0, 5},
		{"another-three", func() { a.send(a.batch(3)); tell(19, 13, lost)() }, 13, 1, 5},
		{"it-dies-and-cannot-send-what-was-taken", func() {
			tell(19, 10, map[string]uint64{wire.ReasonReplayLost: 8})()
		}, 13, 1, 5},
		{"the-last-is-sent-and-lost", tell(19, 14, lost), 13, 1, 5},
		{"the-end", func() {
			a.report(wire.ReportClosed, func(r *wire.Report) {
				r.Accounts = wire.AgentAccounts{Seen: 19, Sent: 14, Dropped: lost}
			})
			h.End(t.Context(), sessionID, wire.EndStopped)
		}, 14, 0, 5},
	} {
		test.act()
		got := h.Totals().Agents
		if got.Sent != test.sent || got.Pending != test.pending || sumUp(got.Dropped) != test.dropped || !got.Closes() {
			t.Errorf("%s: %+v, want %d sent, %d pending, %d dropped", test.name, got, test.sent, test.pending, test.dropped)
		}
	}
}

// sumUp is the sum of all counts.
func sumUp(counts map[string]uint64) (n uint64) {
	for _, one := range counts {
		n += one
	}
	return n
}

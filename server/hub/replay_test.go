package hub_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// smallHub is a hub whose ring holds little, with one session of two agents.
func smallHub(t *testing.T, mode wire.Mode) (*hub.Hub, *fabric.Memory) {
	t.Helper()
	fab := fabric.NewMemory()
	h := hub.New(hub.Options{Fabric: fab, RingBytes: 32 << 10})
	err := h.Open(hub.Session{
		ID: sessionID, Mode: mode, Agents: []wire.AgentRef{{ID: agentID, Name: "a"}, {ID: otherID, Name: "b"}},
		ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("close hub: %v", err)
		}
		if err := fab.Close(); err != nil {
			t.Errorf("close fabric: %v", err)
		}
	})
	return h, fab
}

// gapsOf are the events that a stream announced as lost, by reason.
func gapsOf(t *testing.T, w *watcher) map[string]uint64 {
	t.Helper()
	out := map[string]uint64{}
	for _, c := range controls(t, w) {
		if c.Event == wire.EventGap {
			out[c.Reason] += c.Count
		}
	}
	return out
}

// finish closes the session at the agents, ends it, and returns what the viewer saw of the first agent.
func finish(t *testing.T, h *hub.Hub, w *watcher, agents ...*fakeAgent) *seen {
	t.Helper()
	for _, a := range agents {
		a.report(wire.ReportClosed, nil)
	}
	h.End(t.Context(), sessionID, wire.EndStopped)
	<-w.done
	states, ended := w.check(t)
	if !ended {
		t.Fatalf("the stream did not end:\n%s", w.gate.text())
	}
	return states[agents[0].id]
}

// awaitText waits until the viewer was told something.
func (w *watcher) awaitText(text string) {
	w.gate.mu.Lock()
	defer w.gate.mu.Unlock()
	for !strings.Contains(w.gate.body.String(), text) {
		w.gate.cond.Wait()
	}
}

// awaitAsked waits until the agent was asked for something.
func (a *fakeAgent) awaitAsked() {
	a.tb.Helper()
	a.await(func(wire.Ack) bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.asked > 0
	})
}

// goneBefore lets an agent have sent 120 events to an earlier server: 41 to 50 as a gap, the others in batches.
func (a *fakeAgent) goneBefore() {
	for i := range 12 {
		if i == 4 {
			a.gap(10)
		} else {
			a.batch(10)
		}
	}
}

// TestNewServerAsksTheAgent lets a viewer return to a server that has nothing of what it is owed: it gets what the
// agent sends again, and what the agent cannot send as one gap.
func TestNewServerAsksTheAgent(t *testing.T) {
	after := hub.View{AllEvents: true, HasAfter: true}
	forgets := func(a *fakeAgent) { a.set(func() { a.forgot = 61 }) }
	silent := func(a *fakeAgent) { a.set(func() { a.mute = true }) }
	tests := []struct {
		name      string
		view      hub.View
		unable    bool
		before    func(a *fakeAgent)
		during    func(a *fakeAgent)
		delivered uint64
		gaps      map[string]uint64
	}{
		{name: "returns", view: after, delivered: 98, gaps: map[string]uint64{wire.ReasonBufferOverrun: 10}},
		{
			name: "is-owed-all", view: hub.View{AllEvents: true, FromStart: true}, delivered: 113,
			gaps: map[string]uint64{wire.ReasonBufferOverrun: 10},
		},
		{
			name: "agent-forgot-some", view: after, before: forgets, delivered: 63,
			gaps: map[string]uint64{wire.ReasonPositionLost: 45},
		},
		{
			name: "bytes-are-gone", view: after, delivered: 88,
			before: func(a *fakeAgent) {
				a.pieces[8].Gap = &wire.Control{
					From: 81, To: 90, Count: 10, Unit: wire.UnitEvents, Reason: wire.ReasonReplayLost,
				}
			},
			gaps: map[string]uint64{wire.ReasonBufferOverrun: 10, wire.ReasonReplayLost: 10},
		},
		{
			name: "agent-cannot", view: after, unable: true, delivered: 3,
			gaps: map[string]uint64{wire.ReasonPositionLost: 105},
		},
		{
			name: "agent-ends-instead", view: after, before: silent,
			during: func(a *fakeAgent) {
				a.awaitAsked()
				a.report(wire.ReportClosed, nil)
			},
			delivered: 3, gaps: map[string]uint64{wire.ReasonPositionLost: 105},
		},
		{
			name: "agent-returns", view: after, before: silent,
			during: func(a *fakeAgent) {
				a.awaitAsked()
				data, err := wire.AppendLink(nil, wire.LinkStatus, hub.Presence{Status: wire.StreamUnreachable})
				if err != nil {
					a.tb.Fatal(err)
				}
				a.publish(data)
				a.set(func() { a.mute = false })
				a.report(wire.ReportOpen, able)
			},
			delivered: 98, gaps: map[string]uint64{wire.ReasonBufferOverrun: 10},
		},
	}
	for _, mode := range []wire.Mode{wire.ModeComplete, wire.ModeLive} {
		for _, tt := range tests {
			t.Run(string(mode)+"/"+tt.name, func(t *testing.T) {
				h, fab := smallHub(t, mode)
				a := newFakeAgent(t, fab, agentID)
				a.goneBefore()
				if tt.before != nil {
					tt.before(a)
				}
				a.report(wire.ReportOpen, func(r *wire.Report) { r.Replays = !tt.unable })
				view := tt.view
				if view.HasAfter {
					view.After = wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 15}}
				}
				w := watch(h, view)
				a.send(a.batch(3))
				if tt.during != nil {
					tt.during(a)
				}
				w.awaitText(`"seq":123}`)
				s := finish(t, h, w, a)
				if s.delivered != tt.delivered || !maps.Equal(gapsOf(t, w), tt.gaps) {
					t.Errorf("%d events and gaps %v, want %d and %v", s.delivered, gapsOf(t, w), tt.delivered, tt.gaps)
				}
			})
		}
	}
}

// TestOvertakenViewer lets the ring move on over a viewer that does not read: in complete mode it is served again, in
// live mode it goes on at now.
func TestOvertakenViewer(t *testing.T) {
	for mode, whole := range map[wire.Mode]bool{wire.ModeComplete: true, wire.ModeLive: false} {
		t.Run(string(mode), func(t *testing.T) {
			h, fab := smallHub(t, mode)
			a := newFakeAgent(t, fab, agentID)
			a.report(wire.ReportOpen, able)
			w := watch(h, hub.View{AllEvents: true, FromStart: true})
			a.send(a.batch(1))
			w.awaitText(`"seq":1}`)
			w.gate.set(func() { w.gate.stalled = true })
			a.pad = strings.Repeat("x", 400)
			for range 20 {
				a.send(a.batch(30))
			}
			a.settle(t)
			w.gate.set(func() { w.gate.stalled = false })
			w.awaitText(`"seq":601}`)
			s := finish(t, h, w, a)
			gaps := gapsOf(t, w)
			if whole && (s.delivered != 601 || len(gaps) > 0) || !whole && gaps[wire.ReasonSlowViewer] == 0 {
				t.Errorf("%d of 601 events and gaps %v", s.delivered, gaps)
			}
			if s.delivered+gaps[wire.ReasonSlowViewer] != 601 {
				t.Errorf("%d events and gaps %v are not 601", s.delivered, gaps)
			}
		})
	}
}

// TestBehindWithOneAgent holds that a viewer who waits for what one agent sends again has another agent's events.
func TestBehindWithOneAgent(t *testing.T) {
	h, fab := smallHub(t, wire.ModeComplete)
	a, b := newFakeAgent(t, fab, agentID), newFakeAgent(t, fab, otherID)
	a.goneBefore()
	a.mute = true
	a.report(wire.ReportOpen, able)
	b.report(wire.ReportOpen, able)
	w := watch(h, hub.View{AllEvents: true, HasAfter: true, After: wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 15}}})
	a.send(a.batch(3))
	a.awaitAsked()
	for range 5 {
		b.send(b.batch(10))
	}
	b.await(func(ack wire.Ack) bool { return ack.Item == 5 })
	if ack, _ := a.lastAck(); ack.Item != 12 {
		t.Errorf("item %d is acknowledged, though nobody has what comes after 12", ack.Item)
	}
	a.set(func() { a.mute = false })
	a.report(wire.ReportOpen, able)
	a.await(func(ack wire.Ack) bool { return ack.Item == 13 })
	w.awaitText(`"seq":123}`)
	s := finish(t, h, w, a, b)
	if states, _ := w.check(t); s.delivered != 98 || states[otherID].delivered != 50 {
		t.Errorf("%d and %d events, want 98 and 50", s.delivered, states[otherID].delivered)
	}
}

// TestDoublesAreAcknowledged lets a viewer return to a new server with more than it was acknowledged for: what comes
// again is passed over, and makes room for more.
func TestDoublesAreAcknowledged(t *testing.T) {
	h, fab := smallHub(t, wire.ModeComplete)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, able)
	w := watch(h, hub.View{AllEvents: true, HasAfter: true, After: wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 100}}})
	a.await(func(ack wire.Ack) bool { return ack.Attached })
	for range 10 {
		a.send(a.batch(10))
	}
	a.await(func(ack wire.Ack) bool { return ack.Item == 10 })
	if s := finish(t, h, w, a); s.delivered+s.gapped != 0 {
		t.Errorf("%+v came to a viewer that has all", s)
	}
}

// TestAnswersMustBeTrue ends agents that answer what cannot be.
func TestAnswersMustBeTrue(t *testing.T) {
	frames := func(id string, epoch, seq uint64) []byte {
		uuid, err := wire.ParseUUID(id)
		if err != nil {
			t.Fatal(err)
		}
		return appendFrame(nil, wire.Position{Agent: uuid, Epoch: epoch, Seq: seq}, "")
	}
	tests := []struct {
		name   string
		to     uint64
		piece  wire.ReplayPiece
		frames []byte
	}{
		{"never-sent", 121, wire.ReplayPiece{First: 121, Count: 1}, frames(agentID, 1, 121)},
		{"of-another-agent", 120, wire.ReplayPiece{First: 16, Count: 1}, frames(otherID, 1, 16)},
		{"other-number", 120, wire.ReplayPiece{First: 16, Count: 1}, frames(agentID, 1, 17)},
		{"too-few-frames", 120, wire.ReplayPiece{First: 16, Count: 2}, frames(agentID, 1, 16)},
		{"too-many-bytes", 120, wire.ReplayPiece{First: 16, Count: 1}, append(frames(agentID, 1, 16), "{}\n"...)},
		{"gap-of-other-numbers", 120, wire.ReplayPiece{First: 16, Count: 2, Gap: &wire.Control{
			From: 16, To: 18, Count: 3, Unit: wire.UnitEvents, Reason: wire.ReasonRate,
		}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, fab := smallHub(t, wire.ModeComplete)
			a := newFakeAgent(t, fab, agentID)
			a.goneBefore()
			a.mute = true
			a.report(wire.ReportOpen, able)
			w := watch(h, hub.View{AllEvents: true, HasAfter: true, After: wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 15}}})
			a.awaitAsked()
			data, err := wire.AppendReplayed(nil, &wire.Replayed{
				Session: sessionID, Epoch: 1, From: 16, To: tt.to, Pieces: []wire.ReplayPiece{tt.piece},
				RawSize: uint64(len(tt.frames)), Block: a.enc.EncodeAll(tt.frames, nil),
			})
			if err != nil {
				t.Fatal(err)
			}
			a.publish(data)
			w.awaitText("broke the link's rules")
			if s := finish(t, h, w, a); s.delivered != 0 || s.gapped != 105 {
				t.Errorf("%+v after a breach, want one gap", s)
			}
		})
	}
}

package hub_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// TestSlowViewerOverPlainHTTPIsTold ends a viewer that takes nothing for too long, and tells the one that comes back
// in time why, with the cursor behind everything that it took.
func TestSlowViewerOverPlainHTTPIsTold(t *testing.T) {
	serve := map[string]func(*hub.Hub, http.ResponseWriter, *http.Request){
		"sse":    func(h *hub.Hub, w http.ResponseWriter, r *http.Request) { h.ServeSSE(w, r, sessionID, hub.View{}) },
		"ndjson": func(h *hub.Hub, w http.ResponseWriter, r *http.Request) { h.ServeNDJSON(w, r, sessionID, hub.View{}) },
	}
	for name, test := range map[string]struct {
		stall time.Duration
		told  bool
		stays bool
	}{
		"back-in-time":  {wire.SlowViewer - time.Second, false, true},
		"back-late":     {wire.SlowViewer + time.Second, true, false},
		"does-not-come": {3 * wire.SlowViewer, false, false},
	} {
		for over, call := range serve {
			t.Run(name+"-"+over, func(t *testing.T) {
				timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
					ctx, leave := context.WithCancel(t.Context())
					defer leave()
					g := newGate()
					done := make(chan struct{})
					go func() {
						defer close(done)
						call(h, g, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
					}()
					synctest.Wait()
					g.set(func() { g.stalled = true })
					a.send(a.batch(3))
					<-time.After(test.stall)
					synctest.Wait()
					if watched := h.Viewers(sessionID) == 1; watched != test.stays {
						t.Errorf("counts as a viewer: %v, want %v", watched, test.stays)
					}
					g.set(func() { g.stalled = false })
					synctest.Wait()
					checkSlow(t, g.text(), test.told, a)
					if test.stays {
						leave()
					}
					<-done
					sum := h.Totals().Viewers
					checkViewers(t, sum)
					if came := uint64(strings.Count(g.text(), `"type":"log"`)); sum.Delivered != came || sum.Delivered+sum.Left != 3 {
						t.Errorf("%d events came, the totals say %+v", came, sum)
					}
				})
			})
		}
	}
}

// checkSlow looks for the error of a slow viewer at the end of what it took.
func checkSlow(t *testing.T, text string, told bool, a *fakeAgent) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := strings.TrimPrefix(lines[len(lines)-1], "data: ")
	if !told {
		if strings.Contains(text, string(wire.CodeSlowViewer)) {
			t.Errorf("told %s", last)
		}
		return
	}
	var c wire.Control
	if err := json.Unmarshal([]byte(last), &c); err != nil {
		t.Fatalf("%q: %v", last, err)
	}
	want := wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 3}}.String()
	if c.Event != wire.EventError || c.Code != wire.CodeSlowViewer || c.Cursor != want {
		t.Errorf("told %s, want the error slow_viewer with the cursor %s", last, want)
	}
	if n := strings.Count(text, `"type":"log"`); n != 3 {
		t.Errorf("took %d events, want 3", n)
	}
}

// TestLaggingIsTold tells that an agent skips what it cannot match, and that it keeps up again.
func TestLaggingIsTold(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		w := watch(h, hub.View{AllEvents: true})
		defer w.leave()
		statuses := func() (out []wire.StreamStatus) {
			synctest.Wait()
			for _, c := range controls(t, w) {
				if c.Event == wire.EventAgentStatus {
					out = append(out, c.Status)
				}
			}
			return out
		}
		skip := func() {
			a.lost(wire.Control{Unit: wire.UnitBytes, Count: 100, File: "/var/log/a", Reason: wire.ReasonLagging})
		}
		_ = statuses()
		skip()
		want := []wire.StreamStatus{wire.StreamStreaming, wire.StreamLagging}
		if got := statuses(); len(got) != 2 || got[1] != want[1] {
			t.Fatalf("after a skip: %v, want %v", got, want)
		}
		<-time.After(2 * wire.LagLimit)
		skip()
		<-time.After(2 * wire.LagLimit)
		if got := statuses(); len(got) != 2 {
			t.Fatalf("while it skips: %v, want %v", got, want)
		}
		<-time.After(3 * wire.LagLimit)
		if got := statuses(); len(got) != 3 || got[2] != wire.StreamStreaming {
			t.Errorf("after it has kept up: %v, want streaming again", got)
		}
		if n := strings.Count(w.gate.text(), `"reason":"lagging"`); n != 2 {
			t.Errorf("told %d gaps, want 2", n)
		}
	})
}

// TestProblemIsTold tells viewers who asked for all events of an agent's trouble of its own, also those who come later,
// and that it is over: by word of the link, or by an agent that opens the session anew.
func TestProblemIsTold(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		w := watch(h, hub.View{AllEvents: true})
		defer w.leave()
		presence := func(problem string) {
			data, err := wire.AppendLink(nil, wire.LinkStatus, hub.Presence{Problem: problem})
			if err != nil {
				t.Fatal(err)
			}
			a.publish(data)
		}
		last := func(w *watcher) (status wire.StreamStatus, problem string) {
			synctest.Wait()
			for _, c := range controls(t, w) {
				if c.Event == wire.EventAgentStatus {
					status, problem = c.Status, c.Problem
				}
			}
			return status, problem
		}
		expect := func(w *watcher, problem string) {
			t.Helper()
			if status, got := last(w); status != wire.StreamStreaming || got != problem {
				t.Errorf("agent is %q with problem %q, want streaming with %q", status, got, problem)
			}
		}
		expect(w, "")
		presence("the disk is full")
		expect(w, "the disk is full")
		late := watch(h, hub.View{AllEvents: true})
		defer late.leave()
		expect(late, "the disk is full")
		presence("")
		expect(w, "")
		presence("the disk is full")
		expect(late, "the disk is full")
		a.report(wire.ReportOpen, nil)
		expect(w, "")
	})
}

// lost sends the next item, a gap without numbers.
func (a *fakeAgent) lost(gap wire.Control) {
	gap.Type, gap.Event, gap.Agent, gap.Epoch = "control", wire.EventGap, a.id, a.epoch
	data, err := wire.AppendLink(nil, wire.LinkGap, wire.GapItem{Session: sessionID, Epoch: a.epoch, Item: a.item, Gap: gap})
	if err != nil {
		a.tb.Fatal(err)
	}
	a.send(a.keep(data, wire.ReplayPiece{First: a.seq, Gap: &gap}, 0))
}

// TestTrailingGapsAreTold tells what a viewer lost although nothing comes after it.
func TestTrailingGapsAreTold(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, _ *hub.Hub, a *fakeAgent) {
		small := hub.New(hub.Options{Fabric: a.fab, RingBytes: 8 << 10})
		defer func() { _ = small.Close() }()
		err := small.Open(hub.Session{
			ID: sessionID, Agents: []wire.AgentRef{{ID: agentID}}, Mode: wire.ModeLive, ExpiresAt: time.Now().Add(time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		a.report(wire.ReportOpen, nil)
		synctest.Wait()
		w := watch(small, hub.View{AllEvents: true})
		defer w.leave()
		synctest.Wait()
		w.gate.set(func() { w.gate.stalled = true })
		for range 100 {
			a.send(a.batch(5))
		}
		a.send(a.gap(4))
		synctest.Wait()
		w.gate.set(func() { w.gate.stalled = false })
		synctest.Wait()
		states, _ := w.check(t)
		if s := states[agentID]; s.delivered+s.gapped != 504 || s.gapped <= 4 {
			t.Errorf("%d events came and %d were told lost, want 504 and most of them lost", s.delivered, s.gapped)
		}
		for _, c := range controls(t, w) {
			if stage, known := wire.StageOf(c.Reason); c.Event == wire.EventGap && (!known || c.Stage != stage) {
				t.Errorf("gap for %q at %q; the table knows %q", c.Reason, c.Stage, stage)
			}
		}
	})
}

// TestNewServerTellsWhatItNeverSaw lets a viewer return to a server that began after the agent had lost its journal
// and others had taken events of the new epoch: these are told, too.
func TestNewServerTellsWhatItNeverSaw(t *testing.T) {
	for name, lostEpoch := range map[string]uint64{"agent-tells-the-loss": 1, "agent-began-anew-too": 0} {
		t.Run(name, func(t *testing.T) {
			h, fab := newHub(t, nil)
			a := newFakeAgent(t, fab, agentID)
			a.epoch, a.item, a.seq = 2, 11, 101
			a.report(wire.ReportOpen, func(r *wire.Report) { r.LostEpoch = lostEpoch })
			h.AwaitOpen(t.Context(), sessionID)
			w := watch(h, hub.View{
				AllEvents: true, HasAfter: true, After: wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 50}},
			})
			a.await(func(ack wire.Ack) bool { return ack.Attached })
			a.send(a.batch(3))
			a.await(func(ack wire.Ack) bool { return ack.Item == 11 })
			a.report(wire.ReportClosed, nil)
			h.End(t.Context(), sessionID, wire.EndStopped)
			<-w.done
			states, ended := w.check(t)
			s := states[agentID]
			if !ended || s.epoch != 2 || s.delivered != 3 || s.gapped != 100 {
				t.Errorf("ended %v with %+v in\n%s", ended, s, w.gate.text())
			}
			if n := count(controls(t, w), wire.EventGap); n != 2 {
				t.Errorf("%d gaps, want the epoch's loss and 100 events", n)
			}
		})
	}
}

package hub_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// controls lists the control frames of a stream by event, with the seconds that they tell.
func controls(t *testing.T, w *watcher) []wire.Control {
	t.Helper()
	var out []wire.Control
	for _, line := range w.gate.lines() {
		var c wire.Control
		if line == "" || strings.HasPrefix(line, `{"type":"log"`) {
			continue
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

// count counts the frames of one event.
func count(list []wire.Control, event wire.Event) int {
	n := 0
	for _, c := range list {
		if c.Event == event {
			n++
		}
	}
	return n
}

// timed runs a test in a bubble of time, with a session of some length.
func timed(t *testing.T, length time.Duration, test func(*testing.T, *hub.Hub, *fakeAgent)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		fab := fabric.NewMemory()
		h := hub.New(hub.Options{Fabric: fab})
		err := h.Open(hub.Session{
			ID: sessionID, Agents: []wire.AgentRef{{ID: agentID}}, Mode: wire.ModeLive,
			ExpiresAt: time.Now().Add(length),
		})
		if err != nil {
			t.Fatal(err)
		}
		a := newFakeAgent(t, fab, agentID)
		a.report(wire.ReportOpen, nil)
		synctest.Wait()
		test(t, h, a)
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := fab.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestWarningComesOnTime is about the announcement of the end.
func TestWarningComesOnTime(t *testing.T) {
	timed(t, 5*time.Minute, func(t *testing.T, h *hub.Hub, _ *fakeAgent) {
		w := watch(h, hub.View{})
		time.Sleep(4*time.Minute + 29*time.Second)
		synctest.Wait()
		if got := controls(t, w); len(got) != 0 {
			t.Fatalf("early: %+v", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := controls(t, w)
		if len(got) != 1 || got[0].Event != wire.EventSessionEnding || *got[0].SecondsRemaining != 30 ||
			got[0].Reason != string(wire.EndTimeout) {
			t.Fatalf("warning: %+v", got)
		}
		late := watch(h, hub.View{})
		time.Sleep(10*time.Second + 300*time.Millisecond)
		later := watch(h, hub.View{})
		synctest.Wait()
		if got := controls(t, late); len(got) != 1 || *got[0].SecondsRemaining != 30 {
			t.Errorf("viewer at 30 s: %+v", got)
		}
		if got := controls(t, later); len(got) != 1 || *got[0].SecondsRemaining != 20 {
			t.Errorf("viewer at 19.7 s: %+v", got)
		}
		h.Extend(sessionID, time.Now().Add(time.Minute))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if got := controls(t, w); len(got) != 2 || *got[1].SecondsRemaining != 30 {
			t.Errorf("after extend: %+v", got)
		}
	})
}

// TestShortSessionWarnsAtOnce tells the true remainder.
func TestShortSessionWarnsAtOnce(t *testing.T) {
	timed(t, 7*time.Second, func(t *testing.T, h *hub.Hub, _ *fakeAgent) {
		w := watch(h, hub.View{})
		synctest.Wait()
		if got := controls(t, w); len(got) != 1 || *got[0].SecondsRemaining != 7 {
			t.Errorf("got %+v", got)
		}
	})
}

// TestRegularFrames is about stats and heartbeats.
func TestRegularFrames(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		w, plain := watch(h, hub.View{AllEvents: true}), watch(h, hub.View{})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		before := count(controls(t, w), wire.EventStats)
		for range 10 {
			a.send(a.batch(3))
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := count(controls(t, w), wire.EventStats) - before; n < 9 || n > 11 {
			t.Errorf("%d stats in 10 s of changes", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		quiet, before := len(controls(t, w)), plain.gate.beats()
		time.Sleep(45 * time.Second)
		synctest.Wait()
		if n := plain.gate.beats() - before; n < 2 || n > 3 {
			t.Errorf("a viewer that did not ask got %d blank lines in 45 s of silence", n)
		}
		list := controls(t, w)[quiet:]
		if n := count(list, wire.EventHeartbeat); n != len(list) || n < 2 || n > 3 {
			t.Errorf("45 s of silence: %+v", list)
		}
		h.Extend(sessionID, time.Now().Add(2*time.Hour))
		synctest.Wait()
		if n := count(controls(t, w), wire.EventSessionExtended); n != 1 {
			t.Errorf("told %d times that the session was extended", n)
		}
		if got := controls(t, plain); len(got) != 0 {
			t.Errorf("a viewer that did not ask got %+v", got)
		}
		if _, ended := w.check(t); ended {
			t.Error("ended")
		}
	})
}

// TestEndWaitsForTheAgentThatIsThere and for no other.
func TestEndWaitsForTheAgentThatIsThere(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		w := watch(h, hub.View{})
		begin := time.Now()
		time.AfterFunc(time.Second, func() {
			a.report(wire.ReportClosed, func(r *wire.Report) { r.Accounts.Seen, r.Accounts.Filtered = 5, 5 })
		})
		accounts := h.End(context.Background(), sessionID, wire.EndTimeout)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v, want until the agent's last word", took)
		}
		if accounts.Agents[agentID].Filtered != 5 {
			t.Errorf("accounts %+v", accounts)
		}
		<-w.done
		list := controls(t, w)
		if end := list[len(list)-1]; end.Event != wire.EventSessionEnded || end.Reason != string(wire.EndTimeout) {
			t.Errorf("last frame %+v", end)
		}
	})
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, _ *fakeAgent) {
		begin := time.Now()
		h.End(context.Background(), sessionID, wire.EndTimeout)
		if took := time.Since(begin); took != wire.EndGrace {
			t.Errorf("silent agent: took %v, want %v", took, wire.EndGrace)
		}
	})
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		data, err := wire.AppendLink(nil, wire.LinkStatus, hub.Presence{Status: wire.StreamUnreachable})
		if err != nil {
			t.Fatal(err)
		}
		a.publish(data)
		synctest.Wait()
		begin := time.Now()
		h.End(context.Background(), sessionID, wire.EndTimeout)
		if took := time.Since(begin); took != 0 {
			t.Errorf("unreachable agent: took %v", took)
		}
	})
}

// TestAttachedFollowsViewers is about what an agent is told.
func TestAttachedFollowsViewers(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		attached := func() bool {
			synctest.Wait()
			ack, _ := a.lastAck()
			return ack.Attached
		}
		if attached() {
			t.Error("attached without a viewer")
		}
		w := watch(h, hub.View{})
		if !attached() {
			t.Error("not attached with a viewer")
		}
		w.leave()
		if attached() {
			t.Error("attached after the last viewer left")
		}
		a.send(a.batch(3))
		synctest.Wait()
		if ack, _ := a.lastAck(); ack.Item != 0 {
			t.Errorf("acknowledged item %d that nobody took", ack.Item)
		}
	})
}

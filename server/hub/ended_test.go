package hub_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// The times that an ended session has, as the package has them.
const (
	holdLimit  = 30 * time.Second
	drainLimit = 30 * time.Second
	closeLimit = 2 * time.Second
)

// endAndClose ends the session as one whose agent has said its last word.
func endAndClose(h *hub.Hub, a *fakeAgent) {
	a.report(wire.ReportClosed, nil)
	h.End(context.Background(), sessionID, wire.EndStopped)
}

// TestEndWaitsForWhoReads gives a viewer that stands still when its session ends the rest and the accounts, if it goes
// on in time, and announces the rest to one that is too slow for that.
func TestEndWaitsForWhoReads(t *testing.T) {
	for _, test := range []struct {
		name   string
		stalls []time.Duration // how long it stands still, between taking a little
		gapped bool
	}{
		{"reads", nil, false},
		{"pauses", []time.Duration{20 * time.Second}, false},
		{"is-too-slow", []time.Duration{20 * time.Second, 20 * time.Second}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
				a.pad = strings.Repeat("x", 400)
				w := watch(h, hub.View{AllEvents: true})
				synctest.Wait()
				if len(test.stalls) > 0 {
					w.gate.set(func() { w.gate.stalled = true })
				}
				for range 30 {
					a.send(a.batch(50))
				}
				a.lost(wire.Control{Unit: wire.UnitBytes, Count: 100, File: "/var/log/a", Reason: wire.ReasonTruncated})
				synctest.Wait()
				endAndClose(h, a)
				for i, pause := range test.stalls {
					<-time.After(pause)
					if i < len(test.stalls)-1 {
						w.gate.set(func() { w.gate.allow = 1 })
					}
				}
				w.gate.set(func() { w.gate.stalled = false })
				<-w.done
				states, ended := w.check(t)
				s := states[agentID]
				if !ended || s == nil || s.account == nil || s.delivered+s.gapped != 1500 || s.account.InFlight != 0 {
					t.Fatalf("ended %v with %+v", ended, s)
				}
				if (s.gapped > 0) != test.gapped {
					t.Errorf("%d came, %d announced as lost", s.delivered, s.gapped)
				}
				if n := strings.Count(w.gate.text(), `"reason":"truncated"`); n != 1 {
					t.Errorf("told %d times of the bytes that were lost", n)
				}
			})
		})
	}
}

// TestEndedSessionTakesViewersBack gives who was cut before its session ended, and returns with its cursor, the rest
// and the final accounts, over each kind of stream.
func TestEndedSessionTakesViewersBack(t *testing.T) {
	for _, kind := range []string{"/ws", "/sse", "/nd"} {
		t.Run(kind[1:], func(t *testing.T) {
			h, fab := newHub(t, nil)
			a := newFakeAgent(t, fab, agentID)
			a.report(wire.ReportOpen, nil)
			a.send(a.batch(10))
			a.send(a.gap(5))
			a.settle(t)
			endAndClose(h, a)
			server := serve(t, h, hub.View{HasAfter: true, After: wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 4}}})
			var text string
			for again := range 2 {
				text = readAll(t, server, kind)
				var last wire.Control
				lines := strings.Split(strings.TrimSpace(text), "\n")
				err := json.Unmarshal([]byte(strings.TrimPrefix(lines[len(lines)-1], "data: ")), &last)
				if err != nil || last.Event != wire.EventSessionEnded || last.Accounts == nil {
					t.Fatalf("visit %d ended with %s (%v)", again, lines[len(lines)-1], err)
				}
				want := wire.ViewerAccounts{Offered: 11, Delivered: 6, Gapped: 5}
				if got := last.Accounts.Viewer[agentID]; got != want || strings.Count(text, `"type":"log"`) != 6 {
					t.Errorf("visit %d: %+v in\n%s", again, got, text)
				}
				if got := last.Accounts.Agents[agentID]; got.Sent != 15 {
					t.Errorf("visit %d: the agent's account is %+v", again, got)
				}
			}
		})
	}
}

// readAll reads one stream to its end.
func readAll(t *testing.T, server *httptest.Server, path string) string {
	t.Helper()
	var text strings.Builder
	if path != "/ws" {
		resp, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		if err := resp.Write(&text); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v", resp.Status, err)
		}
		return strings.TrimSuffix(text.String(), "0\r\n\r\n")
	}
	conn, _, err := websocket.Dial(t.Context(), strings.Replace(server.URL, "http", "ws", 1)+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	for {
		_, data, err := conn.Read(t.Context())
		if err != nil {
			if websocket.CloseStatus(err) != websocket.StatusNormalClosure {
				t.Errorf("closed with %v", err)
			}
			return text.String()
		}
		text.Write(data)
		text.WriteByte('\n')
	}
}

// TestEndedSessionIsFreed refuses those that do not say what they are owed, and all when the time is over.
func TestEndedSessionIsFreed(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		a.send(a.batch(10))
		synctest.Wait()
		endAndClose(h, a)
		after := hub.View{HasAfter: true, After: wire.Cursor{{Agent: a.uuid, Epoch: 1, Seq: 9}}}
		for _, test := range []struct {
			at   time.Duration
			view hub.View
			want string
		}{
			{0, hub.View{}, `"error":"session_ended"`},
			{0, after, `"seq":10}`},
			{0, hub.View{FromStart: true}, `"seq":1}`},
			{holdLimit - time.Second, after, `"seq":10}`},
			{2 * time.Second, after, `"error":"not_found"`},
		} {
			<-time.After(test.at)
			synctest.Wait()
			w := watch(h, test.view)
			<-w.done
			if text := w.gate.text(); !strings.Contains(text, test.want) {
				t.Errorf("after %v more: %s, want %s", test.at, text, test.want)
			}
		}
		if h.Held(sessionID) {
			t.Error("still held")
		}
		checkViewers(t, h.Totals().Viewers)
	})
}

// TestLateReturnHasItsTime gives who comes back at the last moment as long to read as all others.
func TestLateReturnHasItsTime(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		a.pad = strings.Repeat("x", 400)
		for range 30 {
			a.send(a.batch(50))
		}
		synctest.Wait()
		endAndClose(h, a)
		<-time.After(holdLimit - time.Second)
		w := watch(h, hub.View{AllEvents: true, FromStart: true})
		w.gate.set(func() { w.gate.stalled = true })
		<-time.After(drainLimit - time.Second)
		w.gate.set(func() { w.gate.stalled = false })
		<-w.done
		if states, ended := w.check(t); !ended || states[agentID].delivered != 1500 {
			t.Errorf("ended %v with %+v", ended, states[agentID])
		}
	})
}

// TestEndedSessionsHoldNoMoreThanTheyMay lets those go first that ended first.
func TestEndedSessionsHoldNoMoreThanTheyMay(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		const sessions, each, bound = 12, 8 << 20, 64 << 20
		for i := range sessions {
			id := fmt.Sprintf("sess_%d", i)
			err := h.Open(hub.Session{
				ID: id, Agents: []wire.AgentRef{{ID: agentID}}, Mode: wire.ModeLive, ExpiresAt: time.Now().Add(time.Hour),
			})
			if err != nil {
				t.Fatal(err)
			}
			b := newFakeAgentOf(t, a.fab, agentID, id)
			b.pad = strings.Repeat("x", 60<<10)
			b.report(wire.ReportOpen, nil)
			for range each / (60 << 10) {
				b.send(b.batch(1))
			}
			synctest.Wait()
			b.report(wire.ReportClosed, nil)
			h.End(context.Background(), id, wire.EndStopped)
			<-time.After(time.Millisecond)
		}
		for i := range sessions {
			w := watchSession(h, fmt.Sprintf("sess_%d", i), hub.View{FromStart: true})
			<-w.done
			freed := strings.Contains(w.gate.text(), `"error":"`)
			if want := i < sessions-bound/each; freed != want {
				t.Errorf("session %d was let go: %v, want %v", i, freed, want)
			}
		}
	})
}

// TestCloseHurriesEndedSessions waits for their viewers for a moment only.
func TestCloseHurriesEndedSessions(t *testing.T) {
	timed(t, time.Hour, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		w := watch(h, hub.View{})
		synctest.Wait()
		w.gate.set(func() { w.gate.stalled = true })
		a.send(a.batch(10))
		synctest.Wait()
		endAndClose(h, a)
		began := time.Now()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != closeLimit {
			t.Errorf("took %v, want %v", took, closeLimit)
		}
		<-w.done
	})
}

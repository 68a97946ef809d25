package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// gate is a response that takes bytes only while it is open, as a viewer that stalls and goes on.
type gate struct {
	header http.Header

	// mu guards the fields below; cond tells of each change.
	mu      sync.Mutex
	cond    *sync.Cond
	stalled bool
	// allow is how many writes are taken although it is stalled.
	allow int
	cut   bool
	body  bytes.Buffer
	// deadline is when a write that waits fails.
	deadline time.Time
}

func newGate() *gate {
	g := &gate{header: http.Header{}}
	g.cond = sync.NewCond(&g.mu)
	return g
}

func (g *gate) Header() http.Header { return g.header }
func (g *gate) WriteHeader(int)     {}
func (g *gate) Flush()              {}

func (g *gate) SetWriteDeadline(at time.Time) error {
	left := time.Until(at)
	g.set(func() { g.cut, g.deadline = g.cut || left < 0, at })
	return nil
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stalled {
		wake := time.AfterFunc(time.Until(g.deadline), func() { g.set(func() {}) })
		defer wake.Stop()
	}
	for g.stalled && g.allow == 0 && !g.cut && time.Now().Before(g.deadline) {
		g.cond.Wait()
	}
	if g.cut || g.stalled && g.allow == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	if g.stalled {
		g.allow--
	}
	defer g.cond.Broadcast()
	return g.body.Write(p)
}

// set changes the gate.
func (g *gate) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	g.cond.Broadcast()
}

// await waits until something was taken.
func (g *gate) await(size int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.body.Len() < size {
		g.cond.Wait()
	}
}

// text is what was taken so far.
func (g *gate) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.body.String()
}

// lines is what was taken so far, whole lines only, but for the blank ones that break a silence.
func (g *gate) lines() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	text := g.body.String()
	lines := strings.SplitAfter(text[:strings.LastIndexByte(text, '\n')+1], "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return line == "\n" })
}

// beats counts the blank lines that were taken so far.
func (g *gate) beats() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	text := g.body.String()
	return strings.Count(text, "\n\n") + strings.Count(text[:min(len(text), 1)], "\n")
}

// watcher is a viewer of the model.
type watcher struct {
	gate  *gate
	leave context.CancelFunc
	done  chan struct{}
	after wire.Cursor
	has   bool
}

// watch starts a viewer.
func watch(h *hub.Hub, view hub.View) *watcher { return watchSession(h, sessionID, view) }

// watchSession starts a viewer of some session.
func watchSession(h *hub.Hub, id string, view hub.View) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{gate: newGate(), leave: cancel, done: make(chan struct{}), after: view.After, has: view.HasAfter}
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	go func() {
		defer close(w.done)
		h.ServeNDJSON(w.gate, r, id, view)
	}()
	return w
}

// seen is what the stream of one viewer says of one agent.
type seen struct {
	epoch, next       uint64
	delivered, gapped uint64
	changed           bool // the epoch may change now
	account           *wire.ViewerAccounts
	beganWith         uint64
}

// check reads a viewer's stream: each number must come once, in order, as an event or within a gap.
func (w *watcher) check(t fataler) (map[string]*seen, bool) {
	out := map[string]*seen{}
	for _, p := range w.after {
		out[wire.FormatUUID(p.Agent)] = &seen{epoch: p.Epoch, next: p.Seq + 1}
	}
	ended := false
	for _, line := range w.gate.lines() {
		if line == "" {
			continue
		}
		var f struct {
			wire.Control
			Seq     uint64 `json:"seq"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		s := out[f.Agent]
		if s == nil && f.Agent != "" {
			s = &seen{}
			out[f.Agent] = s
		}
		switch {
		case f.Type == "log":
			s.step(t, f.Epoch, f.Seq, f.Seq)
			if !strings.HasPrefix(f.Message, fmt.Sprintf("event %d", f.Seq)) {
				t.Fatalf("event %d says %.40s", f.Seq, f.Message)
			}
			s.delivered++
		case f.Event == wire.EventGap && f.Reason == wire.ReasonJournalLost:
			s.changed = true
		case f.Event == wire.EventGap && f.Unit == wire.UnitBytes:
			// It takes no numbers.
		case f.Event == wire.EventGap:
			s.step(t, f.Epoch, f.From, f.To)
			if f.Count != f.To-f.From+1 {
				t.Fatalf("gap counts %d: %s", f.Count, line)
			}
			s.gapped += f.Count
		case f.Event == wire.EventSessionStarted:
			for id, next := range f.NextSeq {
				if s := out[id]; s == nil {
					out[id] = &seen{beganWith: next}
				}
			}
		case f.Event == wire.EventStats || f.Event == wire.EventSessionEnded:
			ended = f.Event == wire.EventSessionEnded
			for id, account := range f.Accounts.Viewer {
				if !account.Closes() {
					t.Fatalf("account does not close: %s", line)
				}
				s := out[id]
				if s == nil {
					continue
				}
				s.account = &account
				if account.Delivered != s.delivered || account.Gapped != s.gapped {
					t.Fatalf("%s: account %+v, seen %d and %d", f.Event, account, s.delivered, s.gapped)
				}
			}
		}
	}
	return out, ended
}

// step takes the numbers from to to.
func (s *seen) step(t fataler, epoch, from, to uint64) {
	switch {
	case s.epoch == 0:
		// Where it was told to begin counts unless the epoch changed before anything came.
		if s.beganWith != 0 && from != s.beganWith && !s.changed {
			t.Fatalf("began with %d, announced %d", from, s.beganWith)
		}
	case epoch > s.epoch && s.changed:
		if from != 1 {
			t.Fatalf("epoch %d begins with %d", epoch, from)
		}
	case epoch != s.epoch || from != s.next:
		t.Fatalf("got %d.%d to %d, want %d.%d", epoch, from, to, s.epoch, s.next)
	}
	s.epoch, s.next, s.changed = epoch, to+1, false
}

// fataler is what the checks need of a test.
type fataler interface {
	Fatalf(format string, args ...any)
}

// cursorOf is where a stream's reader stands.
func cursorOf(t fataler, w *watcher) wire.Cursor {
	var c wire.Cursor
	states, _ := w.check(t)
	for _, id := range []string{agentID, otherID} {
		if s := states[id]; s != nil && s.epoch != 0 {
			uuid, err := wire.ParseUUID(id)
			if err != nil {
				t.Fatalf("%v", err)
			}
			c = append(c, wire.Position{Agent: uuid, Epoch: s.epoch, Seq: s.next - 1})
		}
	}
	return c
}

// TestEveryViewerSeesEachNumberOnce lets agents and viewers do anything, and holds each stream against the promise.
func TestEveryViewerSeesEachNumberOnce(t *testing.T) {
	// A small ring falls behind as a large one does, and takes less time to.
	const ringBytes = 96 << 10
	big := strings.Repeat("x", 400)
	rapid.Check(t, func(rt *rapid.T) {
		fab := fabric.NewMemory()
		h := hub.New(hub.Options{Fabric: fab, RingBytes: ringBytes})
		mode := rapid.SampledFrom([]wire.Mode{wire.ModeLive, wire.ModeComplete}).Draw(rt, "mode")
		err := h.Open(hub.Session{
			ID: sessionID, Mode: mode, Agents: []wire.AgentRef{{ID: agentID}, {ID: otherID}},
			ExpiresAt: time.Now().Add(time.Hour),
		})
		if err != nil {
			rt.Fatalf("%v", err)
		}
		agents := []*fakeAgent{newFakeAgent(t, fab, agentID), newFakeAgent(t, fab, otherID)}
		var change func(*wire.Report)
		if rapid.Bool().Draw(rt, "able") {
			change = able
		}
		for _, a := range agents {
			a.report(wire.ReportOpen, change)
		}
		watchers := []*watcher{watch(h, hub.View{FromStart: true, AllEvents: true})}
		agent := func() *fakeAgent { return agents[rapid.IntRange(0, 1).Draw(rt, "agent")] }
		watcherOf := func() *watcher { return watchers[rapid.IntRange(0, len(watchers)-1).Draw(rt, "watcher")] }
		rt.Repeat(map[string]func(*rapid.T){
			"batch": func(rt *rapid.T) {
				a := agent()
				a.send(a.batch(rapid.IntRange(1, 5).Draw(rt, "count")))
			},
			"flood": func(rt *rapid.T) {
				a := agent()
				a.pad = big
				for range rapid.IntRange(1, 9).Draw(rt, "batches") {
					a.send(a.batch(30))
				}
				a.pad = ""
			},
			"gap":    func(rt *rapid.T) { a := agent(); a.send(a.gap(uint64(rapid.IntRange(1, 9).Draw(rt, "count")))) },
			"lose":   func(*rapid.T) { agent().batch(2) },
			"double": func(rt *rapid.T) { a := agent(); a.again(uint64(rapid.IntRange(1, 30).Draw(rt, "back"))) },
			"epoch": func(*rapid.T) {
				a := agent()
				a.settle(rt)
				lost := a.epoch
				a.epoch, a.item, a.seq, a.sent = a.epoch+1, 1, 1, map[uint64][]byte{}
				a.report(wire.ReportOpen, func(r *wire.Report) { r.LostEpoch, r.Replays = lost, change != nil })
			},
			"reconnect": func(*rapid.T) { a := agent(); a.settle(rt); a.report(wire.ReportOpen, change) },
			"join": func(rt *rapid.T) {
				view := hub.View{AllEvents: true}
				switch rapid.IntRange(0, 2).Draw(rt, "from") {
				case 0:
					view.FromStart = true
				case 1:
					view.HasAfter, view.After = true, cursorOf(rt, watcherOf())
				}
				watchers = append(watchers, watch(h, view))
			},
			"leave": func(*rapid.T) { w := watcherOf(); w.leave(); w.gate.set(func() { w.gate.cut = true }) },
			"stall": func(*rapid.T) { w := watcherOf(); w.gate.set(func() { w.gate.stalled = true }) },
			"go-on": func(*rapid.T) { w := watcherOf(); w.gate.set(func() { w.gate.stalled = false }) },
			"":      func(*rapid.T) {},
			"presence": func(*rapid.T) {
				_ = h.Accounts(sessionID)
				_ = h.Viewers(sessionID)
				checkViewers(rt, h.Totals().Viewers)
			},
		})
		last := watch(h, hub.View{FromStart: true, AllEvents: true})
		watchers = append(watchers, last)
		last.gate.await(1)
		for _, w := range watchers {
			w.gate.set(func() { w.gate.stalled = false })
		}
		for _, a := range agents {
			a.settle(rt)
			a.report(wire.ReportClosed, nil)
		}
		h.End(context.Background(), sessionID, wire.EndStopped)
		for _, w := range watchers {
			<-w.done
			states, ended := w.check(rt)
			if !ended {
				if w == last {
					rt.Fatalf("the last viewer was not told the end")
				}
				continue
			}
			for _, a := range agents {
				s := states[a.id]
				if s == nil {
					s = &seen{}
				}
				if s.account != nil && s.account.InFlight != 0 {
					rt.Fatalf("still in flight at the end: %+v", *s.account)
				}
				if s.epoch != 0 && s.epoch == a.epoch && s.next != a.seq {
					rt.Fatalf("agent %s ended at %d, the viewer at %d", a.id, a.seq, s.next)
				}
				if w == last && a.seq > 1 && s.epoch != a.epoch {
					rt.Fatalf("the last viewer stands in epoch %d, agent in %d", s.epoch, a.epoch)
				}
			}
		}
		if sum := h.Totals().Viewers; sum.InFlight != 0 {
			rt.Fatalf("all viewers are gone, and still in flight: %+v", sum)
		} else {
			checkViewers(rt, sum)
		}
		if err := h.Close(); err != nil {
			rt.Fatalf("%v", err)
		}
		if err := fab.Close(); err != nil {
			rt.Fatalf("%v", err)
		}
	})
}

// again sends an item that was sent before.
func (a *fakeAgent) again(back uint64) {
	if back < a.item {
		if data := a.sent[a.item-back]; data != nil {
			a.send(a.item - back)
		}
	}
}

// settle sends everything of the epoch again, in order, so that the hub has all of it; what it has it drops.
func (a *fakeAgent) settle(t fataler) {
	for item := uint64(1); item < a.item; item++ {
		a.send(item)
	}
	a.sync(t)
}

// sync waits until everything that was sent is taken.
func (a *fakeAgent) sync(t fataler) {
	// The answer to a request comes behind everything published before it. The message itself says nothing new.
	data, err := wire.AppendLink(bytes.Clone(a.uuid[:]), wire.LinkStatus, hub.Presence{Status: wire.StreamStreaming})
	if err != nil {
		t.Fatalf("settle: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := a.fab.Request(ctx, "session."+sessionID+".data", data); err != nil {
		t.Fatalf("settle: %v", err)
	}
}

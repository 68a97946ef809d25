package hub_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// pollAnswer is the answer to one poll.
type pollAnswer struct {
	status int
	// blanks counts the white space before the answer.
	blanks int
	wire.PollAnswer
	frames []frame
}

// seqs are the numbers of the log frames, gaps as negative numbers of their last event.
func (p *pollAnswer) seqs() []int {
	var out []int
	for _, f := range p.frames {
		switch {
		case f.Type == "log":
			out = append(out, int(f.Seq))
		case f.Event == wire.EventGap:
			out = append(out, -int(f.To))
		}
	}
	return out
}

// event is the last frame of an event, nil if there is none.
func (p *pollAnswer) event(e wire.Event) *frame {
	for i := len(p.frames) - 1; i >= 0; i-- {
		if p.frames[i].Event == e {
			return &p.frames[i]
		}
	}
	return nil
}

// poll polls once, after a cursor if there is one.
func poll(tb testing.TB, h *hub.Hub, after string, wait time.Duration) *pollAnswer {
	tb.Helper()
	return pollWith(context.Background(), tb, h, hub.View{AllEvents: true}, after, wait)
}

// pollWith polls once with a context and a view.
func pollWith(
	ctx context.Context, tb testing.TB, h *hub.Hub, view hub.View, after string, wait time.Duration,
) *pollAnswer {
	tb.Helper()
	if after != "" {
		cursor, err := wire.ParseCursor(after)
		if err != nil {
			tb.Errorf("cursor %q: %v", after, err)
			return &pollAnswer{}
		}
		view.After, view.HasAfter = cursor, true
	}
	w := httptest.NewRecorder()
	h.ServePoll(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), sessionID, view, wait)
	text := w.Body.String()
	out := &pollAnswer{status: w.Code, blanks: len(text) - len(strings.TrimLeft(text, "\n"))}
	if w.Code != http.StatusOK || w.Body.Len() == 0 {
		return out
	}
	if err := json.Unmarshal(w.Body.Bytes(), &out.PollAnswer); err != nil {
		tb.Errorf("answer %q: %v", w.Body, err)
	}
	for _, data := range out.Frames {
		var f frame
		if err := json.Unmarshal(data, &f); err != nil {
			tb.Errorf("frame %q: %v", data, err)
		}
		out.frames = append(out.frames, f)
	}
	return out
}

// TestPollsSeeEachNumberOnce polls through a session to its end: nothing is missing, nothing comes twice, and the
// account of the one viewer closes.
func TestPollsSeeEachNumberOnce(t *testing.T) {
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	first := poll(t, h, "", 0)
	if first.event(wire.EventSessionStarted) == nil || first.Cursor == "" || first.Ended {
		t.Fatalf("first answer %+v", first)
	}
	a.await(func(ack wire.Ack) bool { return ack.Attached && ack.Epoch == 1 })
	go func() {
		for range 200 {
			a.send(a.batch(50))
		}
		a.send(a.gap(7))
		a.await(func(ack wire.Ack) bool { return ack.Item == a.item-1 })
		a.report(wire.ReportClosed, nil)
		h.End(context.Background(), sessionID, wire.EndStopped)
	}()
	next, cursor := 1, first.Cursor
	for {
		got := poll(t, h, cursor, wire.MaxPollWait)
		for _, seq := range got.seqs() {
			if seq < 0 {
				next = -seq
			} else if seq != next {
				t.Fatalf("event %d, want %d", seq, next)
			}
			next++
		}
		if cursor = got.Cursor; got.Ended {
			last := got.frames[len(got.frames)-1]
			want := wire.ViewerAccounts{Offered: 10007, Delivered: 10000, Gapped: 7}
			if last.Event != wire.EventSessionEnded || last.Accounts.Viewer[agentID] != want {
				t.Errorf("ended with %+v %+v", last, last.Accounts)
			}
			break
		}
	}
	if next != 10008 {
		t.Errorf("got up to %d", next)
	}
	if got := poll(t, h, cursor, 0); got.status != http.StatusNotFound {
		t.Errorf("after the end: %+v", got)
	}
}

func TestPollWaits(t *testing.T) {
	timed(t, 70*time.Second, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		began := time.Now()
		first := poll(t, h, "", 3*time.Second)
		if waited := time.Since(began); waited != 3*time.Second || len(first.seqs()) != 0 {
			t.Errorf("waited %v for %v", waited, first.seqs())
		}
		go func() {
			time.Sleep(2 * time.Second)
			a.send(a.batch(3))
		}()
		began = time.Now()
		second := poll(t, h, first.Cursor, wire.PollWait)
		if waited := time.Since(began); waited != 2*time.Second || len(second.seqs()) != 3 {
			t.Errorf("waited %v for %v", waited, second.seqs())
		}
		// A long silence is broken by white space before the answer, which is not for stats and heartbeats.
		began = time.Now()
		third := poll(t, h, second.Cursor, wire.PollWait)
		waited := time.Since(began)
		if waited != wire.PollWait || third.blanks != 1 || third.event(wire.EventHeartbeat) == nil {
			t.Errorf("waited %v with %d blanks for %+v", waited, third.blanks, third.frames)
		}
		// The warning does not wait.
		began = time.Now()
		fourth := poll(t, h, third.Cursor, wire.MaxPollWait)
		if waited := time.Since(began); waited != 15*time.Second || fourth.event(wire.EventSessionEnding) == nil {
			t.Errorf("waited %v for %+v", waited, fourth.frames)
		}
	})
}

// TestPollKeepsItsPlace is about the time between two polls: the agent is not told of it, what comes meanwhile is
// held, and only when nobody comes back does the viewer end.
func TestPollKeepsItsPlace(t *testing.T) {
	timed(t, 10*time.Minute, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		cursor := poll(t, h, "", 0).Cursor
		synctest.Wait()
		for range 5 {
			time.Sleep(wire.PollGrace - time.Second)
			synctest.Wait()
			if ack, _ := a.lastAck(); !ack.Attached || h.Viewers(sessionID) != 1 {
				t.Fatalf("attached %v, %d viewers", ack.Attached, h.Viewers(sessionID))
			}
			a.send(a.batch(10))
			synctest.Wait()
			got := poll(t, h, cursor, 0)
			if len(got.seqs()) != 10 || got.event(wire.EventSessionStarted) != nil {
				t.Fatalf("got %v", got.seqs())
			}
			cursor = got.Cursor
		}
		a.send(a.batch(4))
		time.Sleep(wire.PollGrace)
		synctest.Wait()
		if ack, _ := a.lastAck(); ack.Attached || h.Viewers(sessionID) != 0 {
			t.Fatalf("still attached, %d viewers", h.Viewers(sessionID))
		}
		checkViewers(t, h.Totals().Viewers)
		if h.Totals().Viewers.Left != 4 {
			t.Errorf("what nobody took counts as %+v", h.Totals().Viewers)
		}
		// Whoever comes back after all is a new viewer, and gets the rest.
		got := poll(t, h, cursor, time.Second)
		if len(got.seqs()) != 4 || got.event(wire.EventSessionStarted) == nil {
			t.Errorf("came back to %v", got.seqs())
		}
	})
}

// TestPollAfterALostAnswer polls again with the cursor before the last: what was lost comes again, and nothing else.
func TestPollAfterALostAnswer(t *testing.T) {
	timed(t, 10*time.Minute, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		first := poll(t, h, "", 0)
		a.send(a.batch(5))
		lost := poll(t, h, first.Cursor, time.Second)
		again := poll(t, h, first.Cursor, time.Second)
		if len(lost.seqs()) != 5 || len(again.seqs()) != 5 || again.seqs()[0] != 1 || again.Cursor == lost.Cursor {
			t.Errorf("lost %v, got again %v", lost.seqs(), again.seqs())
		}
		if h.Viewers(sessionID) != 1 {
			t.Errorf("%d viewers", h.Viewers(sessionID))
		}
		// The end cannot be asked of the session again, so the last answer is kept.
		a.report(wire.ReportClosed, nil)
		h.End(context.Background(), sessionID, wire.EndStopped)
		last := poll(t, h, again.Cursor, time.Second)
		if !last.Ended {
			t.Fatalf("no end: %+v", last.frames)
		}
		cursor, err := wire.ParseCursor(again.Cursor)
		if err != nil || !h.Polled(sessionID, cursor) {
			t.Errorf("the end is not kept: %v", err)
		}
		if once := poll(t, h, again.Cursor, time.Second); !once.Ended || once.Cursor != last.Cursor {
			t.Errorf("the end came otherwise: %+v", once)
		}
		time.Sleep(wire.PollGrace)
		synctest.Wait()
		if h.Polled(sessionID, cursor) {
			t.Error("the end is kept for ever")
		}
	})
}

// TestPollOfAnEndBetweenPolls ends the session while nobody polls.
func TestPollOfAnEndBetweenPolls(t *testing.T) {
	timed(t, 10*time.Minute, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		first := poll(t, h, "", 0)
		a.send(a.batch(5))
		a.report(wire.ReportClosed, nil)
		h.End(context.Background(), sessionID, wire.EndTimeout)
		time.Sleep(wire.PollGrace / 2)
		got := poll(t, h, first.Cursor, wire.PollWait)
		if len(got.seqs()) != 5 || !got.Ended {
			t.Errorf("got %v, ended %v", got.seqs(), got.Ended)
		}
	})
}

// TestLaterPollTakesOver lets the same viewer ask twice at once, as one that gave its first question up does.
func TestLaterPollTakesOver(t *testing.T) {
	timed(t, 10*time.Minute, func(t *testing.T, h *hub.Hub, a *fakeAgent) {
		first := poll(t, h, "", 0)
		answers := make(chan *pollAnswer, 2)
		for range 2 {
			go func() { answers <- poll(t, h, first.Cursor, wire.MaxPollWait) }()
			synctest.Wait()
		}
		older := <-answers
		if older.Cursor != first.Cursor || len(older.frames) != 0 {
			t.Errorf("the older one got %+v", older)
		}
		a.send(a.batch(5))
		if later := <-answers; len(later.seqs()) != 5 {
			t.Errorf("the later one got %v", later.seqs())
		}
	})
}

// TestPollIsBounded fills a mailbox that nobody empties: it takes no more than an answer has, and the rest waits in
// the ring.
func TestPollIsBounded(t *testing.T) {
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	cursor := poll(t, h, "", 0).Cursor
	const events = 30_000
	go func() {
		for range events / 500 {
			item := a.batch(500)
			a.send(item)
			a.await(func(ack wire.Ack) bool { return item < ack.Item+10 })
		}
	}()
	for next, biggest := 1, 0; next <= events; {
		w := httptest.NewRecorder()
		view := hub.View{HasAfter: true}
		var err error
		if view.After, err = wire.ParseCursor(cursor); err != nil {
			t.Fatal(err)
		}
		h.ServePoll(w, httptest.NewRequest(http.MethodGet, "/", nil), sessionID, view, wire.MaxPollWait)
		if biggest = max(biggest, w.Body.Len()); biggest > wire.PollBytes+wire.PollBytes/4 {
			t.Fatalf("an answer of %d bytes", biggest)
		}
		var got wire.PollAnswer
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		for _, data := range got.Frames {
			if strings.HasPrefix(string(data), `{"type":"log"`) {
				next++
			}
		}
		cursor = got.Cursor
	}
}

func TestPollsEndWithTheHub(t *testing.T) {
	fab := fabric.NewMemory()
	defer fab.Close()
	h := hub.New(hub.Options{Fabric: fab})
	err := h.Open(hub.Session{
		ID: sessionID, Agents: []wire.AgentRef{{ID: agentID}}, Mode: wire.ModeLive, ExpiresAt: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	first := poll(t, h, "", 0)
	poll(t, h, "", 0)
	answered := make(chan *pollAnswer, 1)
	go func() { answered <- poll(t, h, first.Cursor, wire.MaxPollWait) }()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if got := <-answered; got.status != http.StatusServiceUnavailable {
		t.Errorf("answered %+v", got)
	}
	if got := poll(t, h, first.Cursor, 0); got.status != http.StatusServiceUnavailable {
		t.Errorf("a closed hub answers %+v", got)
	}
}

// TestPollHammer polls, leaves and comes back from many sides while lines come and the session ends.
func TestPollHammer(t *testing.T) {
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			cursor, next := "", 0
			for {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i+1)*3*time.Millisecond)
				got := pollWith(ctx, t, h, hub.View{AllEvents: i%2 == 0}, cursor, time.Second)
				cancel()
				if got.status != http.StatusOK || got.Ended {
					return
				}
				for _, seq := range got.seqs() {
					// The first of all may begin anywhere; after it each number comes once or in a gap.
					if seq > 0 && next != 0 && seq != next {
						t.Errorf("viewer %d got event %d, want %d", i, seq, next)
					}
					next = max(seq, -seq) + 1
				}
				if got.Cursor != "" {
					cursor = got.Cursor
				}
			}
		})
	}
	for range 100 {
		a.send(a.batch(20))
		a.await(func(ack wire.Ack) bool { return ack.Item+20 > a.item })
	}
	a.report(wire.ReportClosed, nil)
	h.End(context.Background(), sessionID, wire.EndStopped)
	all.Wait()
}

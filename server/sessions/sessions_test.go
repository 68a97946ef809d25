package sessions

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

// world is everything around a manager: agents that are always online, and streams that only count.
type world struct {
	mu     sync.Mutex
	open   map[string]int
	ends   map[string]int
	notice int
}

func (w *world) Find(_ context.Context, name string) (wire.Agent, error) {
	return wire.Agent{ID: name, Name: name, Status: wire.AgentOnline}, nil
}

// AwaitOpen does not wait: the agents of this world open at once.
func (w *world) AwaitOpen(context.Context, string) {}

func (w *world) Open(s hub.Session) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[s.ID]++
	return nil
}

func (w *world) Extend(string, time.Time) {}

func (w *world) End(_ context.Context, id string, _ wire.EndReason) wire.Accounts {
	time.Sleep(wire.EndGrace) // an agent that does not answer
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[id]++
	return wire.Accounts{Agents: map[string]wire.AgentAccounts{"a": {Seen: 1, Sent: 1}}}
}

func (w *world) Accounts(string) wire.Accounts { return wire.Accounts{} }

func (w *world) Viewers(string) int { return 0 }

func (w *world) Publish(string, []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notice++
	return nil
}

// manager makes a running manager in a world; stop ends it.
func manager(t *testing.T) (m *Manager, w *world, stop func()) {
	t.Helper()
	s, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w = &world{open: map[string]int{}, ends: map[string]int{}}
	m = New(Options{
		Store: s, Agents: w, Streams: w, Publish: w, Check: func(wire.Filters) error { return nil },
		StreamURL: "ws://x/",
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return m, w, func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Error(err)
		}
	}
}

// begin starts a session of so many seconds.
func begin(t *testing.T, m *Manager, seconds int) wire.Session {
	t.Helper()
	s, _, err := m.Start(t.Context(), wire.StartRequest{AgentID: "a", TimeoutSeconds: &seconds}, "x")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, w, stop := manager(t)
		defer stop()
		at := time.Now()
		short, long := begin(t, m, 10), begin(t, m, 20)
		time.Sleep(5 * time.Second)
		if _, err := m.Extend(t.Context(), short.ID, 30*time.Second); err != nil {
			t.Fatal(err)
		}
		if list, err := m.Desired(t.Context(), "a"); err != nil || len(list) != 2 || list[0].RemainingMS+list[1].RemainingMS != 45_000 ||
			list[0].AgeMS != 5000 {
			t.Errorf("desired %+v %v", list, err)
		}
		for _, want := range []struct {
			id  string
			end time.Duration
		}{{long.ID, 20 * time.Second}, {short.ID, 35 * time.Second}} {
			time.Sleep(time.Until(at.Add(want.end - time.Millisecond)))
			if err := m.Open(t.Context(), want.id); err != nil {
				t.Errorf("over too early: %v", err)
			}
			time.Sleep(2*time.Millisecond + wire.EndGrace)
			synctest.Wait()
			s, err := m.Get(t.Context(), want.id)
			if err != nil || s.Status != wire.StatusEnded || s.EndedAt.Sub(at) != want.end || s.Accounts.Agents["a"].Seen != 1 {
				t.Errorf("session %+v %v", s, err)
			}
			if err := m.Open(t.Context(), want.id); err == nil {
				t.Error("an ended session can be watched")
			}
		}
		if w.ends[short.ID] != 1 || w.ends[long.ID] != 1 || w.notice != 5 {
			t.Errorf("ends %v, notices %d", w.ends, w.notice)
		}
	})
}

func TestRefusedIsNotDesired(t *testing.T) {
	m, _, stop := manager(t)
	defer stop()
	s := begin(t, m, 100)
	if err := m.Epoch(t.Context(), s.ID, "a", 3); err != nil {
		t.Fatal(err)
	}
	if list, err := m.Desired(t.Context(), "a"); err != nil || len(list) != 1 || list[0].Epoch != 3 {
		t.Errorf("desired %+v %v", list, err)
	}
	m.Refused(t.Context(), s.ID, "a", wire.Invalid("timeout_seconds", "too long for this agent"))
	if list, err := m.Desired(t.Context(), "a"); err != nil || len(list) != 0 {
		t.Errorf("desired %+v %v", list, err)
	}
}

// TestHammer starts, extends and stops one another's sessions: each ends exactly once.
func TestHammer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, w, stop := manager(t)
		defer stop()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				s := begin(t, m, 2)
				var stops sync.WaitGroup
				for range 4 {
					stops.Go(func() {
						_, extendErr := m.Extend(t.Context(), s.ID, 2*time.Second)
						if refusal, ok := errors.AsType[*wire.Error](extendErr); extendErr != nil &&
							(!ok || refusal.Code != wire.CodeSessionEnded) {
							t.Error(extendErr)
						}
						if got, err := m.Stop(t.Context(), s.ID); err != nil || got.Status != wire.StatusEnded {
							t.Errorf("stop: %+v %v", got, err)
						}
					})
				}
				stops.Wait()
			})
		}
		all.Wait()
		for id, n := range w.ends {
			if n != 1 {
				t.Errorf("session %s ended %d times", id, n)
			}
		}
		if _, open := m.Counts(); open != 0 || len(w.ends) != 4 {
			t.Errorf("%d open, %d ended", open, len(w.ends))
		}
	})
}

package registry

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/wire"
)

// enrolled makes a registry that runs, with one agent; stop ends both.
func enrolled(t *testing.T) (r *Registry, id string, stop func()) {
	t.Helper()
	s, err := store.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r = New(Options{Store: s})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	key := make([]byte, ed25519.PublicKeySize)
	response, err := r.Enrol(t.Context(), wire.EnrolRequest{Name: "a", PublicKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return r, response.AgentID, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// status reads the agent's state.
func status(t *testing.T, r *Registry) wire.Agent {
	t.Helper()
	a, err := r.Find(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id, stop := enrolled(t)
		defer stop()
		expect := func(want wire.AgentStatus, since time.Time) {
			t.Helper()
			if a := status(t, r); a.Status != want || a.StatusSince.UnixMilli() != since.UnixMilli() {
				t.Errorf("%s since %s, want %s since %s", a.Status, a.StatusSince, want, since)
			}
		}
		expect(wire.AgentUnknown, time.Now())
		time.Sleep(time.Second)
		up := time.Now()
		for range 2 { // a reconnecting agent has two links for a moment
			if err := r.Connected(t.Context(), wire.Hello{AgentID: id}, time.Second); err != nil {
				t.Fatal(err)
			}
		}
		expect(wire.AgentOnline, up)
		r.Disconnected(id)
		expect(wire.AgentOnline, up)
		time.Sleep(wire.OfflineAfter - time.Second)
		r.Seen(id)
		time.Sleep(wire.OfflineAfter - time.Millisecond)
		expect(wire.AgentOnline, up)
		time.Sleep(sweepInterval + time.Millisecond)
		if a := status(t, r); a.Status != wire.AgentOffline || a.ClockOffsetMS != 1000 {
			t.Errorf("silent agent: %+v", a)
		}
		r.Seen(id)
		expect(wire.AgentOnline, time.Now())
		r.Disconnected(id)
		expect(wire.AgentOffline, time.Now())
	})
}

func TestHistoryIsOneHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id, stop := enrolled(t)
		defer stop()
		hello := wire.Hello{AgentID: id, Sources: []wire.Source{{Name: "s"}}}
		if err := r.Connected(t.Context(), hello, 0); err != nil {
			t.Fatal(err)
		}
		for range maxPoints + 5 {
			time.Sleep(wire.MetricsInterval)
			r.Metrics(id, wire.Metrics{IntervalMS: 60_000, Sources: []wire.SourceCount{{Lines: 1}, {Index: 9, Lines: 5}}})
		}
		if got := r.History(id); len(got) != maxPoints || !got[maxPoints-1].Time.After(got[0].Time.Time) {
			t.Errorf("%d points", len(got))
		}
		if got := r.Summaries()[0].Sources["s"].Lines; got != uint64(maxPoints+5) {
			t.Errorf("total %d", got)
		}
		time.Sleep(wire.MetricsHistory)
		if got := r.History(id); len(got) != 0 {
			t.Errorf("%d old points", len(got))
		}
	})
}

func TestEnrolRefuses(t *testing.T) {
	r := New(Options{})
	key := make([]byte, ed25519.PublicKeySize)
	many := map[string]string{}
	for i := range maxLabels + 1 {
		many[fmt.Sprint(i)] = ""
	}
	for name, request := range map[string]wire.EnrolRequest{
		"no-name":    {PublicKey: key},
		"slash":      {Name: "a/b", PublicKey: key},
		"line-end":   {Name: "a\n", PublicKey: key},
		"like-an-id": {Name: "a1b2c3d4-e5f6-7890-abcd-ef1234567890", PublicKey: key},
		"short-key":  {Name: "a", PublicKey: key[1:]},
		"labels":     {Name: "a", PublicKey: key, Labels: many},
		"label":      {Name: "a", PublicKey: key, Labels: map[string]string{"": "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := r.Enrol(t.Context(), request); err == nil {
				t.Errorf("enrolled %+v", got)
			}
		})
	}
}

// TestHammer uses the registry from many goroutines; the race detector watches.
func TestHammer(t *testing.T) {
	r, id, stop := enrolled(t)
	defer stop()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				if err := r.Connected(t.Context(), wire.Hello{AgentID: id, Sources: []wire.Source{{Name: "s"}}}, 0); err != nil {
					t.Error(err)
				}
				r.Metrics(id, wire.Metrics{Sources: []wire.SourceCount{{Lines: 1}}})
				r.Status(id, wire.StatusUpdate{Sources: []wire.Source{{Name: "s"}}, Problem: "p"})
				r.Summaries()
				r.Disconnected(id)
			}
		})
	}
	all.Wait()
	if a := status(t, r); a.Status != wire.AgentOffline {
		t.Errorf("status %s", a.Status)
	}
	if got := r.Summaries()[0].Sources["s"].Lines; got != 160 {
		t.Errorf("%d lines, want 160", got)
	}
}

// fullStore has no room for an agent.
type fullStore struct{ Store }

func (fullStore) SaveAgent(context.Context, store.Agent) error {
	return fmt.Errorf("save agent: %w", store.ErrUnwritable)
}

// TestFullDiskLetsAgentsIn connects an agent that cannot be saved: it is online all the same.
func TestFullDiskLetsAgentsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id, stop := enrolled(t)
		defer stop()
		r.store = fullStore{r.store}
		sources := []wire.Source{{Name: "nginx", Kind: "file"}}
		if err := r.Connected(t.Context(), wire.Hello{AgentID: id, Sources: sources}, 0); err != nil {
			t.Fatal(err)
		}
		if a := status(t, r); a.Status != wire.AgentOnline || len(a.Sources) != 1 {
			t.Errorf("the agent is %+v", a)
		}
	})
}

// TestProblem has an agent say that its disk is full, by status and by hello, and that it is not any more.
func TestProblem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id, stop := enrolled(t)
		defer stop()
		expect := func(want string) {
			t.Helper()
			if a := status(t, r); a.Problem != want {
				t.Errorf("problem %q, want %q", a.Problem, want)
			}
		}
		hello := wire.Hello{AgentID: id, Problem: "the disk is full"}
		if err := r.Connected(t.Context(), hello, 0); err != nil {
			t.Fatal(err)
		}
		expect("the disk is full")
		r.Status(id, wire.StatusUpdate{})
		expect("")
		r.Status(id, wire.StatusUpdate{Problem: strings.Repeat("é", maxProblem)})
		expect(strings.Repeat("é", maxProblem/2))
		r.Disconnected(id)
		hello.Problem = ""
		if err := r.Connected(t.Context(), hello, 0); err != nil {
			t.Fatal(err)
		}
		expect("")
	})
}

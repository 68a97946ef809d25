package store

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/wire"
)

// open opens a store in a folder.
func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// session makes a session of one agent.
func session(id, agentID string, at time.Time) Session {
	return Session{SinceMS: 5000, Session: wire.Session{
		ID: id, AgentID: agentID, AgentName: "n", Agents: []wire.AgentRef{{ID: agentID, Name: "n"}},
		Status: wire.StatusActive, Mode: wire.ModeLive, StartedAt: wire.At(at), ExpiresAt: wire.At(at.Add(time.Minute)),
		Filters: wire.Filters{Level: wire.Strings{"ERROR"}}, Since: "5s", CreatedBy: "x",
		Accounts: wire.Accounts{Agents: map[string]wire.AgentAccounts{}},
	}}
}

func TestSurvivesReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	at := time.UnixMilli(1_700_000_000_123).UTC()
	want := session("s1", "a1", at)
	if err := s.AddSession(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveEpoch(t.Context(), "s1", "a1", 7); err != nil {
		t.Fatal(err)
	}
	key, err := s.Secret(t.Context(), "k", []byte("first"))
	if err != nil || string(key) != "first" {
		t.Fatalf("secret %q %v", key, err)
	}
	s = open(t, dir)
	got, err := s.FindSession(t.Context(), "s1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	rows, err := s.AgentSessions(t.Context(), "a1")
	if err != nil || len(rows) != 1 || rows[0].Epoch != 7 {
		t.Errorf("rows %+v %v", rows, err)
	}
	if key, err = s.Secret(t.Context(), "k", []byte("second")); err != nil || string(key) != "first" {
		t.Errorf("secret %q %v", key, err)
	}
}

func TestAgents(t *testing.T) {
	s := open(t, t.TempDir())
	at := time.Now()
	enrol := func(id, name, key string) (string, error) {
		return s.EnrolAgent(t.Context(), Agent{ID: id, Name: name, PublicKey: []byte(key), EnrolledAt: at})
	}
	for _, test := range []struct {
		name, id, agent, key string
		want                 string
		taken                string
	}{
		{"first", "i1", "a", "k1", "i1", ""},
		{"same-again", "i2", "a", "k1", "i1", ""},
		{"name-in-use", "i3", "a", "k3", "", "i1"},
		{"second", "i4", "b", "k4", "i4", ""},
		{"renamed-to-one-in-use", "i5", "b", "k1", "", "i4"},
		{"renamed", "i6", "c", "k1", "i1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := enrol(test.id, test.agent, test.key)
			if taken, ok := errors.AsType[*NameTakenError](err); ok != (test.taken != "") || ok && taken.ID != test.taken {
				t.Fatalf("error %v", err)
			}
			if got != test.want {
				t.Errorf("id %q, want %q", got, test.want)
			}
		})
	}
	if err := s.ForgetAgent(t.Context(), "i1"); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"forget": s.ForgetAgent(t.Context(), "i1"), "save": s.SaveAgent(t.Context(), Agent{ID: "i1"}),
		"epoch": s.SaveEpoch(t.Context(), "s", "a", 1), "session": s.SaveSession(t.Context(), session("s", "a", at)),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of what is not there: %v", what, err)
		}
	}
}

func TestTrim(t *testing.T) {
	s := open(t, t.TempDir())
	at := time.Now()
	for i := range 6 {
		one := session(fmt.Sprint("s", i), "a", at.Add(time.Duration(i)*time.Second))
		if i != 0 {
			one.Status = wire.StatusEnded
		}
		if err := s.AddSession(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.TrimSessions(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	list, err := s.Sessions(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, one := range list {
		ids = append(ids, one.ID)
	}
	if diff := cmp.Diff([]string{"s5", "s4", "s0"}, ids); diff != "" {
		t.Errorf("what is kept (-want +got):\n%s", diff)
	}
}

// TestHammer writes from many goroutines: nothing fails and nothing is lost.
func TestHammer(t *testing.T) {
	s := open(t, t.TempDir())
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 10 {
				id := fmt.Sprintf("s%d-%d", w, i)
				one := session(id, "a", time.Now())
				one.Accounts = wire.Accounts{Agents: map[string]wire.AgentAccounts{}}
				if err := errors.Join(s.AddSession(t.Context(), one), s.SaveSession(t.Context(), one),
					s.SaveEpoch(t.Context(), id, "a", 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if rows, err := s.AgentSessions(t.Context(), "a"); err != nil || len(rows) != 80 {
		t.Errorf("%d rows, want 80: %v", len(rows), err)
	}
}

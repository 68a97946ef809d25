package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// pragma sets something on the one connection that the store then has.
func (s *Store) pragma(t *testing.T, text string) {
	t.Helper()
	s.db.SetMaxOpenConns(1)
	if _, err := s.db.ExecContext(t.Context(), "PRAGMA "+text); err != nil {
		t.Fatal(err)
	}
}

// TestUnwritable lets each kind of write fail for want of room and of permission: the error says so, what was there
// is there, and when the cause is gone writing goes on.
func TestUnwritable(t *testing.T) {
	for _, test := range []struct{ name, before, after string }{
		{"full", "max_page_count=1", "max_page_count=1000000"},
		{"read-only", "query_only=1", "query_only=0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			at := time.UnixMilli(1_700_000_000_123).UTC()
			agent := Agent{ID: "a", Name: "a", PublicKey: make([]byte, 32), EnrolledAt: at}
			if _, err := s.EnrolAgent(t.Context(), agent); err != nil {
				t.Fatal(err)
			}
			s.pragma(t, test.before)
			agent.Version = strings.Repeat("v", 100_000)
			large := session("large", "a", at)
			large.Reason = agent.Version
			another := Agent{ID: "b", Name: "b", PublicKey: []byte(strings.Repeat("k", 32)), Version: agent.Version}
			for name, write := range map[string]func() error{
				"save-agent":  func() error { return s.SaveAgent(t.Context(), agent) },
				"enrol-agent": func() error { _, err := s.EnrolAgent(t.Context(), another); return err },
				"add-session": func() error { return s.AddSession(t.Context(), large) },
				"secret":      func() error { _, err := s.Secret(t.Context(), "k", make([]byte, 100_000)); return err },
				"revoke": func() error {
					return s.Revoke(t.Context(), map[string]time.Time{agent.Version: at}, time.Time{})
				},
			} {
				if err := write(); !errors.Is(err, ErrUnwritable) {
					t.Errorf("%s: got %v, want that the database cannot be written", name, err)
				}
			}
			if a, err := s.FindAgent(t.Context(), "a"); err != nil || a.Version != "" {
				t.Errorf("the agent is %+v %v", a, err)
			}
			if list, err := s.Sessions(t.Context(), wire.StatusActive, 10); err != nil || len(list) != 0 {
				t.Errorf("sessions %+v %v", list, err)
			}
			s.pragma(t, test.after)
			if err := s.AddSession(t.Context(), large); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOtherErrorsAreWritable(t *testing.T) {
	s := open(t, t.TempDir())
	one := session("one", "a", time.UnixMilli(1_700_000_000_123))
	if err := s.AddSession(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	err := s.AddSession(t.Context(), one)
	if err == nil || errors.Is(err, ErrUnwritable) {
		t.Errorf("the same session again: %v", err)
	}
	if err := unwritable(fmt.Errorf("anything")); errors.Is(err, ErrUnwritable) {
		t.Error("an error of nobody counts as of the disk")
	}
}

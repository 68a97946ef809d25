package sessions

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/internal/store"
	"github.com/spilelog/spile/wire"
)

// fullBook is a store that may be full.
type fullBook struct {
	*book
	full atomic.Bool
}

func (b *fullBook) SaveSession(ctx context.Context, s store.Session) error {
	if b.full.Load() {
		return fmt.Errorf("save session: %w", store.ErrUnwritable)
	}
	return b.book.SaveSession(ctx, s)
}

func (b *fullBook) Sessions(_ context.Context, status wire.Status, _ int) (out []store.Session, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		if status == "" || s.Status == status {
			out = append(out, s)
		}
	}
	return out, nil
}

// TestFullDiskKeepsNothingOpen ends sessions, by the user and in time, while the store has no room: they end all the
// same, the lists say so, and the store learns of it when there is room again.
func TestFullDiskKeepsNothingOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{open: map[string]int{}, ends: map[string]int{}}
		b := &fullBook{book: &book{sessions: map[string]store.Session{}, byAgent: map[string]store.SessionAgent{}}}
		m := New(Options{Store: b, Agents: w, Streams: w, Publish: w, Check: func(wire.Filters) error { return nil }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- m.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		stopped, timed, open := begin(t, m, 100), begin(t, m, 10), begin(t, m, 1000)
		synctest.Wait()
		b.full.Store(true)
		if s, err := m.Stop(ctx, stopped.ID); err != nil || s.Status != wire.StatusEnded || s.EndReason != wire.EndStopped {
			t.Errorf("stopped: %+v %v", s, err)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if w.ends[stopped.ID] != 1 || w.ends[timed.ID] != 1 || w.ends[open.ID] != 0 {
			t.Errorf("ends %v", w.ends)
		}
		lists := func() {
			t.Helper()
			for status, want := range map[wire.Status][]string{
				wire.StatusActive: {open.ID}, wire.StatusEnded: {stopped.ID, timed.ID}, "": {open.ID, stopped.ID, timed.ID},
			} {
				list, err := m.List(ctx, status)
				var got []string
				for _, s := range list {
					got = append(got, s.ID)
				}
				slices.Sort(want)
				if slices.Sort(got); err != nil || !slices.Equal(got, want) {
					t.Errorf("%q lists %v %v, want %v", status, got, err, want)
				}
			}
			if s, err := m.Get(ctx, timed.ID); err != nil || s.EndReason != wire.EndTimeout {
				t.Errorf("session %+v %v", s, err)
			}
		}
		lists()
		b.full.Store(false)
		<-time.After(2 * retryEnd)
		synctest.Wait()
		if s := b.sessions[stopped.ID]; s.Status != wire.StatusEnded || len(m.unsaved) != 0 {
			t.Errorf("the store has %+v, %d are not saved", s, len(m.unsaved))
		}
		lists()
	})
}

package hub

import (
	"context"
	"slices"
	"time"

	"github.com/spilelog/spile/internal/ring"
	"github.com/spilelog/spile/wire"
)

// A session that has ended is held for a while. Those who watch it may take what they are owed, and those who were cut
// and return with their cursor get the rest and the final accounts as well.
const (
	// holdLimit is how long after its end a session takes viewers back.
	holdLimit = 30 * time.Second
	// drainLimit is how long a viewer may take, from the end of its session or its return after it, to read what the
	// ring holds. What it has not read by then is announced.
	drainLimit = 30 * time.Second
	// closeLimit is how long a viewer's socket may take to say goodbye after that.
	closeLimit = 2 * time.Second
	// maxHeldBytes bounds what all ended sessions hold for viewers that may return, maxHeld how many of them there are.
	// Those that ended first let go first.
	maxHeldBytes = 64 << 20
	maxHeld      = 256
)

// heldSessions are the ended sessions that take viewers back, the oldest first. The hub's lock guards it.
type heldSessions struct {
	list  []*session
	bytes int
}

// end runs the end of a session; see [Hub.End].
func (s *session) end(ctx context.Context, reason wire.EndReason) wire.Accounts {
	s.awaitClosed(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.ended, s.reason, s.endedAt = true, reason, time.Now()
		// Nothing is sent again.
		for _, a := range s.agents {
			s.countSentLocked(a, a.accounts.Sent)
		}
		s.wakeLocked()
	}
	return wire.Accounts{Agents: s.accountsLocked()}
}

// seeOff holds an ended session as long as viewers may take what they are owed, and frees it.
func (s *session) seeOff() {
	s.silence()
	hold := time.NewTimer(holdLimit)
	defer hold.Stop()
	select {
	case <-hold.C:
	case <-s.hurry:
	case <-s.released:
	}
	s.letGo()
	s.finish(drainLimit + closeLimit)
}

// silence ends what connects the session with its agents.
func (s *session) silence() {
	// The subscription drops what still comes; a second Close does nothing.
	_ = s.sub.Close()
	s.stop()
	<-s.done
}

// abandon ends the session here without telling anybody that it is over, since it is not.
func (s *session) abandon() {
	s.mu.Lock()
	s.closing = true
	s.wakeLocked()
	s.mu.Unlock()
	s.finish(closeLimit)
	s.silence()
}

// finish waits for the viewers, and cuts those that do not go by themselves.
func (s *session) finish(limit time.Duration) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.serving.Wait()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	hurry := s.hurry
	for {
		select {
		case <-gone:
			return
		case <-hurry:
			hurry = nil
			timer.Reset(closeLimit)
		case <-timer.C:
			s.mu.Lock()
			s.closing = true
			for v := range s.viewers {
				v.out.cut()
			}
			s.wakeLocked()
			s.mu.Unlock()
			<-gone
			return
		}
	}
}

// hasten ends the time that viewers of the ended session have. It is called once.
func (s *session) hasten() {
	s.mu.Lock()
	s.hurried = true
	s.wakeLocked()
	s.mu.Unlock()
	close(s.hurry)
}

// drainedLocked says that v, a viewer of an ended session, has had its time.
func (s *session) drainedLocked(v *viewer) bool {
	from := s.endedAt
	if v.since.After(from) {
		from = v.since
	}
	return s.hurried || time.Since(from) >= drainLimit
}

// letGo takes nobody back any more, and frees what is held if nobody watches.
func (s *session) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gone = true
	if len(s.viewers) == 0 {
		s.ring, s.notes = ring.New[*entry](0), nil
	}
}

// addLocked holds one more session, which has just ended, and lets others go for it if need be.
func (l *heldSessions) addLocked(s *session) {
	s.mu.Lock()
	// Nothing comes into the ring any more.
	s.heldBytes = s.ring.Bytes()
	s.mu.Unlock()
	l.list = append(l.list, s)
	l.bytes += s.heldBytes
	for l.bytes > maxHeldBytes || len(l.list) > maxHeld {
		first := l.list[0]
		l.removeLocked(first)
		first.letGo()
		close(first.released)
	}
}

// removeLocked holds a session no longer, if it did.
func (l *heldSessions) removeLocked(s *session) {
	if i := slices.Index(l.list, s); i >= 0 {
		l.list = slices.Delete(l.list, i, i+1)
		l.bytes -= s.heldBytes
	}
}

// Held says whether a session is open, or has ended so recently that who returns with a cursor gets the rest of it.
func (h *Hub) Held(id string) bool { return h.served(id) != nil }

// served is the session with this id that is open or held, or nil.
func (h *Hub) served(id string) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.sessions[id]; s != nil {
		return s
	}
	for s := range h.leaving {
		if s.config.ID == id {
			return s
		}
	}
	return nil
}

package hub

import (
	"context"
	"sync"
	"time"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/internal/ring"
	"github.com/spilelog/spile/wire"
)

const (
	// dataQueue is how many messages of one session may wait for the hub. What does not fit is asked for again.
	dataQueue = 4096
	// entryBytes is about how much an entry of the ring holds. A viewer that stands still keeps what it is writing, each
	// at another place of the stream and long after the ring has let go of it.
	entryBytes = 8 << 10
	// maxNotes bounds the announcements of lost bytes that are kept for viewers who fall out of the ring.
	maxNotes = 64
)

// dataSubject is where the items of a session are published.
func dataSubject(session string) string { return "session." + session + ".data" }

// ackSubject is where the acknowledgements for an agent are published.
func ackSubject(agent string) string { return "agent." + agent + ".ack" }

// entryKind says what an entry of the ring is.
type entryKind byte

const (
	// entryFrames are log frames; entryGap is a gap frame. Both may take numbers.
	entryFrames entryKind = iota
	entryGap
	// entryBase takes no number: it says where an agent's numbers go on.
	entryBase
	// entryHistoryEnd is a control frame that only those get who asked for all events.
	entryHistoryEnd
)

// entry is one item of an agent in the ring. Entries are never changed once they are in.
type entry struct {
	kind  entryKind
	agent int
	epoch uint64
	// item is the item that ends with this entry, 0 for none, and size the bytes of all its entries.
	item uint64
	size int
	// first is the number of the first event, count how many it stands for. With count 0 first is the number of
	// the event that comes next, or 0 where that does not matter.
	first, count uint64
	// data is one frame or many, each ended by a newline.
	data []byte
	// gap is what data says, for an entryGap.
	gap *wire.Control
}

// reason is why, for an entryGap.
func (e *entry) reason() string {
	if e.gap == nil {
		return ""
	}
	return e.gap.Reason
}

// note is an announcement without numbers that left the ring.
type note struct {
	place uint64
	entry *entry
}

// session is one open session.
type session struct {
	hub    *Hub
	config Session
	sub    fabric.Subscription
	// kick wakes the session's own goroutine, which alone publishes acknowledgements, so that they keep their order.
	kick chan struct{}
	stop context.CancelFunc
	done chan struct{}
	// hurry is closed when viewers of the ended session are to be seen off at once, released when the hub holds it no
	// longer.
	hurry, released chan struct{}
	// heldBytes is what it held when it ended; the hub's lock guards it.
	heldBytes int
	// serving counts the viewers' goroutines.
	serving sync.WaitGroup

	// mu guards everything below.
	mu      sync.Mutex
	agents  []*agentState
	byID    map[[16]byte]int
	ring    *ring.Ring[*entry]
	notes   []note
	viewers map[*viewer]struct{}
	// sums are what this session adds to the hub's totals, but for what is still offered to its viewers.
	sums Totals
	// wake is closed and replaced whenever a viewer may have something to do.
	wake chan struct{}
	// watched says that the session had a viewer; the first one begins at its origin.
	watched bool
	expires time.Time
	version uint64 // counts changes of the accounts
	ackNow  bool
	// ended says that the session is over, since endedAt; gone that nobody is taken back any more; hurried that its
	// viewers have no time left to take what is held; closing that they are to go without another word.
	ended    bool
	endedAt  time.Time
	reason   wire.EndReason
	gone     bool
	hurried  bool
	closing  bool
	newState chan struct{} // closed and replaced when an agent's state changes
}

// newSession makes a session that does not run yet.
func newSession(h *Hub, config Session) (*session, error) {
	s := &session{
		hub: h, config: config, expires: config.ExpiresAt,
		kick: make(chan struct{}, 1), done: make(chan struct{}), hurry: make(chan struct{}),
		released: make(chan struct{}), stop: func() {},
		byID: map[[16]byte]int{}, ring: ring.New[*entry](h.ring), viewers: map[*viewer]struct{}{},
		wake: make(chan struct{}), newState: make(chan struct{}), sums: newTotals(),
	}
	for i, ref := range config.Agents {
		id, err := wire.ParseUUID(ref.ID)
		if err != nil {
			return nil, err
		}
		s.agents = append(s.agents, newAgentState(ref, id))
		s.byID[id] = i
	}
	return s, nil
}

// start runs the session's own goroutine.
func (s *session) start(sub fabric.Subscription) {
	s.sub = sub
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() {
		defer close(s.done)
		s.publishAcks(ctx)
	}()
}

// wakeLocked lets every viewer look again.
func (s *session) wakeLocked() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// stateChangedLocked lets those look again who wait for an agent's word.
func (s *session) stateChangedLocked() {
	close(s.newState)
	s.newState = make(chan struct{})
}

// pushLocked appends to the ring.
func (s *session) pushLocked(e *entry) {
	s.putLocked(e)
	s.arrivedLocked()
}

// arrivedLocked lets every viewer take what was put into the ring.
func (s *session) arrivedLocked() {
	s.version++
	s.wakeLocked()
}

// putLocked appends to the ring. What nobody took in time and had to go counts as consumed, since it is not held.
func (s *session) putLocked(e *entry) {
	s.ring.Push(e, len(e.data), func(place uint64, gone *entry) {
		if gone.kind == entryGap && gone.count == 0 {
			s.notes = append(s.notes, note{place, gone})
			if len(s.notes) > maxNotes {
				s.notes = s.notes[1:]
			}
		}
		if a := s.agents[gone.agent]; a.consumed <= place {
			s.takenLocked(gone)
			a.consumed = place + 1
		}
	})
}

// extend changes the end of the session.
func (s *session) extend(expires time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && !s.expires.Equal(expires) {
		s.expires = expires
		s.wakeLocked()
	}
}

// accountsLocked copies what the agents reported last.
func (s *session) accountsLocked() map[string]wire.AgentAccounts {
	out := make(map[string]wire.AgentAccounts, len(s.agents))
	for _, a := range s.agents {
		out[a.ref.ID] = a.accounts
	}
	return out
}

// awaitOpen waits until each agent has opened or refused the session, at most StartGrace.
func (s *session) awaitOpen(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, wire.StartGrace)
	defer cancel()
	s.await(ctx, func(a *agentState) bool { return a.epoch != 0 || a.closed })
}

// awaitClosed waits until each agent that can be reached has said its last word, at most EndGrace.
func (s *session) awaitClosed(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, wire.EndGrace)
	defer cancel()
	s.await(ctx, func(a *agentState) bool { return !a.connected || a.closed })
}

// await waits until done holds for every agent, the session has ended, or ctx is done. It calls done with the lock.
func (s *session) await(ctx context.Context, done func(*agentState) bool) {
	for {
		s.mu.Lock()
		waiting, changed := false, s.newState
		for _, a := range s.agents {
			waiting = waiting || !done(a)
		}
		waiting = waiting && !s.ended && !s.closing
		s.mu.Unlock()
		if !waiting {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

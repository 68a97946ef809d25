// Package hub brings what agents send of a session to those who watch it: it takes items off the fabric, holds them
// in one ring per session, tells the agents what was taken, and serves viewers over WebSocket, SSE and NDJSON.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/wire"
)

// Options configure a hub.
type Options struct {
	// Fabric carries the items of the agents and the acknowledgements; required.
	Fabric fabric.Fabric
	// Log is for the hub's own events; nil discards them.
	Log *slog.Logger
	// RingBytes is how much of each session is held; 0 means [wire.RingBytes].
	RingBytes int
}

// Session is what the hub needs to know of a session.
type Session struct {
	ID        string
	Agents    []wire.AgentRef
	Mode      wire.Mode
	StartedAt time.Time
	ExpiresAt time.Time
}

// View says how a viewer wants to see a session.
type View struct {
	// After is the viewer's cursor when HasAfter is set.
	After    wire.Cursor
	HasAfter bool
	// FromStart and FromNow override where a viewer without a cursor begins.
	FromStart bool
	FromNow   bool
	// AllEvents asks for every control frame, not only those that no client can do without.
	AllEvents bool
	// Batch packs many frames into one WebSocket message, each ended by a newline.
	Batch bool
	// Until is when the right to watch ends; zero means never.
	Until time.Time
	// Revoked, if set, is told what to call when the right to watch is taken away before that; forget ends that.
	Revoked func(end func()) (forget func())
}

// until is a context that ends with the right to watch.
func (v View) until(ctx context.Context) (context.Context, context.CancelFunc) {
	cancel := context.CancelFunc(nil)
	if v.Until.IsZero() {
		ctx, cancel = context.WithCancel(ctx)
	} else {
		ctx, cancel = context.WithDeadline(ctx, v.Until)
	}
	if v.Revoked == nil {
		return ctx, cancel
	}
	forget := v.Revoked(cancel)
	return ctx, func() {
		forget()
		cancel()
	}
}

// errNoFabric is the error of Open on a hub without a fabric.
var errNoFabric = errors.New("no fabric")

// Hub serves the viewers of all sessions of one server.
type Hub struct {
	fabric  fabric.Fabric
	log     *slog.Logger
	decoder *zstd.Decoder
	ring    int
	// buffers is what the viewers' connections gather small writes in.
	buffers sync.Pool
	// polls are the viewers that poll.
	polls polls
	// scratch lends *[]byte to decode batches in.
	scratch sync.Pool

	// mu guards the fields below.
	mu       sync.Mutex
	sessions map[string]*session
	// leaving are the ended sessions whose viewers are seen off; past is what those before them added up to.
	leaving map[*session]struct{}
	held    heldSessions
	past    Totals
	closed  bool
	// ending counts the goroutines that see the viewers of ended sessions off; Close waits for them.
	ending sync.WaitGroup
}

// New returns a hub without sessions.
func New(o Options) *Hub {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// The options are constants, so that the constructor of the decoder cannot fail.
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(wire.MaxBatchBytes), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(fmt.Sprintf("hub: zstd decoder: %v", err))
	}
	size := o.RingBytes
	if size == 0 {
		size = wire.RingBytes
	}
	return &Hub{
		fabric: o.Fabric, log: log, decoder: decoder, ring: size, sessions: map[string]*session{},
		leaving: map[*session]struct{}{}, past: newTotals(),
	}
}

// Open begins to serve a session. Opening a session that is open changes nothing.
func (h *Hub) Open(config Session) error {
	if h.fabric == nil {
		return fmt.Errorf("open session %s: %w", config.ID, errNoFabric)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return fmt.Errorf("open session %s: %w", config.ID, fabric.ErrClosed)
	}
	if h.sessions[config.ID] != nil {
		return nil
	}
	s, err := newSession(h, config)
	if err != nil {
		return fmt.Errorf("open session %s: %w", config.ID, err)
	}
	sub, err := h.fabric.Subscribe(dataSubject(config.ID), dataQueue, s.receive)
	if err != nil {
		return fmt.Errorf("open session %s: %w", config.ID, err)
	}
	s.start(sub)
	h.sessions[config.ID] = s
	return nil
}

// Extend changes when a session ends; unknown sessions are ignored.
func (h *Hub) Extend(id string, expires time.Time) {
	if s := h.find(id); s != nil {
		s.extend(expires)
	}
}

// AwaitOpen waits until the agents of a session have opened it, at most wire.StartGrace.
func (h *Hub) AwaitOpen(ctx context.Context, id string) {
	if s := h.find(id); s != nil {
		s.awaitOpen(ctx)
	}
}

// End ends a session: it waits for the final accounts of the agents that can be reached and returns them; those of an
// unknown session are empty. Viewers take what is held and are told the end meanwhile and afterwards, also those that
// return soon.
func (h *Hub) End(ctx context.Context, id string, reason wire.EndReason) wire.Accounts {
	s := h.find(id)
	if s == nil {
		return wire.Accounts{Agents: map[string]wire.AgentAccounts{}}
	}
	accounts := s.end(ctx, reason)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sessions[id] == s {
		delete(h.sessions, id)
		h.leaving[s] = struct{}{}
		h.held.addLocked(s)
		// Whoever stopped the session does not wait for viewers that do not read.
		h.ending.Go(func() {
			s.seeOff()
			h.left(s)
		})
	}
	return accounts
}

// Accounts is what the agents of a session reported last.
func (h *Hub) Accounts(id string) wire.Accounts {
	s := h.find(id)
	if s == nil {
		return wire.Accounts{Agents: map[string]wire.AgentAccounts{}}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return wire.Accounts{Agents: s.accountsLocked()}
}

// Viewers counts those who watch a session now.
func (h *Hub) Viewers(id string) int {
	s := h.find(id)
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.viewers)
}

// Close ends every viewer without an end frame, since the sessions go on at the agents, and waits. Viewers of a session
// that has ended are told so. A second call does nothing.
func (h *Hub) Close() error {
	h.mu.Lock()
	if !h.closed {
		for s := range h.leaving {
			s.hasten()
		}
	}
	h.closed = true
	all := h.sessions
	h.sessions = map[string]*session{}
	h.mu.Unlock()
	h.polls.close()
	for _, s := range all {
		s.abandon()
	}
	h.ending.Wait()
	h.decoder.Close()
	return nil
}

// borrow is a slice for size bytes from scratch, to be put back.
func (h *Hub) borrow(size int) *[]byte {
	if kept, _ := h.scratch.Get().(*[]byte); kept != nil && cap(*kept) >= size {
		return kept
	}
	fresh := make([]byte, 0, size)
	return &fresh
}

// find is the open session with this id, or nil.
func (h *Hub) find(id string) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sessions[id]
}

// notHere is the refusal for a session that is not open here. A hub that closes has let go of all sessions, though they
// go on: whoever took them for over would not come back to the next server.
func (h *Hub) notHere(id string) *wire.Error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return goingAway()
	}
	return wire.Errorf(wire.CodeNotFound, "no open session %q", id)
}

// goingAway is the refusal of a hub that closes.
func goingAway() *wire.Error {
	return wire.Errorf(wire.CodeUnavailable, "the server goes away; come back with the cursor")
}

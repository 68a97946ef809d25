package hub

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/spilelog/spile/wire"
)

const (
	// pieceBytes is how much a viewer takes off the ring at once; what it takes stays in memory until it is written or
	// given back.
	pieceBytes = 64 << 10
	// maxPieces bounds the entries taken at once.
	maxPieces = 512
	// keepPieces is how many slots a viewer keeps while it has nothing to do.
	keepPieces = 16
)

// output writes to one viewer. All methods but cut are for the viewer's own goroutine.
type output interface {
	// frames writes a piece of log frames; it calls at with each frame's number before asking for the cursor.
	frames(v *viewer, p *piece) error
	// control writes one control frame, without its newline.
	control(v *viewer, frame []byte, cursor bool) error
	// beat writes what shows nobody anything, so that no proxy between takes the silence for an end.
	beat() error
	// flush hands everything written so far to the socket.
	flush() error
	// bye closes in good order.
	bye()
	// cut ends the connection at once; any goroutine may call it.
	cut()
	// slow says that the viewer made no progress for too long.
	slow() bool
}

// viewer is one connection that watches a session. Its goroutine owns everything but what says otherwise.
type viewer struct {
	session *session
	view    View
	out     output
	// since is when it came.
	since time.Time

	// place is the next place in the ring.
	place uint64
	// origin says that the viewer is owed the session from its first event, also what only an earlier server saw.
	origin bool
	// at is where the viewer stands by agent; written is the same as far as it is on the socket.
	at      []position
	written []wire.Position
	pieces  []piece
	queued  int
	// most bounds queued, and handed counts the pieces that the output was given.
	most, handed int

	expires       time.Time // the end that was told last
	warned        time.Time // the end that was warned of
	statusVersion []uint64
	lastWrite     time.Time
	lastStats     time.Time
	statsVersion  uint64
	delivered     bool // something was delivered since the last stats
}

// glance is what a viewer saw of its session in one look.
type glance struct {
	wake           chan struct{}
	ended, closing bool
	expires        time.Time
	reason         wire.EndReason
	version        uint64
	statuses       []wire.Control
}

// attach adds a viewer to the session, nil if the session ended, has too many or is let go of. One that has ended takes
// back who can say what it is owed.
func (s *session) attach(view View, out output) (*viewer, *wire.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.gone || s.ended && !view.HasAfter && !view.FromStart:
		return nil, wire.Errorf(wire.CodeSessionEnded, "session %s has ended", s.config.ID)
	case s.closing:
		return nil, goingAway()
	case len(s.viewers) >= wire.MaxViewers:
		return nil, wire.Errorf(wire.CodeRateLimited, "session %s has %d viewers, which is the limit",
			s.config.ID, wire.MaxViewers)
	}
	now := time.Now()
	v := &viewer{
		session: s, view: view, out: out, at: make([]position, len(s.agents)),
		written: make([]wire.Position, len(s.agents)), statusVersion: make([]uint64, len(s.agents)),
		expires: s.expires, since: now, lastWrite: now, lastStats: now, most: pieceBytes,
	}
	s.viewers[v] = struct{}{}
	s.serving.Add(1)
	return v, nil
}

// begin sets where the viewer starts, once it can be written to, and makes its first frame.
func (v *viewer) begin() ([]byte, error) {
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	expires := wire.At(s.expires)
	started := wire.Control{
		Type: "control", Event: wire.EventSessionStarted, SessionID: s.config.ID, ExpiresAt: &expires,
		NextSeq: v.placeLocked(v.view),
	}
	started.Cursor = v.originLocked().String()
	for _, a := range s.agents {
		s.ackLocked(a)
	}
	s.version++
	s.consumeLocked(v)
	return json.Marshal(&started)
}

// detach removes the viewer; a second call does nothing.
func (v *viewer) detach() {
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.viewers[v]; !ok {
		return
	}
	delete(s.viewers, v)
	offered, owed := v.offeredLocked()
	s.sums.Viewers.Offered += offered
	s.sums.Viewers.Left += owed
	if len(s.viewers) == 0 && !s.ended {
		for _, a := range s.agents {
			s.ackLocked(a)
		}
	}
}

// run serves the viewer until the session ends, the viewer goes, or ctx is done.
func (v *viewer) run(ctx context.Context) {
	defer v.session.serving.Done()
	defer v.detach()
	started, err := v.begin()
	if err == nil && v.view.AllEvents {
		err = v.control(started, false)
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for err == nil {
		if ctx.Err() != nil {
			v.sayRefused(context.Cause(ctx))
			return
		}
		g := v.look()
		if g.closing {
			return
		}
		if err = v.tell(&g); err != nil {
			break
		}
		if len(v.pieces) > 0 {
			if err = v.deliver(); err == nil {
				err = v.tellRegular(&g)
			}
			continue
		}
		if err = v.tellRegular(&g); err != nil {
			break
		}
		if err = v.flush(); err != nil {
			break
		}
		if g.ended {
			v.sayEnd(&g)
			return
		}
		timer.Reset(v.nextDuty(&g))
		select {
		case <-g.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

// flush hands everything to the socket; a viewer that took it too late is told so and ends.
func (v *viewer) flush() error {
	if err := v.out.flush(); err != nil {
		return err
	}
	if v.out.slow() {
		return v.sayTooSlow()
	}
	return nil
}

// look takes what is there and the session's state, in one step.
func (v *viewer) look() glance {
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	g := glance{
		wake: s.wake, ended: s.ended, closing: s.closing,
		expires: s.expires, reason: s.reason, version: s.version,
	}
	if s.ended && s.drainedLocked(v) {
		v.restLocked(wire.ReasonSessionEnd)
	} else {
		v.takeLocked()
	}
	for i, a := range s.agents {
		if v.statusVersion[i] == a.statusVersion {
			continue
		}
		v.statusVersion[i] = a.statusVersion
		g.statuses = append(g.statuses, wire.Control{
			Type: "control", Event: wire.EventAgentStatus, Agent: a.ref.ID, Status: a.status, Problem: a.trouble,
		})
		if a.problem != nil {
			g.statuses = append(g.statuses, wire.Control{
				Type: "control", Event: wire.EventError, Agent: a.ref.ID, Code: a.problem.Code, Message: a.problem.Message,
			})
		}
	}
	return g
}

// tell writes the control frames that are due.
func (v *viewer) tell(g *glance) error {
	for i := range g.statuses {
		if err := v.tellControl(&g.statuses[i]); err != nil {
			return err
		}
	}
	now := time.Now()
	if !g.expires.Equal(v.expires) {
		v.expires = g.expires
		at, left := wire.At(g.expires), secondsLeft(g.expires, now)
		err := v.tellControl(&wire.Control{
			Type: "control", Event: wire.EventSessionExtended, ExpiresAt: &at, SecondsRemaining: &left,
		})
		if err != nil {
			return err
		}
	}
	if !g.ended && !v.warned.Equal(g.expires) && !now.Before(g.expires.Add(-wire.EndingWarning)) {
		v.warned = g.expires
		left := secondsLeft(g.expires, now)
		err := v.tellControl(&wire.Control{
			Type: "control", Event: wire.EventSessionEnding, Reason: string(wire.EndTimeout), SecondsRemaining: &left,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tellRegular writes stats and heartbeats. Nothing is queued when it is called, so that the accounts are whole.
func (v *viewer) tellRegular(g *glance) error {
	if g.ended {
		return nil
	}
	now := time.Now()
	if !v.view.AllEvents {
		if now.Sub(v.lastWrite) < wire.HeartbeatInterval {
			return nil
		}
		v.lastWrite = now
		return v.out.beat()
	}
	if v.dirty(g) && now.Sub(v.lastStats) >= wire.StatsInterval {
		v.lastStats, v.statsVersion, v.delivered = now, g.version, false
		return v.tellControl(&wire.Control{
			Type: "control", Event: wire.EventStats, Accounts: v.accounts(), Cursor: v.cursor().String(),
		})
	}
	if now.Sub(v.lastWrite) >= wire.HeartbeatInterval {
		return v.tellControl(&wire.Control{Type: "control", Event: wire.EventHeartbeat})
	}
	return nil
}

// dirty says whether the accounts changed since they were told.
func (v *viewer) dirty(g *glance) bool { return v.statsVersion != g.version || v.delivered }

// nextDuty is how long the viewer may sleep if nothing happens.
func (v *viewer) nextDuty(g *glance) time.Duration {
	now := time.Now()
	next := time.Duration(math.MaxInt64)
	if !v.warned.Equal(g.expires) {
		next = g.expires.Add(-wire.EndingWarning).Sub(now)
	}
	next = min(next, v.lastWrite.Add(wire.HeartbeatInterval).Sub(now))
	if v.view.AllEvents && v.dirty(g) {
		next = min(next, v.lastStats.Add(wire.StatsInterval).Sub(now))
	}
	return max(next, 0)
}

// tellControl writes a control frame, if this viewer wants it.
func (v *viewer) tellControl(c *wire.Control) error {
	if !v.view.AllEvents && !c.Event.Default() {
		return nil
	}
	frame, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return v.control(frame, false)
}

// control writes an encoded control frame.
func (v *viewer) control(frame []byte, cursor bool) error {
	v.lastWrite = time.Now()
	return v.out.control(v, frame, cursor)
}

// deliver writes the queued pieces and accounts for them once the socket has them.
func (v *viewer) deliver() error {
	// A piece may be given back meanwhile.
	for v.handed = 0; v.handed < len(v.pieces); {
		p := &v.pieces[v.handed]
		v.handed++
		var err error
		if p.kind == entryFrames {
			err = v.out.frames(v, p)
		} else {
			if p.moves {
				v.wrote(p, p.to)
			}
			err = v.out.control(v, p.data[:len(p.data)-1], p.moves)
		}
		if err != nil {
			return err
		}
		p.data = nil
	}
	if err := v.out.flush(); err != nil {
		return err
	}
	v.lastWrite = time.Now()
	v.commit()
	if v.out.slow() {
		return v.sayTooSlow()
	}
	return nil
}

// commit accounts for the pieces that were written.
func (v *viewer) commit() {
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	var taken uint64
	for i := range v.pieces {
		p := &v.pieces[i]
		switch at := &v.at[p.agent]; p.kind {
		case entryFrames:
			at.delivered += p.count
			s.sums.Viewers.Delivered += p.count
		case entryGap:
			at.gapped += p.count
			s.sums.addGapped(p.reason, p.count)
		}
		taken += p.count
		*p = piece{}
	}
	v.pieces, v.queued, v.handed, v.delivered = v.pieces[:0], 0, 0, true
	if cap(v.pieces) > keepPieces {
		v.pieces = nil
	}
	if _, attached := s.viewers[v]; attached {
		s.consumeLocked(v)
	} else {
		// It counted as gone, and took this after all.
		s.sums.Viewers.Left -= taken
	}
}

// wrote moves the written cursor to event seq of a piece.
func (v *viewer) wrote(p *piece, seq uint64) {
	w := &v.written[p.agent]
	w.Agent, w.Epoch, w.Seq = v.session.agents[p.agent].id, p.epoch, seq
}

// cursor is where the viewer stands: what is on its socket.
func (v *viewer) cursor() wire.Cursor {
	var c wire.Cursor
	for _, p := range v.written {
		if p.Epoch != 0 {
			c = append(c, p)
		}
	}
	return c
}

// accounts is the state of both equations as this viewer sees them.
func (v *viewer) accounts() *wire.Accounts {
	s := v.session
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &wire.Accounts{Agents: s.accountsLocked(), Viewer: make(map[string]wire.ViewerAccounts, len(s.agents))}
	for i, a := range s.agents {
		v.rebaseLocked(i)
		out.Viewer[a.ref.ID] = v.at[i].account(a)
	}
	return out
}

// sayEnd writes the last frame and closes in good order.
func (v *viewer) sayEnd(g *glance) {
	err := v.tellControl(&wire.Control{
		Type: "control", Event: wire.EventSessionEnded, Reason: string(g.reason),
		Accounts: v.accounts(), Cursor: v.cursor().String(),
	})
	if err == nil {
		err = v.out.flush()
	}
	if err == nil {
		v.out.bye()
	}
}

// sayRefused ends a viewer that may not watch any longer. Whatever else ended its context, it has gone by itself.
func (v *viewer) sayRefused(why error) {
	var refusal *wire.Error
	switch {
	case errors.As(why, &refusal):
	case errors.Is(why, context.DeadlineExceeded):
		refusal = wire.Errorf(wire.CodeUnauthorized, "the token has expired; come back with a new one and the cursor")
	default:
		return
	}
	err := v.tellControl(&wire.Control{
		Type: "control", Event: wire.EventError, Code: refusal.Code, Message: refusal.Message, Cursor: v.cursor().String(),
	})
	if err == nil {
		err = v.out.flush()
	}
	if err == nil {
		v.out.bye()
	}
}

// sayTooSlow ends a viewer that did not read for too long and came back just in time to hear it.
func (v *viewer) sayTooSlow() error {
	err := v.tellControl(&wire.Control{
		Type: "control", Event: wire.EventError, Code: wire.CodeSlowViewer,
		Message: "nothing was read for " + wire.SlowViewer.String() + "; come back with the cursor",
		Cursor:  v.cursor().String(),
	})
	if err == nil {
		err = v.out.flush()
	}
	if err == nil {
		v.out.bye()
	}
	return errSlow
}

// secondsLeft is the time to expires in whole seconds, rounded up.
func secondsLeft(expires, now time.Time) int {
	return max(int(math.Ceil(expires.Sub(now).Seconds())), 0)
}

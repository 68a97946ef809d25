package hub

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/spilelog/spile/wire"
)

// A viewer that polls is a viewer like any other, whose socket is a mailbox: it stands in the session between two
// polls, so that it neither comes and goes at the agents nor loses what comes meanwhile. A poll takes what the mailbox
// holds. The cursor of an answer ends with a position that belongs to no agent: it names the viewer and the answer,
// and whoever returns with exactly that finds its viewer again. With any other cursor, such as that of an answer
// before the last, because the last one was lost, a poll begins a new viewer after the cursor; every stream does so
// too, since positions of agents that are not in the session are left out of account.

// polls are the viewers of a hub that poll. The zero value is ready.
type polls struct {
	// mu guards the fields below; it is a leaf.
	mu     sync.Mutex
	byID   map[[16]byte]*poller
	closed bool
}

// poller is one viewer that polls.
type poller struct {
	id      [16]byte
	session string
	polls   *polls
	viewer  *viewer
	box     *mailbox
	cancel  context.CancelFunc
	// done is closed when the viewer's goroutine has ended.
	done chan struct{}

	// mu guards the fields below. The session's and the box's locks are taken under it.
	mu sync.Mutex
	// answered is the cursor of the last answer, answers how many there were.
	answered string
	answers  uint64
	// turn counts the requests, of which only the last one waits; superseded is closed when a later one comes.
	turn       uint64
	superseded chan struct{}
	// grace ends the viewer when nobody polls for it.
	grace *time.Timer
	// last is the answer after which nothing comes, and came the cursor that asked for it: it may be lost on its way.
	last []byte
	came string
}

// ServePoll answers one poll: as soon as there is something that a viewer must not miss, or after wait with what there
// is. A viewer begins with its first poll and lasts until nobody has polled for it for [wire.PollGrace].
func (h *Hub) ServePoll(w http.ResponseWriter, r *http.Request, id string, view View, wait time.Duration) {
	asked := view.After.String()
	p := h.polls.find(id, view.After)
	if p != nil && p.repeat(w, asked) {
		return
	}
	turn, superseded, resumed := uint64(0), (<-chan struct{})(nil), false
	if p != nil {
		turn, superseded, resumed = p.resume(asked)
	}
	if !resumed {
		var refusal *wire.Error
		if p, refusal = h.poll(id, view); refusal != nil {
			writeRefusal(w, refusal)
			return
		}
		turn, superseded, _ = p.resume("")
	}
	defer p.leave(turn)
	h.answerPoll(w, r, p, pollTurn{turn: turn, superseded: superseded, wait: wait, asked: asked})
}

// Polled says whether a poll with this cursor finds a viewer, also of a session that has ended meanwhile.
func (h *Hub) Polled(id string, after wire.Cursor) bool {
	p := h.polls.find(id, after)
	return p != nil && p.knows(after.String())
}

// pollTurn is one request that polls.
type pollTurn struct {
	turn       uint64
	superseded <-chan struct{}
	wait       time.Duration
	asked      string
}

// answerPoll waits for something to answer and answers.
func (h *Hub) answerPoll(w http.ResponseWriter, r *http.Request, p *poller, t pollTurn) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no")
	deadline, beat := time.NewTimer(t.wait), time.NewTicker(wire.HeartbeatInterval)
	defer deadline.Stop()
	defer beat.Stop()
	begun, late := false, false
	for !p.box.ready(late) {
		select {
		case <-p.box.news:
		case <-deadline.C:
			late = true
		case <-beat.C:
			// White space before a JSON text says nothing, and shows everybody on the way that the answer will come.
			begun = true
			if _, err := w.Write([]byte("\n")); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
		case <-t.superseded:
			_, _ = w.Write(appendAnswer(nil, mail{}, t.asked))
			return
		case <-r.Context().Done():
			return
		}
	}
	body, gone := p.answer(t)
	if gone && !begun {
		writeRefusal(w, goingAway())
		return
	}
	// Not every writer knows deadlines; the server's own does.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wire.SlowViewer))
	// An error means that the caller has gone. It returns with the cursor it has.
	_, _ = w.Write(body)
}

// poll begins a viewer that polls.
func (h *Hub) poll(id string, view View) (*poller, *wire.Error) {
	s := h.find(id)
	if s == nil {
		return nil, h.notHere(id)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &poller{session: id, polls: &h.polls, box: newMailbox(), cancel: cancel, done: make(chan struct{})}
	// Reading random bytes never fails; the runtime ends the process first.
	_, _ = rand.Read(p.id[:])
	v, refusal := s.attach(view, p.box)
	if refusal != nil {
		cancel()
		return nil, refusal
	}
	p.viewer, p.box.viewer = v, v
	// The session waits for its viewers' goroutines before it is freed.
	go func() {
		defer close(p.done)
		defer cancel()
		v.run(ctx)
		p.box.end()
	}()
	if refusal := h.polls.add(p); refusal != nil {
		p.box.end()
		cancel()
		return nil, refusal
	}
	return p, nil
}

// add takes a new viewer in.
func (l *polls) add(p *poller) *wire.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return goingAway()
	case len(l.byID) >= wire.MaxPolls:
		return wire.Errorf(wire.CodeRateLimited, "%d viewers poll at this server, which is the limit", wire.MaxPolls)
	}
	if l.byID == nil {
		l.byID = map[[16]byte]*poller{}
	}
	l.byID[p.id] = p
	return nil
}

// remove forgets a viewer.
func (l *polls) remove(p *poller) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byID, p.id)
}

// find is the viewer of a session that a cursor names, nil if there is none.
func (l *polls) find(session string, after wire.Cursor) *poller {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range after {
		if p := l.byID[at.Agent]; p != nil && p.session == session {
			return p
		}
	}
	return nil
}

// close ends all viewers that poll.
func (l *polls) close() {
	l.mu.Lock()
	l.closed = true
	all := make([]*poller, 0, len(l.byID))
	for _, p := range l.byID {
		all = append(all, p)
	}
	l.byID = nil
	l.mu.Unlock()
	for _, p := range all {
		p.mu.Lock()
		if p.grace != nil {
			p.grace.Stop()
		}
		p.mu.Unlock()
		p.box.end()
		p.cancel()
	}
}

// knows says whether a poll with this cursor goes on where the last one left off, or asks for the last answer again.
func (p *poller) knows(asked string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last != nil {
		return asked == p.came
	}
	return asked == p.answered
}

// resume makes the caller the one that waits, if it returns with the last answer's cursor. If it does not, the viewer
// is of no use to anybody any more and ends.
func (p *poller) resume(asked string) (turn uint64, superseded <-chan struct{}, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if asked != p.answered || p.last != nil {
		p.endLocked()
		return 0, nil, false
	}
	if p.grace != nil {
		p.grace.Stop()
	}
	if p.superseded != nil {
		close(p.superseded)
	}
	p.turn++
	p.superseded = make(chan struct{})
	return p.turn, p.superseded, true
}

// repeat writes the last answer once more to whoever asks for it again.
func (p *poller) repeat(w http.ResponseWriter, asked string) bool {
	p.mu.Lock()
	last := p.last
	if asked != p.came {
		last = nil
	}
	p.mu.Unlock()
	if last == nil {
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(last)
	return true
}

// leave lets the viewer wait for its next poll, unless one waits already.
func (p *poller) leave(turn uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.turn != turn {
		return
	}
	if p.grace == nil {
		p.grace = time.AfterFunc(wire.PollGrace, p.expire)
	} else {
		p.grace.Reset(wire.PollGrace)
	}
}

// expire ends a viewer that nobody polls for.
func (p *poller) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endLocked()
}

// endLocked ends the viewer. What it took and nobody asked for is not counted as delivered.
func (p *poller) endLocked() {
	if p.grace != nil {
		p.grace.Stop()
	}
	p.polls.remove(p)
	p.cancel()
	p.box.end()
	<-p.done
	events := p.box.take().events
	s := p.viewer.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.sums.Viewers.Delivered -= events
		s.sums.Viewers.Left += events
	}
}

// answer makes the answer of what the mailbox holds; gone says that the viewer has ended without an end, and without
// anything left to say.
func (p *poller) answer(t pollTurn) (body []byte, gone bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.turn != p.turn {
		return appendAnswer(nil, mail{}, t.asked), false
	}
	m := p.box.take()
	if m.over && !m.ended && len(m.parts) == 0 {
		p.endLocked()
		return appendAnswer(nil, m, t.asked), true
	}
	p.answers++
	p.answered = append(m.cursor, wire.Position{Agent: p.id, Epoch: 1, Seq: p.answers}).String()
	body = appendAnswer(nil, m, p.answered)
	if m.ended {
		p.last, p.came = body, t.asked
	}
	return body, false
}

// appendAnswer appends a [wire.PollAnswer] made of lines that are frames already.
func appendAnswer(dst []byte, m mail, cursor string) []byte {
	dst = append(dst, `{"frames":[`...)
	first := true
	for _, part := range m.parts {
		for line := range bytes.Lines(part) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			if !first {
				dst = append(dst, ',')
			}
			first = false
			// The agent made it; a frame that is broken must not break those of others.
			if !json.Valid(line) {
				line = []byte(brokenFrame)
			}
			dst = append(dst, line...)
		}
	}
	dst = append(append(append(dst, `],"cursor":"`...), cursor...), `","ended":`...)
	if m.ended {
		return append(dst, "true}\n"...)
	}
	return append(dst, "false}\n"...)
}

// brokenFrame stands for a frame that is not JSON.
const brokenFrame = `{"type":"control","event":"error","code":"internal_error",` +
	`"message":"the agent sent a frame that cannot be read"}`

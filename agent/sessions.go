package agent

import (
	"context"
	"path/filepath"
	"sync"

	"github.com/spilelog/spile/internal/uplink"
	"github.com/spilelog/spile/wire"
)

// sessionFolder is the folder, in the data folder, of the sessions' journals.
const sessionFolder = "sessions"

// sessions reconciles the sessions that run with those that the server desires. It is the link's handler: the link's
// goroutine leaves word, run acts on it.
type sessions struct {
	agent   *Agent
	link    *uplink.Link
	agentID string
	wake    chan struct{} // capacity one, never closed: word was left

	mu      sync.Mutex
	desired []wire.DesiredSession // the last list
	news    bool                  // the list was not acted on yet
	open    map[string]*mailbox   // the running sessions, added and removed by run and its sessions
	// over holds, for sessions that ended here and that the server still desires, the last word on them. It is said
	// again on each connection, since one may break before the word is through.
	over    map[string]*lastWord
	workers sync.WaitGroup // the sessions' goroutines, awaited by run
}

// lastWord is the last report on a session.
type lastWord struct {
	report wire.Report
	said   bool // on the present connection
}

// newSessions makes the reconciler; the link is set before run.
func newSessions(a *Agent) *sessions {
	return &sessions{
		agent: a, wake: make(chan struct{}, 1), open: map[string]*mailbox{}, over: map[string]*lastWord{},
	}
}

// Connected tells those who have something to tell the server. The server sends the desired sessions next.
func (s *sessions) Connected() { signal(s.agent.linked) }

// Disconnected tells every session that its credit is gone.
func (s *sessions) Disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, box := range s.open {
		box.post(func(m *mail) { *m = mail{down: true, stop: m.stop} })
	}
	for _, last := range s.over {
		last.said = false
	}
}

// Desired leaves the list for run.
func (s *sessions) Desired(list []wire.DesiredSession) {
	s.mu.Lock()
	s.desired, s.news = list, true
	s.mu.Unlock()
	s.link.SetBusy(len(list) > 0)
	signal(s.wake)
}

// Ack passes an acknowledgement to its session.
func (s *sessions) Ack(ack wire.Ack) {
	s.mu.Lock()
	box := s.open[ack.Session]
	s.mu.Unlock()
	if box != nil {
		box.post(func(m *mail) {
			resend := m.ack != nil && m.ack.Resend
			ack.Resend = ack.Resend || resend
			m.ack = &ack
		})
	}
}

// Replay passes a question to its session.
func (s *sessions) Replay(ask wire.Replay) {
	s.mu.Lock()
	box := s.open[ask.Session]
	s.mu.Unlock()
	if box != nil {
		box.post(func(m *mail) { m.replay = &ask })
	}
}

// run starts and stops sessions until ctx ends, and waits for them.
func (s *sessions) run(ctx context.Context) error {
	defer s.workers.Wait()
	s.sweep()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
			s.reconcile(ctx)
		}
	}
}

// sweep deletes what an earlier process, which died, left half written.
func (s *sessions) sweep() {
	err := uplink.RemoveDrafts(filepath.Join(s.agent.cfg.Data, sessionFolder), journalSuffix)
	if err != nil {
		s.agent.cfg.Log.Warn("journal_sweep_failed", "reason", err.Error())
	}
}

// reconcile makes the running sessions those that are desired.
func (s *sessions) reconcile(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.news {
		return
	}
	s.news = false
	wanted := make(map[string]bool, len(s.desired))
	for _, d := range s.desired {
		wanted[d.ID] = true
		switch box := s.open[d.ID]; {
		case box != nil:
			box.post(func(m *mail) { m.desired = &d })
		case s.over[d.ID] != nil:
			s.sayLastLocked(s.over[d.ID])
		case len(s.open) >= wire.MaxAgentSessions:
			s.link.SendJSON(wire.LinkReport, refusal(d.ID, wire.Errorf(wire.CodeRateLimited,
				"agent has %d sessions open, at most %d allowed", len(s.open), wire.MaxAgentSessions)))
		default:
			s.startLocked(ctx, d)
		}
	}
	for id, box := range s.open {
		if !wanted[id] {
			box.post(func(m *mail) { m.stop = true })
		}
	}
	for id := range s.over {
		if !wanted[id] {
			delete(s.over, id)
		}
	}
	s.removeStaleLocked(wanted)
}

// sayLastLocked says a last word unless it was said on this connection.
func (s *sessions) sayLastLocked(last *lastWord) {
	if !last.said {
		last.said = s.link.SendJSON(wire.LinkReport, last.report)
	}
}

// startLocked starts the goroutine of one session.
func (s *sessions) startLocked(ctx context.Context, d wire.DesiredSession) {
	box := newMailbox()
	s.open[d.ID] = box
	s.workers.Go(func() {
		last := s.runSession(ctx, d, box)
		s.agent.trouble.journalled(d.ID, nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, d.ID)
		if last != nil {
			s.over[d.ID] = &lastWord{report: *last}
			s.sayLastLocked(s.over[d.ID])
		}
		// A list that came while the session was closing may want it again.
		s.news = true
		signal(s.wake)
	})
}

// runSession opens and runs one session; it returns the last word on one that is over for good.
func (s *sessions) runSession(ctx context.Context, d wire.DesiredSession, box *mailbox) *wire.Report {
	one, err := s.agent.openSession(ctx, d, s.agentID)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		s.agent.cfg.Log.Warn("session_open_failed", "session", d.ID, "reason", err.Error())
		return refusal(d.ID, asWireError(err))
	}
	one.link, one.box = s.link, box
	s.agent.cfg.Log.Info("session_opened", "session", d.ID, "mode", string(d.Mode), "epoch", one.out.Epoch())
	return one.run(ctx)
}

// refusal is the report that a session will not be opened here.
func refusal(id string, why *wire.Error) *wire.Report {
	return &wire.Report{Session: id, State: wire.ReportRefused, Error: why}
}

// signal wakes the reader of a channel of capacity one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

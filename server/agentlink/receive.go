package agentlink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spilelog/spile/wire"
)

// errKind is the error of a message that an agent may not send.
var errKind = errors.New("message of a kind that agents do not send")

// handle takes one message of the agent, which stands behind its UUID. An error ends the link.
func (l *link) handle(ctx context.Context, data []byte) error {
	kind, body, err := wire.SplitLink(data[len(l.uuid):])
	if err != nil {
		return err
	}
	switch kind {
	case wire.LinkBatch:
		batch, err := wire.ParseBatch(body)
		if err != nil {
			return err
		}
		return l.forward(batch.Session, data)
	case wire.LinkGap:
		var gap wire.GapItem
		if err := json.Unmarshal(body, &gap); err != nil {
			return fmt.Errorf("parse gap: %w", err)
		}
		return l.forward(gap.Session, data)
	case wire.LinkReplayed:
		answer, err := wire.ParseReplayed(body)
		if err != nil {
			return err
		}
		return l.forward(answer.Session, data)
	case wire.LinkReport:
		return l.handleReport(ctx, body, data)
	case wire.LinkMetrics:
		metrics, err := wire.ParseMetrics(body)
		if err != nil {
			return err
		}
		l.handler.o.Agents.Metrics(l.id, metrics)
		return nil
	case wire.LinkStatus:
		var status wire.StatusUpdate
		if err := json.Unmarshal(body, &status); err != nil {
			return fmt.Errorf("parse status: %w", err)
		}
		l.handler.o.Agents.Status(l.id, status)
		l.setProblem(status.Problem)
		return nil
	}
	return fmt.Errorf("kind %d: %w", kind, errKind)
}

// handleReport keeps what a report says for the server itself and passes it on.
func (l *link) handleReport(ctx context.Context, body, data []byte) error {
	var report wire.Report
	if err := json.Unmarshal(body, &report); err != nil {
		return fmt.Errorf("parse report: %w", err)
	}
	if !l.speaks(report.Session) {
		return nil
	}
	switch report.State {
	case wire.ReportOpen:
		if l.newEpoch(report.Session, report.Epoch) {
			// The epoch is kept before the items of it are passed on, so that a restart never forgets it.
			if err := l.handler.o.Sessions.Epoch(ctx, report.Session, l.id, report.Epoch); err != nil {
				return fmt.Errorf("keep epoch: %w", err)
			}
		}
	case wire.ReportRefused:
		why := report.Error
		if why == nil {
			why = wire.Errorf(wire.CodeInternal, "the agent gave no reason")
		}
		l.handler.o.Sessions.Refused(ctx, report.Session, l.id, why)
	}
	if err := l.forward(report.Session, data); err != nil {
		return err
	}
	switch report.State {
	case wire.ReportOpen:
		// The hub takes an agent that opens a session for one without a problem.
		if l.problem != "" {
			l.announce(presence{Problem: l.problem}, report.Session)
		}
	case wire.ReportClosed:
		l.forget(report.Session)
	}
	return nil
}

// forward publishes what the agent says of a session, if the session is one of its own. Else it is late or wrong,
// and concerns nobody.
func (l *link) forward(session string, data []byte) error {
	if !l.speaks(session) {
		return nil
	}
	if err := l.handler.o.Fabric.Publish("session."+session+".data", data); err != nil {
		return fmt.Errorf("publish item: %w", err)
	}
	return nil
}

// speaks says whether the agent may speak on a session.
func (l *link) speaks(session string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[session] != nil
}

// newEpoch notes the epoch of a session and says whether it changed.
func (l *link) newEpoch(session string, epoch uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.known[session]
	if k == nil || k.epoch == epoch {
		return false
	}
	k.epoch = epoch
	return true
}

// forget ends an agent's say on a session that is over.
func (l *link) forget(session string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.known[session]; k != nil && !k.desired {
		delete(l.known, session)
	}
}

// presence is what the sessions of an agent hear when its link breaks, or when what the agent says of itself changed;
// the hub reads it.
type presence struct {
	Status  wire.StreamStatus `json:"status,omitempty"`
	Problem string            `json:"problem,omitempty"`
}

// setProblem tells the agent's sessions of a problem of its own, and when it is over.
func (l *link) setProblem(problem string) {
	if problem != l.problem {
		l.problem = problem
		l.announce(presence{Problem: problem}, l.sessions()...)
	}
}

// announceLost tells the agent's sessions that it cannot be reached.
func (l *link) announceLost() { l.announce(presence{Status: wire.StreamUnreachable}, l.sessions()...) }

// sessions lists the sessions on which the agent may speak.
func (l *link) sessions() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	sessions := make([]string, 0, len(l.known))
	for session := range l.known {
		sessions = append(sessions, session)
	}
	return sessions
}

// announce tells sessions of the agent's presence.
func (l *link) announce(p presence, sessions ...string) {
	data, err := wire.AppendLink(l.uuid[:], wire.LinkStatus, p)
	if err != nil {
		l.handler.log.Error("presence_failed", "agent_id", l.id, "reason", err)
		return
	}
	for _, session := range sessions {
		if err := l.handler.o.Fabric.Publish("session."+session+".data", data); err != nil {
			l.handler.log.Warn("presence_failed", "agent_id", l.id, "session_id", session, "reason", err)
		}
	}
}

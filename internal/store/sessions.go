package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spilelog/spile/wire"
)

// Session is a session as it is remembered. WebSocketURL and Viewers are not.
type Session struct {
	wire.Session
	// SinceMS is how far before the start history begins, in milliseconds.
	SinceMS int64
}

// SessionAgent is what is remembered of one agent in one session.
type SessionAgent struct {
	SessionID string
	// Epoch is the last epoch of the agent's numbering, 0 for none.
	Epoch uint64
	// Refused is the agent's own word on why it does not open the session, empty when it does.
	Refused string
}

// AddSession remembers a new session.
func (s *Store) AddSession(ctx context.Context, session Session) error {
	body, err := encodeSession(session)
	if err != nil {
		return err
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (id, status, started_at, expires_at, since_ms, body)
			VALUES ($1,$2,$3,$4,$5,$6)`, session.ID, session.Status, session.StartedAt.UnixMilli(),
			session.ExpiresAt.UnixMilli(), session.SinceMS, body)
		if err != nil {
			return err
		}
		for _, a := range session.Agents {
			_, err := tx.ExecContext(ctx,
				`INSERT INTO session_agents (session_id, agent_id) VALUES ($1,$2)`, session.ID, a.ID)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add session: %w", err)
	}
	return nil
}

// SaveSession changes a session: its state, its end and its accounts.
func (s *Store) SaveSession(ctx context.Context, session Session) error {
	body, err := encodeSession(session)
	if err != nil {
		return err
	}
	result, err := s.exec(ctx, `UPDATE sessions SET status = $1, expires_at = $2, body = $3 WHERE id = $4`,
		session.Status, session.ExpiresAt.UnixMilli(), body, session.ID)
	if err := changedOne(result, err); err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

// FindSession returns the session with this id, or ErrNotFound.
func (s *Store) FindSession(ctx context.Context, id string) (Session, error) {
	session, err := scanSession(s.db.QueryRowContext(ctx, `SELECT body, since_ms FROM sessions WHERE id = $1`, id))
	if err != nil {
		return Session{}, fmt.Errorf("find session: %w", err)
	}
	return session, nil
}

// Sessions returns up to limit sessions, the newest first; an empty status means all.
func (s *Store) Sessions(ctx context.Context, status wire.Status, limit int) (_ []Session, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT body, since_ms FROM sessions WHERE $1 = '' OR status = $1
		ORDER BY started_at DESC, id LIMIT $2`, string(status), limit)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Session
	for rows.Next() {
		session, err := scanSession(rows)
		if err != nil {
			return nil, fmt.Errorf("list sessions: %w", err)
		}
		out = append(out, session)
	}
	return out, rows.Err()
}

// TrimSessions forgets the oldest ended sessions but for the newest keep.
func (s *Store) TrimSessions(ctx context.Context, keep int) error {
	_, err := s.exec(ctx, `DELETE FROM sessions WHERE status = 'ended' AND id NOT IN
		(SELECT id FROM sessions WHERE status = 'ended' ORDER BY started_at DESC LIMIT $1)`, keep)
	if err != nil {
		return fmt.Errorf("trim sessions: %w", err)
	}
	return nil
}

// AgentSessions returns what is remembered of an agent in its active sessions.
func (s *Store) AgentSessions(ctx context.Context, agentID string) (_ []SessionAgent, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT a.session_id, a.epoch, a.refused FROM session_agents a
		JOIN sessions s ON s.id = a.session_id WHERE a.agent_id = $1 AND s.status = 'active'
		ORDER BY s.started_at, s.id`, agentID)
	if err != nil {
		return nil, fmt.Errorf("list sessions of agent: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []SessionAgent
	for rows.Next() {
		var a SessionAgent
		if err := rows.Scan(&a.SessionID, &a.Epoch, &a.Refused); err != nil {
			return nil, fmt.Errorf("list sessions of agent: %w", err)
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// SaveEpoch remembers the epoch of an agent in a session, or returns ErrNotFound.
func (s *Store) SaveEpoch(ctx context.Context, session, agentID string, epoch uint64) error {
	// SQLite's integers are signed, and an epoch is a small count.
	result, err := s.exec(ctx,
		`UPDATE session_agents SET epoch = $1 WHERE session_id = $2 AND agent_id = $3`, int64(epoch), session, agentID)
	if err := changedOne(result, err); err != nil {
		return fmt.Errorf("save epoch: %w", err)
	}
	return nil
}

// SaveRefusal remembers that an agent does not open a session, or returns ErrNotFound.
func (s *Store) SaveRefusal(ctx context.Context, session, agentID, why string) error {
	result, err := s.exec(ctx,
		`UPDATE session_agents SET refused = $1 WHERE session_id = $2 AND agent_id = $3`, why, session, agentID)
	if err := changedOne(result, err); err != nil {
		return fmt.Errorf("save refusal: %w", err)
	}
	return nil
}

// encodeSession is the JSON of a session without what changes by the minute.
func encodeSession(session Session) ([]byte, error) {
	session.WebSocketURL, session.Viewers = "", 0
	body, err := json.Marshal(session.Session)
	if err != nil {
		return nil, fmt.Errorf("encode session: %w", err)
	}
	return body, nil
}

// scanSession reads one row.
func scanSession(row interface{ Scan(...any) error }) (Session, error) {
	var session Session
	var body []byte
	err := row.Scan(&body, &session.SinceMS)
	if errors.Is(err, sql.ErrNoRows) {
		return Session{}, ErrNotFound
	}
	if err != nil {
		return Session{}, err
	}
	if err := json.Unmarshal(body, &session.Session); err != nil {
		return Session{}, fmt.Errorf("decode session: %w", err)
	}
	return session, nil
}

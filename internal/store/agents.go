package store

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spilelog/spile/wire"
)

// Agent is what is remembered of an agent.
type Agent struct {
	ID          string
	Name        string
	PublicKey   ed25519.PublicKey
	Labels      map[string]string
	Version     string
	Sources     []wire.Source
	EnrolledAt  time.Time
	LastSeen    time.Time
	ClockOffset time.Duration
}

// NameTakenError is the error of a name that another agent has.
type NameTakenError struct {
	Name string
	// ID is the id of the agent that has the name.
	ID string
}

// Error says who has the name.
func (e *NameTakenError) Error() string {
	return fmt.Sprintf("name %q is in use by agent %s", e.Name, e.ID)
}

const agentColumns = `id, name, public_key, labels, version, sources, enrolled_at, last_seen, clock_offset_ms`

// EnrolAgent remembers an agent. An agent with the same key keeps its id and gets the new name, labels and version;
// the id that holds is returned. A name in use by another key is a *NameTakenError.
func (s *Store) EnrolAgent(ctx context.Context, a Agent) (string, error) {
	labels, err := json.Marshal(nonNil(a.Labels))
	if err != nil {
		return "", fmt.Errorf("encode labels: %w", err)
	}
	id := a.ID
	err = s.tx(ctx, func(tx *sql.Tx) error {
		var known, other string
		err := tx.QueryRowContext(ctx, `SELECT id FROM agents WHERE public_key = $1`, []byte(a.PublicKey)).Scan(&known)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if known != "" {
			id = known
		}
		err = tx.QueryRowContext(ctx, `SELECT id FROM agents WHERE name = $1 AND id <> $2`, a.Name, id).Scan(&other)
		switch {
		case err == nil:
			return &NameTakenError{Name: a.Name, ID: other}
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		at := a.EnrolledAt.UnixMilli()
		_, err = tx.ExecContext(ctx, `INSERT INTO agents (`+agentColumns+`) VALUES ($1,$2,$3,$4,$5,'[]',$6,$7,0)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, labels = excluded.labels, version = excluded.version`,
			id, a.Name, []byte(a.PublicKey), labels, a.Version, at, at)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("enrol agent: %w", err)
	}
	return id, nil
}

// FindAgent returns the agent with this id or name, or ErrNotFound.
func (s *Store) FindAgent(ctx context.Context, idOrName string) (Agent, error) {
	row := s.db.QueryRowContext(ctx,
		`SELECT `+agentColumns+` FROM agents WHERE id = $1 OR name = $1 ORDER BY id = $1 DESC LIMIT 1`, idOrName)
	a, err := scanAgent(row)
	if err != nil {
		return Agent{}, fmt.Errorf("find agent: %w", err)
	}
	return a, nil
}

// Agents returns all agents by name.
func (s *Store) Agents(ctx context.Context) (_ []Agent, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT `+agentColumns+` FROM agents ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("list agents: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []Agent
	for rows.Next() {
		a, err := scanAgent(rows)
		if err != nil {
			return nil, fmt.Errorf("list agents: %w", err)
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// SaveAgent changes what an agent told of itself: labels, version, sources, last seen and clock offset.
func (s *Store) SaveAgent(ctx context.Context, a Agent) error {
	labels, err := json.Marshal(nonNil(a.Labels))
	if err != nil {
		return fmt.Errorf("encode labels: %w", err)
	}
	if a.Sources == nil {
		a.Sources = []wire.Source{}
	}
	sources, err := json.Marshal(a.Sources)
	if err != nil {
		return fmt.Errorf("encode sources: %w", err)
	}
	result, err := s.exec(ctx, `UPDATE agents SET labels = $1, version = $2, sources = $3, last_seen = $4,
		clock_offset_ms = $5 WHERE id = $6`,
		labels, a.Version, sources, a.LastSeen.UnixMilli(), a.ClockOffset.Milliseconds(), a.ID)
	if err := changedOne(result, err); err != nil {
		return fmt.Errorf("save agent: %w", err)
	}
	return nil
}

// ForgetAgent removes an agent, or returns ErrNotFound.
func (s *Store) ForgetAgent(ctx context.Context, id string) error {
	result, err := s.exec(ctx, `DELETE FROM agents WHERE id = $1`, id)
	if err := changedOne(result, err); err != nil {
		return fmt.Errorf("forget agent: %w", err)
	}
	return nil
}

// scanAgent reads one row.
func scanAgent(row interface{ Scan(...any) error }) (Agent, error) {
	var a Agent
	var key, labels, sources []byte
	var enrolled, seen, offset int64
	err := row.Scan(&a.ID, &a.Name, &key, &labels, &a.Version, &sources, &enrolled, &seen, &offset)
	if errors.Is(err, sql.ErrNoRows) {
		return Agent{}, ErrNotFound
	}
	if err != nil {
		return Agent{}, err
	}
	if err := json.Unmarshal(labels, &a.Labels); err != nil {
		return Agent{}, fmt.Errorf("decode labels: %w", err)
	}
	if err := json.Unmarshal(sources, &a.Sources); err != nil {
		return Agent{}, fmt.Errorf("decode sources: %w", err)
	}
	a.PublicKey = key
	a.EnrolledAt, a.LastSeen = time.UnixMilli(enrolled), time.UnixMilli(seen)
	a.ClockOffset = time.Duration(offset) * time.Millisecond
	return a, nil
}

// nonNil makes an absent map an empty one, so that it is {} in JSON.
func nonNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Revoke remembers that logins are over although they last until the times of ends, and forgets those that ended at
// past or before. A time that is already remembered only becomes later.
func (s *Store) Revoke(ctx context.Context, ends map[string]time.Time, past time.Time) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM revocations WHERE expires_at <= $1`, past.UnixMilli()); err != nil {
			return err
		}
		for id, end := range ends {
			_, err := tx.ExecContext(ctx, `INSERT INTO revocations (id, expires_at) VALUES ($1, $2)
				ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
				WHERE revocations.expires_at < excluded.expires_at`, id, end.UnixMilli())
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("revoke login: %w", err)
	}
	return nil
}

// Revoked returns what [Store.Revoke] remembers.
func (s *Store) Revoked(ctx context.Context) (_ map[string]time.Time, err error) {
	rows, err := s.db.QueryContext(ctx, `SELECT id, expires_at FROM revocations`)
	if err != nil {
		return nil, fmt.Errorf("list revocations: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	ends := map[string]time.Time{}
	for rows.Next() {
		var id string
		var end int64
		if err := rows.Scan(&id, &end); err != nil {
			return nil, fmt.Errorf("list revocations: %w", err)
		}
		ends[id] = time.UnixMilli(end).UTC()
	}
	return ends, rows.Err()
}

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// claimFile is the name of the file whose lock says that a server runs on the folder.
const claimFile = "serve.lock"

// resultMask cuts an extended result code of SQLite down to the plain one.
const resultMask = 0xff

// ErrInUse is the error of a folder that another server has.
var ErrInUse = errors.New("another server runs on this folder")

// Claim is the right to run the one server of a folder. It ends with Close, or with the process however that ends.
type Claim struct {
	db    *sql.DB
	conn  *sql.Conn
	close sync.Once
	err   error
}

// Take claims the folder dir, which it makes where it is missing, or returns [ErrInUse]. Reading and writing the
// database needs no claim: the command line makes tokens beside a server.
func Take(ctx context.Context, dir string) (_ *Claim, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(dir, claimFile))
	if err != nil {
		return nil, fmt.Errorf("find data folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim data folder: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("claim data folder: %w", err)
	}
	// SQLite's lock rather than one of ours: it is the same on every system that the store runs on.
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: path}).String())
	if err != nil {
		return nil, fmt.Errorf("claim data folder: %w", err)
	}
	c := &Claim{db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.conn, err = db.Conn(ctx); err != nil {
		return nil, fmt.Errorf("claim data folder: %w", err)
	}
	_, err = c.conn.ExecContext(ctx, "BEGIN EXCLUSIVE")
	if busy, ok := errors.AsType[*sqlite.Error](err); ok && busy.Code()&resultMask == sqlite3.SQLITE_BUSY {
		return nil, fmt.Errorf("claim data folder %s: %w", dir, ErrInUse)
	}
	if err != nil {
		return nil, fmt.Errorf("claim data folder: %w", err)
	}
	return c, nil
}

// Close gives the folder back; a second call returns the same.
func (c *Claim) Close() error {
	c.close.Do(func() {
		if c.conn != nil {
			c.err = c.conn.Close()
		}
		c.err = errors.Join(c.err, c.db.Close())
	})
	return c.err
}

// Package durable replaces small files so that no death, of the process or of the machine, leaves half of one.
package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// newEnding is appended to a file's name for the draft of its successor.
const newEnding = ".new"

// mode lets nobody but the owner in.
const mode = 0o600

// Replace makes the file at path hold what write writes, or leaves it as it was: a draft beside it is written, synced
// and renamed, and the folder synced. The file gets mode 0600. A draft that a death left behind is written over by the
// next call, so that there is never more than one; only one process may replace a path at a time.
//
// An error may come after the rename, when the folder cannot be synced: then the new file is there, but a death of the
// machine may bring the old one back.
func Replace(path string, write func(io.Writer) error) error {
	draft := path + newEnding
	if err := writeDraft(draft, write); err != nil {
		_ = os.Remove(draft)
		return fmt.Errorf("replace %s: %w", path, err)
	}
	if err := os.Rename(draft, path); err != nil {
		_ = os.Remove(draft)
		return fmt.Errorf("replace %s: %w", path, err)
	}
	return SyncFolder(filepath.Dir(path))
}

// writeDraft writes and syncs a file that did not exist: a link that lies in its place is not followed.
func writeDraft(draft string, write func(io.Writer) error) error {
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Remove deletes the file at path for good; that there is none is no error.
func Remove(path string) error {
	if err := os.Remove(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("remove file: %w", err)
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes the names in a folder durable.
func SyncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	return nil
}

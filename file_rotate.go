package spile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// rotateRetry is how long after a rotation that failed none is tried.
const rotateRetry = time.Second

// rotateIfDueLocked rotates the file if a record of n bytes must not go into it. If that fails, the record goes into
// the old file.
func (f *File) rotateIfDueLocked(n int64) {
	if n == 0 || f.limit.MaxSize == 0 && f.limit.MaxAge == 0 {
		return
	}
	var now time.Time
	if f.limit.MaxAge > 0 {
		now = time.Now()
	}
	content := f.disk.size + int64(len(f.out.waiting.data)-f.out.waiting.sent)
	if content == 0 {
		f.disk.since = now
		return
	}
	full := f.limit.MaxSize > 0 && content+n > f.limit.MaxSize
	old := f.limit.MaxAge > 0 && now.Truncate(f.limit.MaxAge).After(f.disk.since.Truncate(f.limit.MaxAge))
	if !full && !old {
		return
	}
	if now = time.Now(); now.Before(f.retry) {
		return
	}
	if err := f.rotateLocked(now); err != nil {
		f.retry = now.Add(rotateRetry)
		f.troubles.rotate = fmt.Errorf("rotate log file %s: %w", f.limit.Path, err)
		return
	}
	f.troubles.rotate = nil
}

// rotateLocked moves the file aside and begins a new one. After an error the old one is still open.
func (f *File) rotateLocked(now time.Time) error {
	if err := f.out.writeLocked(); err != nil {
		return err
	}
	path := f.limit.Path
	aside := ""
	// Somebody else may have moved the file away, or put another in its place: then it is no longer ours to move.
	if f.disk.isAt(path) {
		var err error
		if aside, err = f.asideLocked(now); err != nil {
			return err
		}
		err = os.Rename(path, aside)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			aside = "" // Somebody moved it just now.
		case err != nil:
			return bare(err)
		}
	}
	return f.beginLocked(aside, now)
}

// beginLocked goes on in a new file; the old one was moved aside, or by somebody else if that is empty.
func (f *File) beginLocked(aside string, now time.Time) error {
	next, err := openDisk(f.limit.Path)
	if err != nil {
		if aside != "" {
			f.moveBackLocked(aside)
		}
		return err
	}
	err = f.disk.Close() // All was written; some network file systems tell only now that it was not.
	f.useLocked(next, now)
	f.tidyLocked()
	if err != nil {
		return fmt.Errorf("the old file: %w", err)
	}
	return nil
}

// asideLocked is a free name for the file when it is moved aside at the time now, later than those of all files moved
// before.
func (f *File) asideLocked(now time.Time) (string, error) {
	rotated, err := listRotated(f.limit.Path)
	if err != nil {
		return "", err
	}
	now = now.UTC().Truncate(stampStep)
	if len(rotated) > 0 {
		if last := rotated[len(rotated)-1].at; !now.After(last) {
			now = last.Add(stampStep)
		}
	}
	aside := f.limit.Path + "." + now.Format(stampLayout)
	if _, err := os.Lstat(aside); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the name %s is in use", filepath.Base(aside))
	}
	return aside, nil
}

// moveBackLocked undoes a rename. If it cannot, the file keeps its new name and is written on there, and the tidying
// leaves it alone.
func (f *File) moveBackLocked(aside string) {
	f.disk.path = aside
	if _, err := os.Lstat(f.limit.Path); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if os.Rename(aside, f.limit.Path) == nil {
		f.disk.path = f.limit.Path
	}
}

// Reopen goes on in the file that now has the path, creating it if there is none: what logrotate asks for after it has
// renamed the old one. What was logged before goes to the old file; if that cannot take it, as on a full disk, it goes
// to the new one. If the new one cannot be opened, the old one is written on, and the error says why.
func (f *File) Reopen() error {
	f.out.mu.Lock()
	defer f.out.mu.Unlock()
	if f.out.closed {
		return ErrClosed
	}
	next, err := openDisk(f.limit.Path)
	if err != nil {
		f.troubles.reopen = fmt.Errorf("reopen: %w", err)
		return f.troubles.reopen
	}
	f.troubles.reopen = nil
	_ = f.out.writeLocked() // What it says stands in failed.
	if os.SameFile(next.info, f.disk.info) {
		if info, err := next.file.Stat(); err == nil {
			f.disk.size = info.Size() // Somebody may have cut it.
		}
		return next.Close()
	}
	f.out.waiting.restart()
	err = f.disk.Close()
	f.useLocked(next, time.Now())
	return err
}

// useLocked makes d, opened at the time now, the file in use. With that, whatever kept f in an old file is over.
func (f *File) useLocked(d disk, now time.Time) {
	f.disk = d
	f.troubles.rotate, f.troubles.reopen = nil, nil
	if d.size == 0 {
		f.disk.since = now
	}
}

// ReopenOn calls [File.Reopen] whenever the process gets one of the signals, without any: SIGHUP, where there is one,
// which is on Unix. It returns nil when ctx is done and [ErrClosed] after [File.Close]. A reopening that fails is told
// by [File.Err] and ends nothing. Before ReopenOn runs, and after it, a signal does what it otherwise does, which for
// SIGHUP is to end the process.
//
// For logrotate:
//
//	/var/log/app.log {
//		create 0600
//		postrotate
//			kill -HUP $(cat /run/app.pid)
//		endscript
//	}
func (f *File) ReopenOn(ctx context.Context, signals ...os.Signal) error {
	if len(signals) == 0 {
		signals = reopenSignals()
	}
	// One place is enough: a signal that finds it taken comes before a reopening that has not begun.
	got := make(chan os.Signal, 1)
	if len(signals) > 0 { // None would mean all.
		signal.Notify(got, signals...)
		defer signal.Stop(got)
	}
	for {
		select {
		case <-got:
			_ = f.Reopen() // Err tells it.
		case <-f.closing:
			return ErrClosed
		case <-ctx.Done():
			return nil
		}
	}
}

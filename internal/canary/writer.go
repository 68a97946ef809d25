package canary

import (
	"context"
	"fmt"
	"os"
	"time"
)

const (
	// writeTick is how often lines are written at most; those due are written at once.
	writeTick = 10 * time.Millisecond
	// maxBehind is how much of a pause is made up for.
	maxBehind = time.Second
	// rewriteAfter is how long the writer leaves a file alone that it could not write.
	rewriteAfter = time.Second
)

// writer appends numbered lines to a file, which it opens again when its name leads elsewhere.
type writer struct {
	path   string
	run    string
	rate   float64
	tally  *tally
	notice func(format string, args ...any)

	file *os.File
	buf  []byte
	next uint64
}

// work writes until ctx ends.
func (w *writer) work(ctx context.Context) error {
	defer w.close()
	tick := time.NewTicker(max(writeTick, time.Duration(float64(time.Second)/w.rate)))
	defer tick.Stop()
	begin, done := time.Now(), uint64(0)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		due := uint64(w.rate * time.Since(begin).Seconds())
		if behind := uint64(w.rate*maxBehind.Seconds()) + 1; due > done+behind {
			begin, done = time.Now(), 0
			continue
		}
		if err := w.write(due - done); err != nil {
			w.notice("%v", err)
			w.close()
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(rewriteAfter):
			}
		}
		done = due
	}
}

// write writes the next lines, and before them what could not be written the last time.
func (w *writer) write(count uint64) error {
	if err := w.follow(); err != nil {
		return err
	}
	for range count {
		w.next++
		w.buf = appendLine(w.buf, w.run, w.next, time.Now())
	}
	// Counted before it is written, since it may come back at once.
	w.tally.count(func(c *Counts) { c.Written = w.next })
	n, err := w.file.Write(w.buf)
	w.buf = append(w.buf[:0], w.buf[n:]...)
	if err != nil {
		return fmt.Errorf("write canary's lines: %w", err)
	}
	return nil
}

// follow opens the file, again if it was renamed or removed.
func (w *writer) follow() error {
	if w.file != nil {
		open, err := w.file.Stat()
		if err != nil {
			return fmt.Errorf("look at canary's file: %w", err)
		}
		if named, err := os.Stat(w.path); err == nil && os.SameFile(open, named) {
			return nil
		}
		w.close()
	}
	file, err := os.OpenFile(w.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open canary's file: %w", err)
	}
	w.file = file
	return nil
}

// close closes the file.
func (w *writer) close() {
	if w.file != nil {
		_ = w.file.Close()
		w.file = nil
	}
}

package spile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// move renames a file.
func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func TestReopen(t *testing.T) {
	f := openTestFile(t, FileOptions{FlushEvery: -1})
	mustLog(t, f, "one")
	if err := f.Reopen(); err != nil { // The file is where it was.
		t.Fatal(err)
	}
	content(t, f.Path(), "one\n")
	mustLog(t, f, "two")
	move(t, f.Path(), f.Path()+".1")
	mustLog(t, f, "three")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	content(t, f.Path()+".1", "one\ntwo\nthree\n")
	content(t, f.Path(), "")
	mustLog(t, f, "four")
	mustFlush(t, f)
	content(t, f.Path()+".1", "one\ntwo\nthree\n")
	content(t, f.Path(), "four\n")
}

// TestReopenIntoAPreparedFile goes on in a file that logrotate or somebody else made.
func TestReopenIntoAPreparedFile(t *testing.T) {
	f := openTestFile(t, FileOptions{FlushEvery: -1})
	mustLog(t, f, "one")
	move(t, f.Path(), f.Path()+".1")
	put(t, f.Path(), "a header without an end")
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	mustLog(t, f, "two")
	mustFlush(t, f)
	content(t, f.Path()+".1", "one\n")
	content(t, f.Path(), "a header without an end\ntwo\n")
}

// TestReopenAfterACut counts anew after somebody cut the file, as copytruncate does.
func TestReopenAfterACut(t *testing.T) {
	f := openTestFile(t, FileOptions{FlushEvery: -1, MaxSize: 8})
	mustLog(t, f, "one", "two")
	mustFlush(t, f)
	if err := os.Truncate(f.Path(), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err != nil {
		t.Fatal(err)
	}
	mustLog(t, f, "three")
	mustFlush(t, f)
	content(t, f.Path(), "three\n")
	if got := filesOf(t, f.Path()); len(got) != 1 {
		t.Errorf("there are %q", got)
	}
}

func TestReopenFails(t *testing.T) {
	f := openTestFile(t, FileOptions{FlushEvery: -1})
	mustLog(t, f, "one")
	move(t, f.Path(), f.Path()+".1")
	if err := os.Symlink("elsewhere", f.Path()); err != nil {
		t.Fatal(err)
	}
	const want = ": it is a symbolic link, it must be a regular file"
	if err := f.Reopen(); err == nil || err.Error() != "reopen: open log file "+f.Path()+want {
		t.Errorf("reopen says %v", err)
	}
	mustLog(t, f, "two")
	if err := f.Flush(t.Context()); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("flush says %v", err)
	}
	content(t, f.Path()+".1", "one\ntwo\n")
	if err := os.Remove(f.Path()); err != nil {
		t.Fatal(err)
	}
	if err := f.Reopen(); err != nil {
		t.Error(err)
	}
	mustLog(t, f, "three")
	mustFlush(t, f)
	content(t, f.Path(), "three\n")
}

// TestReopenWhenTheOldFileIsFull takes what the old file refuses to the new one, whole.
func TestReopenWhenTheOldFileIsFull(t *testing.T) {
	f := openTestFile(t, FileOptions{FlushEvery: -1})
	mustLog(t, f, "one", "two")
	f.out.mu.Lock()
	f.out.w = &choosy{allow: 2}
	_ = f.out.writeLocked()
	f.out.w = &f.disk
	f.out.mu.Unlock()
	f.disk.file.Close() // It refuses everything from here on.
	move(t, f.Path(), f.Path()+".1")
	if err := f.Reopen(); err == nil {
		t.Error("nothing tells that the old file could not be closed")
	}
	mustFlush(t, f)
	content(t, f.Path(), "one\ntwo\n")
}

// TestReopenHammer renames and reopens the file while several goroutines log, and it rotates by itself too.
func TestReopenHammer(t *testing.T) {
	defer goleak.VerifyNone(t)
	f := openTestFile(t, FileOptions{MaxSize: 1 << 16, BufferSize: 1000})
	var moved int
	taken := logUntilClosed(t, f, func() {
		for range 100 {
			err := os.Rename(f.Path(), fmt.Sprintf("%s.%d", f.Path(), moved))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
			if err == nil {
				moved++
			}
			if err := f.Reopen(); err != nil {
				t.Error(err)
			}
		}
	})
	if moved < 50 {
		t.Errorf("moved %d times", moved)
	}
	var all strings.Builder
	for _, name := range filesOf(t, f.Path()) {
		text, err := os.ReadFile(f.Path() + name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	onlyTheseLines(t, strings.NewReader(all.String()), taken)
}

// TestReopenOn sends signals to this very process.
func TestReopenOn(t *testing.T) {
	defer goleak.VerifyNone(t)
	tests := map[string]struct {
		send    syscall.Signal
		signals []os.Signal
	}{
		"hangup-by-default": {syscall.SIGHUP, nil},
		"another":           {syscall.SIGUSR1, []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			// Somebody else listens too, so that a signal before ReopenOn runs does not end the process.
			other := make(chan os.Signal, 1)
			signal.Notify(other, tt.send)
			defer signal.Stop(other)
			f := openTestFile(t, FileOptions{FlushEvery: -1})
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			wg.Go(func() {
				if err := f.ReopenOn(ctx, tt.signals...); err != nil {
					t.Error(err)
				}
			})
			mustLog(t, f, "one")
			move(t, f.Path(), f.Path()+".1")
			for {
				if err := syscall.Kill(os.Getpid(), tt.send); err != nil {
					t.Fatal(err)
				}
				<-other
				if _, err := os.Stat(f.Path()); err == nil {
					break
				}
			}
			mustFlush(t, f) // It waits for the lock, and so for the reopening that made the file.
			mustLog(t, f, "two")
			mustFlush(t, f)
			content(t, f.Path()+".1", "one\n")
			content(t, f.Path(), "two\n")
		})
	}
}

func TestReopenOnEnds(t *testing.T) {
	defer goleak.VerifyNone(t)
	f := openTestFile(t, FileOptions{Path: filepath.Join(t.TempDir(), "app.log")})
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.ReopenOn(done, syscall.SIGUSR1); err != nil {
		t.Errorf("with its context it ends with %v", err)
	}
	ended := make(chan error)
	go func() { ended <- f.ReopenOn(context.Background(), syscall.SIGUSR1) }()
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("with the file it ends with %v", err)
	}
}

// TestErrForgetsWhatANewFileMends checks that a new file ends the troubles of the old one, whichever way it came.
func TestErrForgetsWhatANewFileMends(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "logs")
	again := func() {
		t.Helper()
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	again()
	f := openTestFile(t, FileOptions{Path: filepath.Join(folder, "app.log"), BufferSize: -1, MaxSize: 5})
	mustLog(t, f, "one")
	away := func() {
		t.Helper()
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
	away()
	if err := f.Reopen(); err == nil {
		t.Fatal("reopened in no folder")
	}
	again()
	mustLog(t, f, "two") // Rotates.
	if err := f.Err(); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	away()
	mustLog(t, f, "three") // Cannot rotate.
	if f.Err() == nil {
		t.Fatal("rotated in no folder")
	}
	again()
	if err := errors.Join(f.Reopen(), f.Err()); err != nil {
		t.Errorf("after a reopening: %v", err)
	}
}

package spile

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/spilelog/spile/event"
)

// openTestFile opens a file that prints messages, in a folder of the test; it is closed with the test.
func openTestFile(t *testing.T, o FileOptions) *File {
	t.Helper()
	o.BaseOptions = messageOnly
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "app.log")
	}
	f, err := OpenFile(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close(context.Background()) })
	return f
}

// mustLog logs texts.
func mustLog(t *testing.T, b Backend, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err := logText(b, text); err != nil {
			t.Errorf("log %s: %v", text, err)
		}
	}
}

// mustFlush flushes.
func mustFlush(t *testing.T, b Backend) {
	t.Helper()
	if err := b.Flush(t.Context()); err != nil {
		t.Errorf("flush: %v", err)
	}
}

// content checks what a file holds.
func content(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return
	}
	if string(got) != want {
		t.Errorf("%s holds %q, want %q", filepath.Base(path), got, want)
	}
}

func TestOpenFileRefuses(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	target := in("target")
	if err := os.WriteFile(target, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": target, "dangling": in("nowhere"), "link-to-folder": dir} {
		if err := os.Symlink(to, in(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(in("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", in("socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	tests := map[string]struct {
		o    FileOptions
		want string
	}{
		"no-path":           {FileOptions{}, "open log file: Path is empty, it must be set"},
		"negative-size":     {FileOptions{Path: target, MaxSize: -1}, "open log file: MaxSize is -1, it must be 0 or more"},
		"negative-age":      {FileOptions{Path: target, MaxAge: -1}, "open log file: MaxAge is -1ns, it must be 0 or more"},
		"negative-files":    {FileOptions{Path: target, MaxFiles: -1}, "open log file: MaxFiles is -1, it must be 0 or more"},
		"symbolic-link":     {FileOptions{Path: in("link")}, "open log file " + in("link") + ": it is a symbolic link, it must be a regular file"},
		"dangling-link":     {FileOptions{Path: in("dangling")}, "open log file " + in("dangling") + ": it is a symbolic link, it must be a regular file"},
		"link-to-folder":    {FileOptions{Path: in("link-to-folder")}, "open log file " + in("link-to-folder") + ": it is a symbolic link, it must be a regular file"},
		"folder":            {FileOptions{Path: dir}, "open log file " + dir + ": it is a folder, it must be a regular file"},
		"named-pipe":        {FileOptions{Path: in("pipe")}, "open log file " + in("pipe") + ": it is a named pipe, it must be a regular file"},
		"socket":            {FileOptions{Path: in("socket")}, "open log file " + in("socket") + ": it is a socket, it must be a regular file"},
		"device":            {FileOptions{Path: "/dev/null"}, "open log file /dev/null: it is a device, it must be a regular file"},
		"missing-folder":    {FileOptions{Path: in("no/app.log")}, "open log file " + in("no/app.log") + ": the folder " + in("no") + " does not exist"},
		"file-as-a-folder":  {FileOptions{Path: in("target/app.log")}, "open log file " + in("target/app.log") + ": not a directory"},
		"name-ends-in-null": {FileOptions{Path: in("a\x00b")}, "open log file " + in("a\x00b") + ": invalid argument"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := OpenFile(tt.o)
			if err == nil {
				_ = f.Close(t.Context())
				t.Fatal("it was opened")
			}
			if err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	content(t, target, "old\n")
	if _, err := os.Lstat(in("nowhere")); !os.IsNotExist(err) {
		t.Error("the target of a dangling link was made")
	}
}

// TestOpenRacingALink has the second look refuse what the first did not see.
func TestOpenRacingALink(t *testing.T) {
	dir := t.TempDir()
	link, pipe := filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := os.Symlink(filepath.Join(dir, "target"), link); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, pipe} {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|openFlags, fileMode)
		if err != nil {
			err = openError(path, err)
		} else {
			info, serr := file.Stat()
			if serr != nil {
				t.Fatal(serr)
			}
			err = regular(info.Mode())
			file.Close()
		}
		if err == nil {
			t.Errorf("%s was opened", filepath.Base(path))
		}
	}
}

func TestFileMode(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct {
		before os.FileMode // 0: there is no file
		want   os.FileMode
	}{
		"new":            {0, 0o600},
		"existing":       {0o640, 0o640},
		"readable-by-us": {0o600, 0o600},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			if tt.before != 0 {
				if err := os.WriteFile(path, nil, tt.before); err != nil {
					t.Fatal(err)
				}
			}
			f := openTestFile(t, FileOptions{Path: path, MaxSize: 1})
			mustLog(t, f, "one", "two")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o600 {
				t.Errorf("after a rotation the mode is %v", info.Mode())
			}
			list, err := listRotated(path)
			if err != nil || len(list) != 1 {
				t.Fatalf("%d rotated, %v", len(list), err)
			}
			if info, err = os.Stat(list[0].path); err != nil || info.Mode() != tt.want {
				t.Errorf("the first file has the mode %v, want %v; %v", info.Mode(), tt.want, err)
			}
		})
	}
}

// TestFileEndsATornLine opens files as a killed process leaves them.
func TestFileEndsATornLine(t *testing.T) {
	for before, want := range map[string]string{"": "new\n", "whole\n": "whole\nnew\n", "whole\nto": "whole\nto\nnew\n"} {
		path := filepath.Join(t.TempDir(), "app.log")
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		f := openTestFile(t, FileOptions{Path: path})
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		content(t, path, before)
		mustLog(t, f, "new")
		mustFlush(t, f)
		content(t, path, want)
		mustLog(t, f, "newer")
		mustFlush(t, f)
		content(t, path, want+"newer\n")
	}
}

func TestFileFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openTestFile(t, FileOptions{BufferSize: 10})
		mustLog(t, f, "a")
		pass(flushEvery - 1)
		content(t, f.Path(), "")
		pass(1)
		content(t, f.Path(), "a\n")
		mustLog(t, f, "b")
		if err := f.Log(t.Context(), &event.Event{Message: "warning", Level: event.Warning}); err != nil {
			t.Error(err)
		}
		content(t, f.Path(), "a\n")
		if err := f.Log(t.Context(), &event.Event{Message: "bad", Level: event.Error}); err != nil {
			t.Error(err)
		}
		content(t, f.Path(), "a\nb\nwarning\nbad\n")
		mustLog(t, f, "c")
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
		content(t, f.Path(), "a\nb\nwarning\nbad\nc\n")
	})
}

func TestFileUnbuffered(t *testing.T) {
	f := openTestFile(t, FileOptions{BufferSize: -1})
	mustLog(t, f, "a")
	content(t, f.Path(), "a\n")
}

// TestFileStaysWhereItWasOpened changes the working folder.
func TestFileStaysWhereItWasOpened(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	f := openTestFile(t, FileOptions{Path: "app.log", MaxSize: 1})
	t.Chdir(t.TempDir())
	mustLog(t, f, "one", "two")
	mustFlush(t, f)
	content(t, filepath.Join(dir, "app.log"), "two\n")
}

func TestFileClose(t *testing.T) {
	defer goleak.VerifyNone(t)
	f := openTestFile(t, FileOptions{FlushEvery: time.Hour})
	mustLog(t, f, "a")
	for range 2 {
		if err := f.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	content(t, f.Path(), "a\n")
	for name, got := range map[string]error{"log": logText(f, "b"), "reopen": f.Reopen()} {
		if !errors.Is(got, ErrClosed) {
			t.Errorf("%s after close says %v", name, got)
		}
	}
	if err := f.Flush(t.Context()); err != nil {
		t.Errorf("flush after close says %v", err)
	}
	content(t, f.Path(), "a\n")
}

// TestFileThatCannotBeWritten closes the file under the backend, so that every write fails.
func TestFileThatCannotBeWritten(t *testing.T) {
	f := openTestFile(t, FileOptions{FlushEvery: -1})
	f.disk.file.Close()
	mustLog(t, f, "a", "b")
	const want = "file already closed"
	if err := f.Flush(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "write log file "+f.Path()+": ") || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("flush says %v", err)
	}
	if err := f.Err(); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("Err says %v", err)
	}
	if err := f.Close(t.Context()); err == nil || !strings.Contains(err.Error(), "2 records lost") {
		t.Errorf("close says %v", err)
	}
	if f.Failed() != 2 {
		t.Errorf("%d failed, want 2", f.Failed())
	}
}

func TestFileCloseDuringLog(t *testing.T) {
	defer goleak.VerifyNone(t)
	f := openTestFile(t, FileOptions{MaxSize: 1 << 14, Compress: true, BufferSize: 300, FlushEvery: time.Microsecond})
	taken := logUntilClosed(t, f, func() {
		for len(filesOf(t, f.Path())) < 5 {
			mustFlush(t, f)
		}
	})
	onlyTheseLines(t, everything(t, f.Path()), taken)
}

// everything reads the rotated files and the file of a path.
func everything(t *testing.T, path string) io.Reader {
	t.Helper()
	list, err := listRotated(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []io.Reader
	for _, r := range list {
		all = append(all, openRotated(t, r))
	}
	return io.MultiReader(append(all, openPlain(t, path))...)
}

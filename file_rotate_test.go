package spile

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// openPlain reads a whole file.
func openPlain(t *testing.T, path string) io.Reader {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(text)
}

// openRotated reads a whole rotated file.
func openRotated(t *testing.T, r rotated) io.Reader {
	t.Helper()
	if r.plain {
		return openPlain(t, r.path)
	}
	zip, err := gzip.NewReader(openPlain(t, r.path+gzipEnd))
	if err != nil {
		t.Fatalf("%s: %v", r.path, err)
	}
	return zip
}

// filesOf lists the files beside path, as what follows its name.
func filesOf(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		found[i] = strings.TrimPrefix(found[i], path)
	}
	return found
}

// waitTidy waits until the rotated files are looked after.
func waitTidy(f *File) {
	f.out.mu.Lock()
	done := f.tidy.done
	f.out.mu.Unlock()
	if done != nil {
		<-done
	}
}

// put writes a file.
func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRotateBySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openTestFile(t, FileOptions{MaxSize: 6})
		mustLog(t, f, "a", "b", "c") // Full to the brim.
		mustLog(t, f, "d")
		mustLog(t, f, "longer than a file")
		mustLog(t, f, "e")
		mustFlush(t, f)
		content(t, f.Path(), "e\n")
		// All at one moment of the bubble's clock, so the later names are moved on.
		content(t, f.Path()+".20000101T000000.000Z", "a\nb\nc\n")
		content(t, f.Path()+".20000101T000000.001Z", "d\n")
		content(t, f.Path()+".20000101T000000.002Z", "longer than a file\n")
	})
}

func TestRotateByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openTestFile(t, FileOptions{MaxAge: time.Hour})
		pass(30 * time.Minute)
		mustLog(t, f, "0:30")
		pass(29 * time.Minute)
		mustLog(t, f, "0:59")
		pass(time.Minute)
		mustLog(t, f, "1:00")
		pass(5 * time.Hour) // No record, no file.
		mustLog(t, f, "6:00")
		mustFlush(t, f)
		if diff := cmp.Diff([]string{"", ".20000101T010000.000Z", ".20000101T060000.000Z"}, filesOf(t, f.Path())); diff != "" {
			t.Error(diff)
		}
		content(t, f.Path()+".20000101T010000.000Z", "0:30\n0:59\n")
		content(t, f.Path()+".20000101T060000.000Z", "1:00\n")
		content(t, f.Path(), "6:00\n")
	})
}

// TestRotateByAgeOverRestarts opens files that were written to yesterday and today.
func TestRotateByAgeOverRestarts(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	for name, tt := range map[string]struct {
		last    time.Time
		content string
		files   int
	}{
		"yesterday":           {now.Add(-day), "old\n", 2},
		"today":               {now, "old\n", 1},
		"yesterday-but-empty": {now.Add(-day), "", 1},
		"tomorrow":            {now.Add(day), "old\n", 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "app.log")
			put(t, path, tt.content)
			if err := os.Chtimes(path, tt.last, tt.last); err != nil {
				t.Fatal(err)
			}
			f := openTestFile(t, FileOptions{Path: path, MaxAge: day})
			mustLog(t, f, "new", "newer")
			mustFlush(t, f)
			if got := filesOf(t, path); len(got) != tt.files {
				t.Errorf("files %q, want %d", got, tt.files)
			}
		})
	}
}

// TestRotateKeeps removes the oldest files, those of earlier runs included, and no others.
func TestRotateKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "app.log")
		foreign := []string{".1", ".bak", ".19990101", ".19990101T000000.000Zx", ".gz", "-19990101T000000.000Z"}
		for _, end := range foreign {
			put(t, path+end, "not ours")
		}
		if err := os.Mkdir(path+".19970101T000000.000Z", 0o700); err != nil {
			t.Fatal(err)
		}
		for _, end := range []string{".19980101T000000.000Z.gz", ".19990101T000000.000Z", ".19990101T000000.000Z.gz.tmp", ".19990102T000000.000Z.gz"} {
			put(t, path+end, "old")
		}
		f := openTestFile(t, FileOptions{Path: path, MaxSize: 1, MaxFiles: 3})
		mustLog(t, f, "a", "b", "c")
		waitTidy(f)
		want := []string{"", ".19990102T000000.000Z.gz", ".20000101T000000.000Z", ".20000101T000000.001Z"}
		got := filesOf(t, path)
		want = append(append(want, foreign...), ".19970101T000000.000Z")
		if diff := cmp.Diff(want, got, sorted); diff != "" {
			t.Error(diff)
		}
	})
}

// sorted compares lists of names in any order.
var sorted = cmp.Transformer("sort", func(in []string) map[string]bool {
	out := map[string]bool{}
	for _, s := range in {
		out[s] = true
	}
	return out
})

// TestCompress finishes also what a crash left.
func TestCompress(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "app.log")
	put(t, path+".20000101T000000.000Z", "left plain\n")
	put(t, path+".20000102T000000.000Z", "left with a draft\n")
	put(t, path+".20000102T000000.000Z.gz.tmp", "half")
	put(t, path+".20000103T000000.000Z", "left with both\n")
	put(t, path+".20000103T000000.000Z.gz", "not yet on the disk")
	f := openTestFile(t, FileOptions{Path: path, MaxSize: 1, Compress: true})
	mustLog(t, f, "a", "b")
	if err := f.Close(t.Context()); err != nil {
		t.Error(err)
	}
	got := filesOf(t, path)
	for _, name := range got {
		if name != "" && !strings.HasSuffix(name, "Z.gz") {
			t.Errorf("there is %s", name)
		}
		info, err := os.Stat(path + name)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s has the mode %v, %v", name, info.Mode(), err)
		}
	}
	text, err := io.ReadAll(everything(t, path))
	if want := "left plain\nleft with a draft\nleft with both\na\nb\n"; err != nil || string(text) != want {
		t.Errorf("all files hold %q, %v, want %q", text, err, want)
	}
}

// TestCompressBrokenOff closes a file whose context has ended: the plain file stays whole.
func TestCompressBrokenOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.log.20000101T000000.000Z")
	put(t, path, "whole\n")
	abort := make(chan struct{})
	close(abort)
	if err := (rotated{path: path, plain: true}).compress(abort); !errors.Is(err, errAborted) {
		t.Errorf("compress says %v", err)
	}
	if diff := cmp.Diff([]string{""}, filesOf(t, path)); diff != "" {
		t.Error(diff)
	}
	content(t, path, "whole\n")
}

// TestCloseBreaksOff closes with a context that has ended, many times: whatever state that meets, nothing is lost.
func TestCloseBreaksOff(t *testing.T) {
	defer goleak.VerifyNone(t)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 20 {
		f := openTestFile(t, FileOptions{MaxSize: 1, Compress: true})
		mustLog(t, f, "a", "b", "c", "d")
		if err := f.Close(gone); err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		select {
		case <-f.tidy.done:
		default:
			t.Error("close did not wait for the compression that it broke off")
		}
		text, err := io.ReadAll(everything(t, f.Path()))
		if err != nil || string(text) != "a\nb\nc\nd\n" {
			t.Errorf("all files hold %q, %v", text, err)
		}
	}
}

// TestRotateHammer logs from several goroutines through many rotations.
func TestRotateHammer(t *testing.T) {
	defer goleak.VerifyNone(t)
	const goroutines, each = 8, 2000
	f := openTestFile(t, FileOptions{MaxSize: 4 << 10, MaxAge: 5 * time.Millisecond, Compress: true, BufferSize: 500, FlushEvery: time.Millisecond})
	var lines []string
	var wg sync.WaitGroup
	for g := range goroutines {
		for n := range each {
			lines = append(lines, fmt.Sprintf("line %d of goroutine %d", n, g))
		}
		mine := lines[g*each:]
		wg.Go(func() { mustLog(t, f, mine...) })
	}
	wg.Wait()
	if err := f.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	files := filesOf(t, f.Path())
	t.Logf("%d lines in %d files", len(lines), len(files))
	if len(files) < 20 {
		t.Errorf("only %d files, so this shows little", len(files))
	}
	onlyTheseLines(t, everything(t, f.Path()), lines)
}

// TestRotateFails goes on in the old file, tells it, and rotates when it can again.
func TestRotateFails(t *testing.T) {
	tests := map[string]struct {
		spoil func(t *testing.T, f *File)
		mend  func(t *testing.T, f *File)
		want  string
		// moved is where the old file is in the meantime.
		moved string
	}{
		"name-in-use": {
			func(t *testing.T, f *File) {
				if err := os.Mkdir(f.Path()+".20000101T000000.000Z", 0o700); err != nil {
					t.Fatal(err)
				}
			},
			func(*testing.T, *File) {}, "the name app.log.20000101T000000.000Z is in use", "",
		},
		"link-in-its-place": {
			func(t *testing.T, f *File) {
				if err := os.Rename(f.Path(), f.Path()+".moved"); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink("elsewhere", f.Path()); err != nil {
					t.Fatal(err)
				}
			},
			func(t *testing.T, f *File) {
				if err := os.Remove(f.Path()); err != nil {
					t.Fatal(err)
				}
			}, "it is a symbolic link, it must be a regular file", ".moved",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := openTestFile(t, FileOptions{MaxSize: 4, FlushEvery: -1})
				mustLog(t, f, "a", "b")
				tt.spoil(t, f)
				mustLog(t, f, "c", "d", "e")
				for what, err := range map[string]error{"err": f.Err(), "flush": f.Flush(t.Context())} {
					if err == nil || !strings.HasPrefix(err.Error(), "rotate log file "+f.Path()+": ") || !strings.HasSuffix(err.Error(), tt.want) {
						t.Errorf("%s says %v", what, err)
					}
				}
				content(t, f.Path()+tt.moved, "a\nb\nc\nd\ne\n")
				tt.mend(t, f)
				pass(rotateRetry - 1)
				mustLog(t, f, "f")
				if f.Err() == nil {
					t.Error("it was tried again too early")
				}
				pass(1)
				mustLog(t, f, "g")
				mustFlush(t, f)
				content(t, f.Path(), "g\n")
				if tt.moved != "" {
					content(t, f.Path()+tt.moved, "a\nb\nc\nd\ne\nf\n")
				}
			})
		})
	}
}

// TestMoveBack undoes a rename after which the new file could not be opened.
func TestMoveBack(t *testing.T) {
	for name, occupied := range map[string]bool{"free": false, "occupied": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := openTestFile(t, FileOptions{Compress: true, MaxSize: 4, FlushEvery: -1})
				mustLog(t, f, "a")
				aside := f.Path() + ".19990101T000000.000Z"
				if err := os.Rename(f.Path(), aside); err != nil {
					t.Fatal(err)
				}
				if occupied {
					put(t, f.Path(), "x\n")
				}
				f.out.mu.Lock()
				f.moveBackLocked(aside)
				f.tidyLocked()
				f.out.mu.Unlock()
				waitTidy(f)
				mustFlush(t, f)
				if !occupied {
					content(t, f.Path(), "a\n")
					return
				}
				content(t, aside, "a\n") // Not compressed, for it is written on.
				mustLog(t, f, "b", "c")
				if err := f.Close(t.Context()); err != nil {
					t.Error(err)
				}
				content(t, f.Path(), "x\nc\n")
				text, err := io.ReadAll(openRotated(t, rotated{path: aside}))
				if err != nil || string(text) != "a\nb\n" {
					t.Errorf("moved aside %q, %v", text, err)
				}
			})
		})
	}
}

// TestBeginFails renames the file and then finds the name taken by what cannot be opened.
func TestBeginFails(t *testing.T) {
	f := openTestFile(t, FileOptions{FlushEvery: -1})
	mustLog(t, f, "a")
	aside := f.Path() + ".20000101T000000.000Z"
	move(t, f.Path(), aside)
	if err := os.Mkdir(f.Path(), 0o700); err != nil {
		t.Fatal(err)
	}
	f.out.mu.Lock()
	err := f.beginLocked(aside, time.Now())
	known := f.disk.path
	f.out.mu.Unlock()
	if err == nil || known != aside {
		t.Errorf("begin says %v; the file is known as %s, want %s", err, known, aside)
	}
	mustLog(t, f, "b")
	mustFlush(t, f)
	content(t, aside, "a\nb\n")
}

package durable_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/spilelog/spile/internal/durable"
)

// text writes s.
func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// holds fails the test unless the folder of path has that one file with the given content and mode.
func holds(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("content %q, %v; want %q", got, err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if list, err := os.ReadDir(filepath.Dir(path)); err != nil || len(list) != 1 {
		t.Errorf("folder holds %v, %v; want one file", list, err)
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for _, s := range []string{"one", "a longer two", ""} {
		if err := durable.Replace(path, text(s)); err != nil {
			t.Fatal(err)
		}
		holds(t, path, s)
	}
}

func TestFailedReplaceLeavesTheOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := durable.Replace(path, text("old")); err != nil {
		t.Fatal(err)
	}
	full := errors.New("no space left")
	err := durable.Replace(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "ne")
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("error %v, want that of the write", err)
	}
	holds(t, path, "old")
}

func TestFailedRenameLeavesNoDraft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	if err := os.MkdirAll(filepath.Join(path, "in-the-way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.Replace(path, text("new")); err == nil {
		t.Error("a folder was replaced by a file")
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 {
		t.Errorf("folder holds %v, %v; want no draft", list, err)
	}
}

func TestLeftDraftIsWrittenOver(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "state"), filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("not ours"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := durable.Replace(path, text("new")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "new")
	if got, err := os.ReadFile(other); err != nil || string(got) != "not ours" {
		t.Errorf("through the link %q, %v was written", got, err)
	}
}

func TestRemove(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := durable.Remove(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("file is still there: %v", err)
	}
}

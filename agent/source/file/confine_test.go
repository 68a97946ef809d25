package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/spilelog/spile/agent/source"
)

// canary is text that lies outside of every allowed folder.
const canary = "canary: nobody may read this\n"

func (r *rig) mkdir(names ...string) {
	r.t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(r.path(name), 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) link(to, name string) {
	r.t.Helper()
	if err := os.Symlink(to, r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

func TestConfine(t *testing.T) {
	r := &rig{t: t, dir: t.TempDir()}
	r.mkdir("logs/d", "out/d", "logs/e")
	r.link("logs", "base")
	r.link("../out/d", "logs/out")
	r.link("d", "logs/inside")
	for _, name := range []string{"logs/d/a.log", "logs/e/a.log", "out/d/a.log"} {
		r.write(name, "text\n")
	}
	tests := map[string]struct {
		glob, path string
		refused    bool
	}{
		"in-the-base":        {glob: "logs/d/*.log", path: "logs/d/a.log"},
		"below-the-base":     {glob: "logs/*/*.log", path: "logs/d/a.log"},
		"base-is-a-link":     {glob: "base/*/*.log", path: "base/d/a.log"},
		"resolved-link-base": {glob: "base/*/*.log", path: "logs/d/a.log"},
		"link-ends-the-base": {glob: "logs/out/*.log", path: "logs/out/a.log"},
		"link-out":           {glob: "logs/*/*.log", path: "logs/out/a.log", refused: true},
		"link-to-another":    {glob: "logs/*/*.log", path: "logs/inside/a.log", refused: true},
		"out-of-the-base":    {glob: "logs/*/*.log", path: "out/d/a.log", refused: true},
		"name-like-the-base": {glob: "logs/d/*.log", path: "logs/e/a.log", refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			set, err := New(Options{Specs: []Spec{{Glob: r.path(tt.glob)}}})
			if err != nil {
				t.Fatal(err)
			}
			f, _, err := set.openFile(r.path(tt.path))
			if err == nil {
				_ = f.Close()
			}
			if refused := err != nil; refused != tt.refused {
				t.Errorf("refused is %v, want %v: %v", refused, tt.refused, err)
			}
			if err != nil && !strings.Contains(err.Error(), "out of its folder") {
				t.Errorf("error %q does not tell why", err)
			}
		})
	}
}

// TestSwapsReadNothingOutside swaps a file, a rotated file and a folder for links to what lies outside, while the set
// looks and readers open, read and ask for ranges.
func TestSwapsReadNothingOutside(t *testing.T) {
	const swaps = 4_000
	outside := t.TempDir()
	for _, name := range []string{"app.log", "app.log.1"} {
		if err := os.WriteFile(filepath.Join(outside, name), []byte(canary), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := &rig{t: t, dir: t.TempDir()}
	r.mkdir("d", "other")
	r.write("d/app.log", "mine\n")
	r.write("d/app.log.1", "mine, rotated\n")
	r.write("file.log", "mine\n")
	r.write("file.log.1", "mine, rotated\n")
	r.link(outside, "to-folder")
	r.link(filepath.Join(outside, "app.log"), "to-file")
	r.link(filepath.Join(outside, "app.log"), "to-rotated")
	r.start("**/*.log")
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- readAll(r.set, stop) }()
	for _, pair := range [][2]string{{"d", "to-folder"}, {"file.log", "to-file"}, {"file.log.1", "to-rotated"}} {
		for range swaps {
			if err := unix.Renameat2(
				unix.AT_FDCWD, r.path(pair[0]), unix.AT_FDCWD, r.path(pair[1]), unix.RENAME_EXCHANGE,
			); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.write("file.log", "the last line\n") // an even number of swaps: all is as it was
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, func(k *taken) bool { return strings.Contains(strings.Join(k.lines, "\n"), "the last line") })
}

// readAll opens readers and reads all that they have until stop is closed; the canary is an error.
func readAll(s *Set, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		rd, err := s.Open(context.Background(), source.Start{Resume: []source.Position{}})
		if err != nil {
			return err
		}
		err = readOnce(s, rd)
		_ = rd.Close()
		if err != nil {
			return err
		}
	}
}

func readOnce(s *Set, rd source.Reader) error {
	for {
		b, err := rd.Next()
		if errors.Is(err, source.ErrDry) {
			return nil
		}
		if err != nil {
			return err
		}
		again, err := s.ReadRange(b.At, b.From, b.To)
		if err != nil && !errors.Is(err, source.ErrGone) {
			return err
		}
		if strings.Contains(string(b.Data)+string(again), "canary") {
			return fmt.Errorf("%s has %q, its range %q", b.Path, b.Data, again)
		}
	}
}

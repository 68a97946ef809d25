package file

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/agent/source"
)

const (
	// nobodyFolder tells the process that TestPermission starts what to read.
	nobodyFolder = "SPILE_TEST_NOBODY_FOLDER"
	// nobody is a user that may read nothing but what everybody may.
	nobody = 65534
)

// told is what the process without rights says of one look.
type told struct {
	Lines   []string
	Gaps    int
	Problem string
}

// TestPermissionReader is the process without rights: for every line of its input it looks, reads and tells. "restart"
// first begins anew from the reader's positions.
func TestPermissionReader(t *testing.T) {
	dir := os.Getenv(nobodyFolder)
	if dir == "" {
		return // the process of TestPermission only
	}
	r := &rig{t: t, dir: dir}
	s, rd := r.idle(nil)
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		if in.Text() == "restart" {
			at := slices.Collect(rd.Positions())
			_ = rd.Close()
			s.end()
			s, rd = r.idle(at)
		}
		s.scan()
		var k taken
		drain(t, rd, &k)
		tell := told{Lines: k.lines, Gaps: len(k.gaps)}
		for _, src := range s.Sources() {
			tell.Problem += src.Problem
		}
		if err := out.Encode(tell); err != nil {
			t.Fatal(err)
		}
	}
	_ = rd.Close()
	s.end()
}

// idle is a set that looks only when it is told to, and a reader from positions.
func (r *rig) idle(at []source.Position) (*Set, source.Reader) {
	r.t.Helper()
	s, err := New(Options{Specs: []Spec{{Glob: r.path("*.log")}}})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := s.begin(nil); err != nil {
		r.t.Fatal(err)
	}
	if at == nil {
		at = []source.Position{}
	}
	rd, err := s.Open(r.t.Context(), source.Start{Resume: at})
	if err != nil {
		r.t.Fatal(err)
	}
	return s, rd
}

// asNobody starts TestPermissionReader without rights; ask has it do one step.
func (r *rig) asNobody() (ask func(string) told) {
	r.t.Helper()
	for dir := r.dir; strings.HasPrefix(dir, filepath.Clean(os.TempDir())+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(r.t.Context(), "/proc/self/exe", "-test.run=^TestPermissionReader$")
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), nobodyFolder+"="+r.dir)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	r.t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil && r.t.Context().Err() == nil {
			r.t.Errorf("reader without rights: %v", err)
		}
	})
	return func(step string) (tell told) {
		r.t.Helper()
		if _, err := fmt.Fprintln(in, step); err != nil {
			r.t.Fatal(err)
		}
		line, err := lines.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &tell)
		}
		if err != nil {
			r.t.Fatalf("%v in %q", err, line)
		}
		return tell
	}
}

func (r *rig) chmod(name string, mode os.FileMode) {
	r.t.Helper()
	if err := os.Chmod(r.path(name), mode); err != nil {
		r.t.Fatal(err)
	}
}

func TestPermission(t *testing.T) {
	const readable, unreadable = 0o644, 0o200
	r := &rig{t: t, dir: t.TempDir()}
	r.write("app.log", "one\n")
	r.chmod("app.log", unreadable)
	ask := r.asNobody()
	denied := "open " + r.path("app.log") + ": permission denied"
	step := func(name, word string, want told) {
		t.Helper()
		if diff := cmp.Diff(want, ask(word)); diff != "" {
			t.Fatalf("%s: %s", name, diff)
		}
	}
	step("unreadable from the beginning", "look", told{Problem: denied})
	r.chmod("app.log", readable)
	step("becomes readable", "look", told{Lines: []string{"one"}})
	r.chmod("app.log", unreadable)
	r.write("app.log", "two\n")
	step("what is open goes on", "look", told{Lines: []string{"two"}})
	r.write("app.log", "three\n")
	step("unreadable after a restart", "restart", told{Problem: denied})
	step("a second restart meanwhile", "restart", told{Problem: denied})
	r.chmod("app.log", readable)
	step("goes on at its offset", "look", told{Lines: []string{"three"}})
	r.chmod(".", 0o700)
	r.write("app.log", "four\n")
	ask("look") // what is open goes on, and the folder is a problem
	r.chmod(".", 0o755)
	r.write("app.log", "five\n")
	if got := ask("look"); got.Problem != "" || got.Gaps > 0 || last(got.Lines) != "five" {
		t.Errorf("the folder is readable again: %+v", got)
	}
}

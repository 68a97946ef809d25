package file

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/agent/source"
)

// crowd is many files of which few may be open, and what was written to each.
type crowd struct {
	*rig
	rd    source.Reader
	got   taken
	next  []int // by file
	total int
}

func (m *crowd) name(i int) string { return fmt.Sprintf("app%02d.log", i) }

// text is n new lines of a file.
func (m *crowd) text(i, n int) string {
	var b strings.Builder
	for range n {
		fmt.Fprintf(&b, "file %02d line %07d of the crowd, long enough to be told from others\n", i, m.next[i])
		m.next[i]++
		m.total++
	}
	return b.String()
}

func (m *crowd) catchUp() { collect(m.t, m.rd, &m.got, atLeast(m.total)) }

// check compares what was read with what was written: nothing missing, nothing doubled.
func (m *crowd) check(fatalf func(string, ...any)) {
	drain(m.t, m.rd, &m.got)
	seen := make([]map[int]int, len(m.next))
	for _, line := range m.got.lines {
		var i, n int
		if _, err := fmt.Sscanf(line, "file %d line %d of", &i, &n); err != nil || i >= len(seen) {
			fatalf("strange line %q: %v", line, err)
		}
		if seen[i] == nil {
			seen[i] = map[int]int{}
		}
		seen[i][n]++
	}
	for i, want := range m.next {
		for n := range want {
			if seen[i][n] > 1 {
				fatalf("line %d of file %d was read %d times", n, i, seen[i][n])
			}
		}
	}
	if len(m.got.lines) != m.total {
		fatalf("read %d lines of %d", len(m.got.lines), m.total)
	}
	for _, g := range m.got.gaps {
		if g.Bytes != 0 {
			fatalf("gap %+v", g)
		}
	}
}

// mostOpenOf is how many descriptors of this process lead into a folder.
func mostOpenOf(t *testing.T, dir string) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && strings.HasPrefix(to, dir+"/") {
			n++
		}
	}
	return n
}

// TestCrowdModel rotates files of which few are open, in every way, and writes to those that lost their names.
func TestCrowdModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "spile-crowd-")
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		m := &crowd{rig: &rig{t: t, dir: dir, maxOpen: 3, wide: rapid.Bool().Draw(rt, "wide")}}
		m.next = make([]int, 12)
		m.start("*.log")
		defer func() { m.stop() }()
		m.rd = m.open(source.Start{Resume: []source.Position{}})
		any := rapid.IntRange(0, len(m.next)-1)
		lines := rapid.IntRange(1, 9)
		exists := func(i int) bool {
			info, err := os.Stat(m.path(m.name(i)))
			return err == nil && info.Size() > 0
		}
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) {
				i := any.Draw(rt, "file")
				m.write(m.name(i), m.text(i, lines.Draw(rt, "lines")))
			},
			"write-all": func(rt *rapid.T) {
				for i := range m.next {
					m.write(m.name(i), m.text(i, 1))
				}
			},
			"rename": func(rt *rapid.T) {
				if i := any.Draw(rt, "file"); exists(i) {
					m.shift(m.name(i))
					m.rename(m.name(i), m.name(i)+".1")
				}
			},
			"write-after-rename": func(rt *rapid.T) {
				if i := any.Draw(rt, "file"); exists(i) {
					m.write(m.name(i), m.text(i, 1))
					m.shift(m.name(i))
					m.rename(m.name(i), m.name(i)+".1")
					m.write(m.name(i)+".1", m.text(i, 1))
					m.write(m.name(i), m.text(i, 1))
				}
			},
			"copy-truncate": func(rt *rapid.T) {
				if i := any.Draw(rt, "file"); exists(i) {
					m.shift(m.name(i))
					m.copyTo(m.name(i), m.name(i)+".1")
					m.truncate(m.name(i))
				}
			},
			"delete": func(rt *rapid.T) {
				m.catchUp()
				_ = os.Remove(m.path(m.name(any.Draw(rt, "file"))))
			},
			"read": func(*rapid.T) { drain(m.t, m.rd, &m.got) },
			"restart": func(*rapid.T) {
				m.catchUp()
				at := slices.Collect(m.rd.Positions())
				_ = m.rd.Close()
				m.stop()
				m.start("*.log")
				m.rd = m.open(source.Start{Resume: at})
			},
			"late": func(*rapid.T) { m.set.scan() },
		})
		m.catchUp()
		m.check(rt.Fatalf)
		_ = m.rd.Close()
	})
}

// TestDescriptorLimit follows a hundred files with eight descriptors, and loses nothing of those that are rotated after
// a rest.
func TestDescriptorLimit(t *testing.T) {
	const files, limit = 100, 8
	m := &crowd{rig: &rig{t: t, dir: t.TempDir(), maxOpen: limit}, next: make([]int, files)}
	for i := range files {
		m.write(m.name(i), "what was before\n")
	}
	m.start("*.log")
	m.rd = m.open(source.Start{})
	for range 3 {
		for i := range files {
			m.write(m.name(i), m.text(i, 2))
		}
		m.catchUp()
	}
	if n := mostOpenOf(t, m.dir); n > 2*limit { // the limit, and what lost its name
		t.Errorf("%d files are open, want at most %d", n, limit)
	}
	for i := 0; i < files; i += 3 {
		m.write(m.name(i), m.text(i, 1))
		m.rename(m.name(i), m.name(i)+".1")
		m.write(m.name(i)+".1", m.text(i, 1))
		m.write(m.name(i), m.text(i, 1))
	}
	m.catchUp()
	m.check(t.Fatalf)
}

// polled is a set that looks only when it is told to, without inotify and with one descriptor, and a reader of app.log,
// which is closed.
func polled(t *testing.T) (*rig, *Set, source.Reader) {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	r.write("app.log", numbered(0, 10))
	r.write("other.log", "what is open instead\n")
	s, err := New(Options{Specs: []Spec{{Glob: filepath.Join(r.dir, "*.log")}}, MaxOpen: 1, RotateWait: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.begin(nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	rd, err := s.Open(t.Context(), source.Start{Resume: []source.Position{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rd.Close() })
	var k taken
	collect(t, rd, &k, atLeast(11))
	closeApp(t, r, s)
	return r, s, rd
}

// closeApp has the set use its descriptor for another file.
func closeApp(t *testing.T, r *rig, s *Set) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	other, app := s.tracks[r.path("other.log")].gen.handle.Load(), s.tracks[r.path("app.log")].gen.handle.Load()
	if err := other.f.pin(); err != nil {
		t.Fatal(err)
	}
	other.f.unpin()
	if app.f.isOpen() {
		t.Fatal("app.log is open")
	}
}

// TestClosedFileIsRotated rotates a file that is closed, with lines that nobody saw, between two looks.
func TestClosedFileIsRotated(t *testing.T) {
	for _, test := range []struct {
		name   string
		rotate func(r *rig)
	}{
		{"rename", func(r *rig) { r.rename("app.log", "app.log.1") }},
		{"rename-twice", func(r *rig) {
			r.rename("app.log", "app.log.1")
			r.rename("app.log.1", "app.log.2")
		}},
		{"strange-name", func(r *rig) { r.rename("app.log", "saved") }},
		{"copy-truncate", func(r *rig) {
			r.copyTo("app.log", "app.log.1")
			r.truncate("app.log")
		}},
		{"compress", func(r *rig) {
			r.pack("app.log", "app.log.1.gz")
			_ = os.Remove(r.path("app.log"))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, s, rd := polled(t)
			r.write("app.log", numbered(10, 20))
			test.rotate(r)
			r.write("app.log", numbered(20, 30))
			s.scan()
			var k taken
			for range 4 { // a name that is sought in vain is given up after RotateWait
				drain(t, rd, &k)
				s.scan()
			}
			drain(t, rd, &k)
			if got, want := strings.Join(k.lines, "\n")+"\n", numbered(10, 30); got != want {
				t.Errorf("read %d lines, want 20:\n%s", len(k.lines), got)
			}
			for _, g := range k.gaps {
				if g.Bytes != 0 {
					t.Errorf("gap %+v", g)
				}
			}
		})
	}
}

// pack writes a compressed copy.
func (r *rig) pack(from, to string) {
	r.t.Helper()
	data, err := os.ReadFile(r.path(from))
	if err != nil {
		r.t.Fatal(err)
	}
	f, err := os.Create(r.path(to))
	if err != nil {
		r.t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write(data); err != nil {
		r.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// TestClosedFileIsDeleted deletes a file that is closed: what may have been written to it unseen is told, unless the
// events show that nothing was.
func TestClosedFileIsDeleted(t *testing.T) {
	for _, watched := range []bool{false, true} {
		t.Run(fmt.Sprintf("watched-%v", watched), func(t *testing.T) {
			r, s, rd := polled(t)
			s.mu.Lock()
			s.folders[r.dir].watched = watched
			s.mu.Unlock()
			if err := os.Remove(r.path("app.log")); err != nil {
				t.Fatal(err)
			}
			var k taken
			for range 4 {
				s.scan()
				drain(t, rd, &k)
			}
			if told := len(k.gaps) == 1 && k.gaps[0].AtLeast && k.gaps[0].Bytes == 0; told == watched || len(k.gaps) > 1 {
				t.Errorf("gaps %+v", k.gaps)
			}
			if n := len(s.held); n != 1 {
				t.Errorf("%d generations are held, want that of other.log alone", n)
			}
		})
	}
}

// TestSealedFileIsRenamed renames a finished file that a reader still needs and that was closed.
func TestSealedFileIsRenamed(t *testing.T) {
	r, s, rd := polled(t)
	r.write("app.log", numbered(10, 20))
	s.scan() // seen, but not read
	closeApp(t, r, s)
	r.rename("app.log", "app.log.1")
	s.openFiles.kept = s.openFiles.limit // nothing more may stay open
	for range 4 {
		s.scan()
	}
	r.rename("app.log.1", "app.log.2")
	r.write("app.log", numbered(20, 30))
	s.scan()
	var k taken
	drain(t, rd, &k)
	drain(t, rd, &k)
	if got, want := strings.Join(k.lines, "\n")+"\n", numbered(10, 30); got != want {
		t.Errorf("read:\n%s", got)
	}
}

// TestQuietFileIsSeen writes to a file that was quiet for long, without inotify: it is looked at in time.
func TestQuietFileIsSeen(t *testing.T) {
	r, s, rd := polled(t)
	for range 10 * quietTicks * quietShare / 8 {
		s.turn()
	}
	r.write("app.log", numbered(10, 11))
	var k taken
	turns := 0
	for len(k.lines) == 0 {
		if turns++; turns > quietTicks+1 {
			t.Fatalf("not seen after %d turns", turns)
		}
		s.turn()
		drain(t, rd, &k)
	}
	r.write("app.log", numbered(11, 12))
	s.turn()
	drain(t, rd, &k)
	if len(k.lines) != 2 {
		t.Errorf("read %q: a file that was just written is looked at in each turn", k.lines)
	}
}

// TestLeads compares what a walk over folders finds with what the library does.
func TestLeads(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{
		"a.log", "a/a.log", "a/b/a.log", "a/b/c/b.log", "b/a.log", "b/b/b.log", "c/.d/a.log", "c/d/e/f/g/a.log", "a/b/x.txt",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte("a line\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "a"), filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{
		"*.log", "*/*.log", "a/*.log", "**/*.log", "a/**/b.log", "{a,b}/*.log", "{a/b,b}/*.log", "a/{b,c}/*.log", "[ab]/*.log",
		"*/b/*.log", "**", "c/**/f/**/*.log", "a/b/a.log", "?/?/*.log", "*/**/*.log", "c/*/*.log", "none/*.log",
	} {
		t.Run(strings.ReplaceAll(pattern, "/", "|"), func(t *testing.T) {
			glob := filepath.Join(dir, pattern)
			want, err := doublestar.FilepathGlob(glob, doublestar.WithNoFollow(), doublestar.WithFilesOnly())
			if err != nil {
				t.Fatal(err)
			}
			s, err := New(Options{Specs: []Spec{{Glob: glob}}})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.begin(nil); err != nil {
				t.Fatal(err)
			}
			defer s.end()
			var got []string
			for path, t := range s.tracks {
				if t.gen != nil {
					got = append(got, path)
				}
			}
			slices.Sort(got)
			want = slices.DeleteFunc(want, func(p string) bool { return filepath.Base(p) == "link" })
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

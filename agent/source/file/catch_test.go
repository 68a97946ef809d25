package file

import (
	"os"
	"slices"
	"testing"

	"github.com/fsnotify/fsnotify"
)

// made is the hint that a file appeared, as the watcher's goroutine gives it.
func (r *rig) made(s *Set, name string) hint {
	r.t.Helper()
	h := s.catch(fsnotify.Event{Name: r.path(name), Op: fsnotify.Create}, true)
	if h.file == nil {
		r.t.Fatalf("%s is not held", name)
	}
	return h
}

// TestShortLives wants files that are gone before the tracker looks, in their order.
func TestShortLives(t *testing.T) {
	tests := map[string]struct {
		run  func(r *rig, s *Set) []hint
		want []string
	}{
		"new-and-gone": {
			run: func(r *rig, s *Set) []hint {
				r.write("new.log", "")
				h := r.made(s, "new.log")
				r.write("new.log", "a\n")
				r.remove("new.log")
				return []hint{h}
			},
			want: []string{"a"},
		},
		"made-anew-and-again": {
			run: func(r *rig, s *Set) []hint {
				var hints []hint
				r.write("app.log", "a\n")
				for _, text := range []string{"b\n", "c\n", "d\n"} {
					r.tick()
					r.remove("app.log")
					r.write("app.log", text)
					hints = append(hints, r.made(s, "app.log"))
				}
				return hints
			},
			want: []string{"a", "b", "c", "d"},
		},
		"still-there": {
			run: func(r *rig, s *Set) []hint {
				r.write("new.log", "a\n")
				return []hint{r.made(s, "new.log"), r.made(s, "new.log")}
			},
			want: []string{"a"},
		},
		"known-by-another-name": {
			run: func(r *rig, s *Set) []hint {
				r.write("app.log", "a\n")
				r.rename("app.log", "app.log.1")
				h := r.made(s, "app.log.1")
				r.remove("app.log.1")
				return []hint{h}
			},
			want: []string{"a"},
		},
		"copy-that-is-gone": {
			run: func(r *rig, s *Set) []hint {
				r.write("app.log", "a\n")
				r.copyTo("app.log", "app.log.1")
				h := r.made(s, "app.log.1")
				r.remove("app.log.1")
				r.truncate("app.log")
				r.write("app.log", "b\n")
				return []hint{h}
			},
			want: []string{"a", "b"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := &rig{t: t, dir: t.TempDir()}
			s, rd := quietSet(t, r)
			defer s.end()
			defer func() { _ = rd.Close() }()
			more := make(chan hint, eventBuffer)
			for _, h := range tt.run(r, s) {
				more <- h
			}
			s.handle(<-more, more)
			var k taken
			drain(t, rd, &k)
			for range 2 {
				s.scan()
				drain(t, rd, &k)
			}
			if !slices.Equal(k.lines, tt.want) {
				t.Errorf("lines %q, want %q", k.lines, tt.want)
			}
		})
	}
}

// TestCatchIsConfined holds nothing open that no glob allows.
func TestCatchIsConfined(t *testing.T) {
	outside := t.TempDir() + "/secret"
	if err := os.WriteFile(outside, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: t.TempDir()}
	s, rd := quietSet(t, r)
	defer s.end()
	defer func() { _ = rd.Close() }()
	if err := os.Symlink(outside, r.path("link.log")); err != nil {
		t.Fatal(err)
	}
	r.write("other.txt", "text\n")
	for _, name := range []string{"link.log", "other.txt", "missing.log"} {
		if h := s.catch(fsnotify.Event{Name: r.path(name), Op: fsnotify.Create}, true); h.file != nil {
			h.drop()
			t.Errorf("%s is held", name)
		}
	}
}

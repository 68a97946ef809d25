package file

import (
	"os"
	"slices"
	"testing"

	"github.com/fsnotify/fsnotify"

	"github.com/spilelog/spile/agent/source"
)

// made is the hint that a file appeared, which is caught as the watcher's goroutine does it.
func (r *rig) made(s *Set, name string) fsnotify.Event {
	r.t.Helper()
	ev := fsnotify.Event{Name: r.path(name), Op: fsnotify.Create}
	had := len(s.catches.files)
	s.catch(ev)
	if len(s.catches.files) == had {
		r.t.Fatalf("%s is not held", name)
	}
	return ev
}

// TestShortLives wants files that are gone before the tracker looks, in their order.
func TestShortLives(t *testing.T) {
	tests := map[string]struct {
		run  func(r *rig, s *Set) []fsnotify.Event
		want []string
	}{
		"new-and-gone": {
			run: func(r *rig, s *Set) []fsnotify.Event {
				r.write("new.log", "")
				h := r.made(s, "new.log")
				r.write("new.log", "a\n")
				r.remove("new.log")
				return []fsnotify.Event{h}
			},
			want: []string{"a"},
		},
		"made-anew-and-again": {
			run: func(r *rig, s *Set) []fsnotify.Event {
				var hints []fsnotify.Event
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
			run: func(r *rig, s *Set) []fsnotify.Event {
				r.write("new.log", "a\n")
				return []fsnotify.Event{r.made(s, "new.log"), r.made(s, "new.log")}
			},
			want: []string{"a"},
		},
		"known-by-another-name": {
			run: func(r *rig, s *Set) []fsnotify.Event {
				r.write("app.log", "a\n")
				r.rename("app.log", "app.log.1")
				h := r.made(s, "app.log.1")
				r.remove("app.log.1")
				return []fsnotify.Event{h}
			},
			want: []string{"a"},
		},
		"copy-that-is-gone": {
			run: func(r *rig, s *Set) []fsnotify.Event {
				r.write("app.log", "a\n")
				r.copyTo("app.log", "app.log.1")
				h := r.made(s, "app.log.1")
				r.remove("app.log.1")
				r.truncate("app.log")
				r.write("app.log", "b\n")
				return []fsnotify.Event{h}
			},
			want: []string{"a", "b"},
		},
		"copy-that-is-gone-before-its-hint": {
			run: func(r *rig, s *Set) []fsnotify.Event {
				r.write("app.log", "a\n")
				s.scan()
				r.copyTo("app.log", "app.log.1")
				h := r.made(s, "app.log.1")
				r.remove("app.log.1")
				r.truncate("app.log")
				r.write("app.log", "b\n")
				s.mu.Lock()
				s.lookLocked(s.tracks[r.path("app.log")]) // in the midst of a pass
				s.passLocked(nil, nil)
				s.mu.Unlock()
				return []fsnotify.Event{h}
			},
			want: []string{"a", "b"},
		},
		"read-before-its-hint": {
			run: func(r *rig, s *Set) []fsnotify.Event {
				r.write("new.log", "a\n")
				h := r.made(s, "new.log")
				s.scan()
				r.remove("new.log")
				s.rotateWait = 0
				s.scan()
				s.scan()
				return []fsnotify.Event{h}
			},
			want: []string{"a"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := &rig{t: t, dir: t.TempDir()}
			s, rd := quietSet(t, r)
			defer s.end()
			defer func() { _ = rd.Close() }()
			more := make(chan fsnotify.Event, eventBuffer)
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
			lost := func(g source.Gap) bool { return g.Bytes > 0 }
			if !slices.Equal(k.lines, tt.want) || slices.ContainsFunc(k.gaps, lost) {
				t.Errorf("lines %q, gaps %v, want %q", k.lines, k.gaps, tt.want)
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
		s.catch(fsnotify.Event{Name: r.path(name), Op: fsnotify.Create})
		if len(s.catches.files) > 0 {
			t.Errorf("%s is held", name)
		}
	}
}

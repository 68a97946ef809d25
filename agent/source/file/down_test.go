package file

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// tick waits until the clock of the file system has moved on, so that what comes later has a later time. A kernel
// stamps files by a clock that moves every few milliseconds.
func (r *rig) tick() {
	r.t.Helper()
	f, err := os.Create(r.path("clock"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer r.remove("clock")
	defer func() { _ = f.Close() }()
	stamp := func() time.Time {
		if _, err := f.WriteAt([]byte("tick"), 0); err != nil {
			r.t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			r.t.Fatal(err)
		}
		return info.ModTime()
	}
	begun := stamp()
	for until := time.Now().Add(deadline); !stamp().After(begun); {
		if time.Now().After(until) {
			r.t.Fatal("the clock of the file system stands still")
		}
	}
}

func (r *rig) remove(name string) {
	r.t.Helper()
	if err := os.Remove(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// rotateOnce rotates app.log by renaming or by copying.
func (r *rig) rotateOnce(copied bool) {
	r.t.Helper()
	r.shift("app.log")
	if copied {
		r.copyTo("app.log", "app.log.1")
		r.truncate("app.log")
	} else {
		r.rename("app.log", "app.log.1")
	}
}

// writtenFor makes a file one that was written for so long.
func (r *rig) writtenFor(name string, long time.Duration) {
	r.t.Helper()
	if err := os.Chtimes(r.path(name), time.Now().Add(long), time.Now().Add(long)); err != nil {
		r.t.Fatal(err)
	}
}

// lives writes one life of app.log for each text and rotates after each but the last.
func (r *rig) lives(copied bool, texts ...string) {
	r.t.Helper()
	for i, text := range texts {
		if i > 0 {
			r.tick()
			r.rotateOnce(copied)
			r.tick()
		}
		r.write("app.log", text)
	}
}

// TestRotatedWhileDown rotates files while no set runs. What was not read is on disk, and is wanted once and in order.
func TestRotatedWhileDown(t *testing.T) {
	const start = "the program starts\n"
	tests := map[string]struct {
		before string // what app.log has at the death
		down   func(r *rig, copied bool)
		want   []string
		gaps   int
	}{
		"empty-then-one": {
			down: func(r *rig, copied bool) { r.lives(copied, "a\n", "b\n") },
			want: []string{"a", "b"},
		},
		"empty-then-three": {
			down: func(r *rig, copied bool) { r.lives(copied, "a\n", "b\n", "c\n", "d\n") },
			want: []string{"a", "b", "c", "d"},
		},
		"empty-again": {
			down: func(r *rig, copied bool) {
				r.lives(copied, "a\n", "b\n")
				r.tick()
				r.rotateOnce(copied)
			},
			want: []string{"a", "b"},
		},
		"same-beginning": {
			before: start,
			down:   func(r *rig, copied bool) { r.lives(copied, "a\n", start+"b\n", start+"c\n") },
			want:   []string{"the program starts", "a", "the program starts", "b", "the program starts", "c"},
		},
		"same-lines": {
			before: start,
			down:   func(r *rig, copied bool) { r.lives(copied, "", start, start) },
			want:   []string{"the program starts", "the program starts", "the program starts"},
		},
		"same-lines-from-nothing": {
			down: func(r *rig, copied bool) { r.lives(copied, start, start, start) },
			want: []string{"the program starts", "the program starts", "the program starts"},
		},
		"empty-then-compressed": {
			down: func(r *rig, copied bool) {
				r.lives(copied, "a\n", "b\n")
				info, err := os.Stat(r.path("app.log.1"))
				if err != nil {
					r.t.Fatal(err)
				}
				r.putBytes("app.log.1.gz", packed(r.t, formatGzip, "a\n"), 0)
				if err := os.Chtimes(r.path("app.log.1.gz"), info.ModTime(), info.ModTime()); err != nil {
					r.t.Fatal(err)
				}
				r.remove("app.log.1")
			},
			want: []string{"a", "b"},
		},
		"oldest-deleted": {
			before: "a\n",
			down: func(r *rig, copied bool) {
				r.lives(copied, "lost\n", "b\n", "c\n")
				r.remove("app.log.2")
			},
			want: []string{"a", "b", "c"}, gaps: 1,
		},
		"oldest-deleted-same-beginning": {
			before: start,
			down: func(r *rig, _ bool) { // of copies nothing tells which life is the first
				r.lives(false, "lost\n", start+"b\n", start+"c\n", start+"d\n")
				r.remove("app.log.3")
				r.writtenFor("app.log.2", time.Hour)
				r.writtenFor("app.log.1", 2*time.Hour)
			},
			want: []string{
				"the program starts", "the program starts", "b", "the program starts", "c", "the program starts", "d",
			}, gaps: 1,
		},
		"deleted-then-rotated": {
			before: "a\n",
			down: func(r *rig, copied bool) {
				r.remove("app.log")
				r.lives(copied, "b\n", "c\n", "d\n")
			},
			want: []string{"a", "b", "c", "d"}, gaps: 1,
		},
		"copied-aside": {
			before: "a\n",
			down: func(r *rig, _ bool) {
				r.write("app.log", "b\n")
				r.tick()
				r.copyTo("app.log", "app.log.bak")
				r.tick()
				r.write("app.log", "c\n")
			},
			want: []string{"a", "b", "c"},
		},
	}
	for name, tt := range tests {
		for _, copied := range []bool{false, true} {
			how := map[bool]string{false: "renamed", true: "copied"}[copied]
			t.Run(name+"-"+how, func(t *testing.T) {
				r := newRig(t)
				r.write("app.log.1", "an old one\n")
				r.tick()
				r.write("app.log", tt.before)
				rd := r.open(source.Start{Resume: []source.Position{}})
				var k taken
				collect(t, rd, &k, atLeast(strings.Count(tt.before, "\n")))
				r.kill(rd, func() { tt.down(r, copied) }, &k)
				if !slices.Equal(k.lines, tt.want) {
					t.Errorf("lines %q, want %q", k.lines, tt.want)
				}
				if len(k.gaps) != tt.gaps {
					t.Errorf("gaps %+v, want %d", k.gaps, tt.gaps)
				}
			})
		}
	}
}

// TestRotatedBetweenLooks wants lives that are the same, that begin alike or with the zeros of a hole, though they came
// and went between two looks.
func TestRotatedBetweenLooks(t *testing.T) {
	const start = "the program starts\n"
	tests := map[string][]string{
		"same-lines":     {start, start, start, start},
		"same-beginning": {start, start + "a\n", start, start + "b\n", start + "c\n"},
		"shorter":        {start + "a\n", start, start + "a\n", start},
	}
	for name, texts := range tests {
		for _, copied := range []bool{false, true} {
			how := map[bool]string{false: "renamed", true: "copied"}[copied]
			t.Run(name+"-"+how, func(t *testing.T) {
				r := newRig(t)
				r.write("app.log", texts[0])
				rd := r.open(source.Start{Resume: []source.Position{}})
				want := texts[0]
				var k taken
				collect(t, rd, &k, atLeast(strings.Count(texts[0], "\n")))
				for range 3 {
					r.set.mu.Lock()
					r.tick()
					r.rotateOnce(copied)
					r.tick()
					r.lives(copied, texts...)
					r.set.mu.Unlock()
					want += strings.Join(texts, "")
					collect(t, rd, &k, atLeast(strings.Count(want, "\n")))
				}
				drain(t, rd, &k)
				lines := strings.Split(strings.TrimSuffix(want, "\n"), "\n")
				if copied { // of lives that are the same nothing tells which is the one that was read
					slices.Sort(k.lines)
					slices.Sort(lines)
				}
				if !slices.Equal(k.lines, lines) {
					t.Errorf("got %q, want %q", k.lines, lines)
				}
			})
		}
	}
}

// TestStaleWriterBetweenLooks copies and truncates, several times between two looks, under a writer that goes on at its
// own offset.
func TestStaleWriterBetweenLooks(t *testing.T) {
	r := newRig(t)
	f, err := os.Create(r.path("app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	n, holes := 0, int64(0)
	write := func(lines int) {
		if _, err := f.WriteString(numbered(n, n+lines)); err != nil {
			t.Fatal(err)
		}
		n += lines
	}
	write(100)
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(n))
	for range 3 {
		for _, blind := range []bool{false, true, true, true, false} {
			if blind {
				r.set.mu.Lock()
			}
			r.tick()
			r.rotateOnce(true)
			holes += int64(n) * int64(len(numbered(0, 1)))
			r.tick()
			write(50)
			if blind {
				r.set.mu.Unlock()
			}
		}
		collect(t, rd, &k, atLeast(n))
		drain(t, rd, &k)
		slices.Sort(k.lines) // a look in the middle may see two lives in the other order
		wantNumbered(t, k.lines, n)
	}
	var told int64
	for _, g := range k.gaps {
		if g.Reason == wire.ReasonHole {
			told += g.Bytes
		} else if g.Bytes != 0 {
			t.Errorf("gap %+v", g)
		}
	}
	if told != holes {
		t.Errorf("holes of %d bytes are told, there are %d", told, holes)
	}
}

// TestLossHasANumber cuts a file, or takes it away, before it was read, and wants what was seen of it in a gap.
func TestLossHasANumber(t *testing.T) {
	text := numbered(0, 100)
	tests := map[string]struct {
		down, quiet bool
		lose        func(r *rig)
		want        source.Gap
	}{
		"truncated":       {lose: func(r *rig) { r.truncate("app.log") }, want: source.Gap{AtLeast: true, Reason: "truncated"}},
		"truncated-quiet": {quiet: true, lose: func(r *rig) { r.truncate("app.log") }, want: source.Gap{Reason: "truncated"}},
		"truncated-while-down": {
			down: true, lose: func(r *rig) { r.truncate("app.log") }, want: source.Gap{AtLeast: true, Reason: "truncated"},
		},
		"removed-while-down": {
			down: true, lose: func(r *rig) { r.remove("app.log") }, want: source.Gap{AtLeast: true, Reason: "rotated"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.write("app.log", "")
			rd := r.open(source.Start{Resume: []source.Position{}})
			var k taken
			r.write("app.log", text)
			if tt.quiet {
				r.writtenFor("app.log", -time.Hour)
			} else if !tt.down {
				r.writtenFor("app.log", time.Hour)
			}
			r.set.scan()
			if at := slices.Collect(rd.Positions()); len(at) != 1 || at[0].Offset != 0 {
				t.Fatalf("positions %+v", at)
			}
			if tt.down {
				r.kill(rd, func() { tt.lose(r) }, &k)
			} else {
				r.set.mu.Lock()
				tt.lose(r)
				r.set.mu.Unlock()
				collect(t, rd, &k, func(k *taken) bool { return len(k.gaps) > 0 })
			}
			tt.want.Source, tt.want.Path, tt.want.Bytes = "app", r.path("app.log"), int64(len(text))
			if !tt.down { // the tracker has the lines of its beginning
				tt.want.Bytes -= int64(len(strings.Join(k.lines, "\n")) + 1)
				wantNumbered(t, k.lines, headSize/len(numbered(0, 1)))
			}
			if !slices.Equal(k.gaps, []source.Gap{tt.want}) {
				t.Errorf("gaps %+v, want %+v", k.gaps, tt.want)
			}
		})
	}
}

// TestQuietCopyIsNoLoss copies and truncates a file that nobody has written for a while.
func TestQuietCopyIsNoLoss(t *testing.T) {
	r := newRig(t)
	r.write("app.log", numbered(0, 100))
	r.writtenFor("app.log", -time.Minute)
	r.set.scan()
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(100))
	r.rotateOnce(true)
	r.write("app.log", numbered(100, 110))
	collect(t, rd, &k, atLeast(110))
	wantNumbered(t, k.lines, 110)
	if len(k.gaps) > 0 {
		t.Errorf("gaps %+v", k.gaps)
	}
}

// kill ends the set and the reader, lets something happen, and reads on from where the reader stood.
func (r *rig) kill(rd source.Reader, down func(), k *taken) {
	r.t.Helper()
	at := slices.Collect(rd.Positions())
	_ = rd.Close()
	r.stop()
	r.tick()
	down()
	r.tick()
	r.start("*.log")
	again := r.open(source.Start{Resume: at})
	for range 3 {
		drain(r.t, again, k)
		r.set.scan()
	}
	drain(r.t, again, k)
}

// TestRemovedBeforeDeath follows what comes after a file that was removed and read to its end, while no set runs.
func TestRemovedBeforeDeath(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "a\n")
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(1))
	r.remove("app.log")
	r.finishAll()
	drain(t, rd, &k)
	r.kill(rd, func() { r.lives(false, "b\n", "c\n", "d\n") }, &k)
	if got := strings.Join(k.lines, " "); got != "a b c d" {
		t.Errorf("lines %q, gaps %+v", got, k.gaps)
	}
}

// finishAll lets time pass for the files that lost their names.
func (r *rig) finishAll() {
	r.set.scan()
	r.set.mu.Lock()
	defer r.set.mu.Unlock()
	for g := range r.set.draining {
		g.grown -= time.Hour
	}
	r.set.drainLocked()
}

// TestReusedInode gives the number of an empty file to a copy of one that was read long ago: it is another file.
func TestReusedInode(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "a\n")
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(1))
	r.tick()
	r.rename("app.log", "app.log.1")
	r.write("app.log", "")
	r.set.scan()
	drain(t, rd, &k)
	r.kill(rd, func() {
		info, err := os.Stat(r.path("app.log"))
		if err != nil {
			t.Fatal(err)
		}
		old, err := os.Stat(r.path("app.log.1"))
		if err != nil {
			t.Fatal(err)
		}
		r.remove("app.log")
		r.copyTo("app.log.1", "app.log.2")
		if err := os.Chtimes(r.path("app.log.2"), old.ModTime(), old.ModTime()); err != nil {
			t.Fatal(err)
		}
		now, err := os.Stat(r.path("app.log.2"))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("the inode is used again: %v", os.SameFile(info, now))
		r.remove("app.log.1")
		r.write("app.log", "b\n")
	}, &k)
	if got := strings.Join(k.lines, " "); got != "a b" {
		t.Errorf("lines %q, gaps %+v", got, k.gaps)
	}
}

// TestStaleWriterWhileDown copies and truncates under a writer that goes on at its own offset: each copy begins with
// the same zeros.
func TestStaleWriterWhileDown(t *testing.T) {
	r := newRig(t)
	f, err := os.Create(r.path("app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	n := 0
	write := func(lines int) {
		if _, err := f.WriteString(numbered(n, n+lines)); err != nil {
			t.Fatal(err)
		}
		n += lines
	}
	write(100)
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(n))
	r.rotateOnce(true)
	write(100)
	collect(t, rd, &k, atLeast(n))
	for range 2 {
		at := slices.Collect(rd.Positions())
		_ = rd.Close()
		r.stop()
		r.tick()
		for range 4 {
			write(50)
			r.tick()
			r.rotateOnce(true)
			r.tick()
		}
		write(50)
		r.start("*.log")
		rd = r.open(source.Start{Resume: at})
		collect(t, rd, &k, atLeast(n))
		drain(t, rd, &k)
		wantNumbered(t, k.lines, n)
	}
}

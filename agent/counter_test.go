package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/agent/source/file"
)

// counted bounds how long a test waits for what must be counted.
const counted = 30 * time.Second

// tester is what both kinds of tests have.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// abacus is a counter under test with its files, and a server that takes what it is given.
type abacus struct {
	t        tester
	dir      string
	globs    []string
	counter  *counter
	trouble  *trouble
	log      *journal
	stop     func()
	reported uint64 // lines that the server has
	written  uint64 // lines that were written
}

// journal keeps a log.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

// times is how often the log has an event.
func (j *journal) times(event string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.buf.String(), "msg="+event)
}

// newAbacus makes one on an empty folder that has the counter's data beside the files.
func newAbacus(t tester, dir string) *abacus {
	b := &abacus{t: t, dir: dir, globs: []string{filepath.Join(dir, "*.log")}, log: &journal{}}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatalf("%v", err)
	}
	return b
}

// start runs a counter as a new process would.
func (b *abacus) start() {
	b.t.Helper()
	cfg := Config{Data: filepath.Join(b.dir, "data"), Log: slog.New(slog.NewTextHandler(b.log, nil))}
	for _, g := range b.globs {
		cfg.Files = append(cfg.Files, file.Spec{Source: "app", Glob: g})
	}
	files, err := file.New(file.Options{
		Specs: cfg.Files, Poll: 5 * time.Millisecond, RotateWait: 100 * time.Millisecond,
	})
	if err != nil {
		b.t.Fatalf("%v", err)
	}
	a := &Agent{cfg: cfg, files: files, trouble: newTrouble()}
	c := a.newCounter()
	c.every = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	run := func(part func(context.Context) error) {
		parts.Go(func() {
			if err := part(ctx); err != nil {
				b.t.Errorf("run: %v", err)
			}
		})
	}
	run(files.Run)
	run(c.run)
	b.counter, b.trouble = c, a.trouble
	b.stop = func() {
		cancel()
		parts.Wait()
		b.stop = func() {}
	}
	b.until("the first checkpoint is written", func() bool { return !c.dirty() })
	c.sources()
}

// dirty says whether the checkpoint is behind, or none was written yet.
func (c *counter) dirty() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes != c.saved || c.reader == nil
}

// until waits for what another goroutine brings about.
func (b *abacus) until(what string, cond func() bool) {
	b.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for late := time.After(counted); !cond(); {
		select {
		case <-late:
			b.t.Fatalf("gave up waiting until %s: %d lines of %d", what, b.reported+b.counter.lines(), b.written)
		case <-tick.C:
		}
	}
}

// lines is what the counter has and the server not.
func (c *counter) lines() (sum uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.counts {
		sum += n.Lines
	}
	for _, n := range c.underway {
		sum += n.Lines
	}
	return sum
}

// end ends the counter cleanly.
func (b *abacus) end() {
	b.stop()
	b.counter.finish()
}

// kill ends it as a death does: what was not on the disk is gone.
func (b *abacus) kill() {
	b.stop()
	_ = b.counter.reader.Close()
}

// name is a path of a log.
func (b *abacus) name(base string) string { return filepath.Join(b.dir, base) }

// data is the path of the checkpoint.
func (b *abacus) data() string { return filepath.Join(b.dir, "data", checkpointFile) }

// write appends text to a log and keeps the sum of whole lines.
func (b *abacus) write(base, text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.name(base), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.t.Fatalf("%v", err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(text); err != nil {
		b.t.Fatalf("%v", err)
	}
	b.written += uint64(strings.Count(text, "\n"))
}

// rotate renames the log and makes a new one.
func (b *abacus) rotate() {
	b.t.Helper()
	b.write("app.log", "its end\n") // an empty file is not rotated
	for n := 40; n > 0; n-- {
		_ = os.Rename(b.name(fmt.Sprintf("app.log.%d", n)), b.name(fmt.Sprintf("app.log.%d", n+1)))
	}
	if err := os.Rename(b.name("app.log"), b.name("app.log.1")); err != nil {
		b.t.Fatalf("%v", err)
	}
	b.write("app.log", "")
}

// report gives the server what was counted.
func (b *abacus) report(taken bool) {
	sum := uint64(0)
	for _, n := range b.counter.take() {
		sum += n.Lines
	}
	if taken {
		b.reported += sum
	}
	b.counter.settle(taken)
}

// all waits until every line is counted, and checks that none was counted twice.
func (b *abacus) all() {
	b.t.Helper()
	b.until("all is counted", func() bool { return b.reported+b.counter.lines() >= b.written })
	b.until("all is on the disk", func() bool { return !b.counter.dirty() })
	if sum := b.reported + b.counter.lines(); sum != b.written {
		b.t.Errorf("%d lines counted, %d written", sum, b.written)
	}
}

func TestCountGoesOnAfterTheEnd(t *testing.T) {
	tests := []struct {
		name string
		end  func(*abacus)
	}{
		{"clean", (*abacus).end},
		{"killed", (*abacus).kill},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newAbacus(t, t.TempDir())
			b.write("app.log", "before the first start, which is not counted\n")
			b.written = 0
			b.start()
			b.write("app.log", "level=error one\nlevel=info two\n")
			b.all()
			b.report(false)
			b.report(true)
			b.write("app.log", "level=info three\nand half a li")
			b.all()
			tt.end(b)
			b.write("app.log", "ne\nlevel=error five\n")
			b.rotate()
			b.write("app.log", "level=info six\n")
			b.write("new.log", "a file that is new\n")
			b.start()
			b.all()
			if b.written != 8 || b.reported != 2 {
				t.Errorf("%d written, %d reported, want 8 and 2", b.written, b.reported)
			}
			n := b.counter.take()
			if len(n) != 1 || n[0].Lines != 6 || n[0].Levels[2] != 5 || n[0].Levels[5] != 1 {
				t.Errorf("counts %+v, want 6 lines, 5 of them info, in one source", n)
			}
			b.end()
			if info, err := os.Stat(b.data()); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("checkpoint %v, %v; want mode 0600", info.Mode(), err)
			}
		})
	}
}

func TestDamagedCheckpointIsToldAndCountingBeginsAtNow(t *testing.T) {
	b := newAbacus(t, t.TempDir())
	b.write("app.log", "one\n")
	b.start()
	b.end()
	if err := os.WriteFile(b.data(), []byte("{\"version\":1}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.write("app.log", "two\n")
	b.written = 0
	b.start()
	if n := b.log.times("checkpoint_unreadable"); n != 1 {
		t.Errorf("told %d times, want once", n)
	}
	b.write("app.log", "three\n")
	b.all()
	b.end()
	b.start()
	b.all()
	b.end()
}

func TestFileThatIsNewlyAllowedBeginsAtNow(t *testing.T) {
	b := newAbacus(t, t.TempDir())
	b.write("app.log", "not counted\n")
	b.write("app.txt", strings.Repeat("not counted\n", 100))
	b.written = 0
	b.start()
	b.end()
	b.write("app.log", "one\n")
	b.globs = append(b.globs, b.name("*.txt"))
	b.start()
	b.write("app.txt", "two\n")
	b.all()
	b.end()
	b.globs = b.globs[1:]
	b.start()
	b.write("app.txt", "three\n")
	b.all()
	b.end()
	cp, err := loadCheckpoint(b.data())
	if err != nil || len(cp.positions) != 1 || cp.positions[0].Path != b.name("app.txt") {
		t.Errorf("positions %+v, %v; want one, of the file that is still allowed", cp, err)
	}
}

func TestFullDiskStopsNoCounting(t *testing.T) {
	tests := []struct {
		name   string
		fill   func(*abacus) error // makes the writing fail
		empty  func(*abacus) error
		remove bool // whether the old checkpoint can be removed
	}{
		{
			"no-room-for-the-draft",
			func(b *abacus) error { return os.MkdirAll(b.data()+".new/x", 0o700) },
			func(b *abacus) error { return os.Rename(b.data()+".new", b.name("away")) },
			true,
		},
		{
			"no-rename",
			func(b *abacus) error {
				_ = os.Remove(b.data())
				return os.MkdirAll(b.data()+"/x", 0o700)
			},
			func(b *abacus) error { return os.Rename(b.data(), b.name("away")) },
			false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newAbacus(t, t.TempDir())
			b.write("app.log", "")
			b.start()
			b.write("app.log", "one\n")
			b.all()
			// A checkpoint may be written right now, and its draft lie in the way.
			b.until("the way is blocked", func() bool { return tt.fill(b) == nil })
			b.write("app.log", "two\n")
			b.until("it is counted", func() bool { return b.counter.lines() == 2 })
			b.until("the failure is told", func() bool { return b.log.times("checkpoint_write_failed") == 1 })
			if text := b.trouble.text(); !strings.HasPrefix(text, "checkpoint cannot be written: ") {
				t.Errorf("the agent's trouble is %q", text)
			}
			b.report(true)
			if tt.remove {
				// The one on the disk does not know of the report: to go on from it would count twice.
				b.until("the old checkpoint is gone", func() bool {
					_, err := os.Stat(b.data())
					return os.IsNotExist(err)
				})
			}
			b.write("app.log", "three\n")
			b.until("it is counted", func() bool { return b.counter.lines() == 1 })
			if err := tt.empty(b); err != nil {
				t.Fatal(err)
			}
			b.all()
			b.kill()
			if text := b.trouble.text(); text != "" {
				t.Errorf("the agent's trouble is %q after it was over", text)
			}
			if told, again := b.log.times("checkpoint_write_failed"), b.log.times("checkpoint_written_again"); told != 1 ||
				again != 1 {
				t.Errorf("failure told %d times, its end %d times, want once each", told, again)
			}
			b.write("app.log", "four\n")
			b.start()
			b.all()
			b.end()
		})
	}
}

func TestDeathAtAnyMomentLeavesNoLineOut(t *testing.T) {
	b := newAbacus(t, t.TempDir())
	b.write("app.log", "")
	for range 20 {
		b.start()
		wrote := make(chan struct{})
		go func() {
			defer close(wrote)
			for range 20 {
				b.write("app.log", strings.Repeat("a line\n", 50))
			}
		}()
		b.until("something is counted", func() bool { return b.counter.lines() > 0 })
		b.kill()
		<-wrote
	}
	b.start()
	b.all()
	b.end()
}

// TestCountIsExact writes, rotates, reports, ends and kills at random.
func TestCountIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "spile-counter-")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		b := newAbacus(t, dir)
		b.write("app.log", "")
		b.start()
		defer func() { b.stop() }()
		up := true
		run := func(name string, do func()) func(*rapid.T) {
			return func(t *rapid.T) {
				b.t = t
				t.Log(name)
				do()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				b.write("app.log", strings.Repeat("level=info a line\n", rapid.IntRange(1, 200).Draw(t, "lines")))
			},
			"partial": run("partial", func() { b.write("app.log", "half a line ") }),
			"rotate": run("rotate", func() {
				if up { // what a rotation does while nobody looks is for the tests of the source
					b.all()
					b.rotate()
				}
			}),
			"report": run("report", func() {
				if up {
					b.report(true)
					b.until("the report is on the disk", func() bool { return !b.counter.dirty() })
				}
			}),
			"lost-report": run("lost report", func() {
				if up {
					b.report(false)
				}
			}),
			"end": run("end", func() {
				if up {
					b.end()
					up = false
				}
			}),
			"kill": run("kill", func() {
				if up {
					b.kill()
					up = false
				}
			}),
			"start": run("start", func() {
				if !up {
					b.start()
					up = true
				}
			}),
		})
		b.t = t
		if !up {
			b.start()
		}
		b.all()
		b.end()
	})
}

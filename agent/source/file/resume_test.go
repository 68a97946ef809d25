package file

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

func TestResumeAfterDeath(t *testing.T) {
	tests := map[string]struct {
		meanwhile func(r *rig)
		lines     int
		gaps      int
	}{
		"nothing":     {meanwhile: func(*rig) {}, lines: 100},
		"growth":      {meanwhile: func(r *rig) { r.write("app.log", numbered(100, 150)) }, lines: 150},
		"rename":      {meanwhile: func(r *rig) { rotateBy(r, false, 1) }, lines: 220},
		"renames":     {meanwhile: func(r *rig) { rotateBy(r, false, 3) }, lines: 420},
		"copies":      {meanwhile: func(r *rig) { rotateBy(r, true, 3) }, lines: 420},
		"file-is-new": {meanwhile: func(r *rig) { r.write("other.log", numbered(100, 130)) }, lines: 130},
		"no-live": {meanwhile: func(r *rig) {
			r.write("app.log", numbered(100, 120))
			r.rename("app.log", "app.log.1")
		}, lines: 120},
		"gone": {meanwhile: func(r *rig) {
			_ = os.Remove(r.path("app.log"))
			r.write("app.log", numbered(100, 120))
		}, lines: 120, gaps: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.write("app.log.1", "an old one\n")
			r.write("app.log", numbered(0, 100))
			rd := r.open(source.Start{Resume: []source.Position{}})
			var k taken
			collect(t, rd, &k, atLeast(100))
			at := slices.Collect(rd.Positions())
			r.stop()
			tt.meanwhile(r)
			r.start("*.log")
			rd = r.open(source.Start{Resume: at})
			collect(t, rd, &k, func(k *taken) bool { return len(k.lines) >= tt.lines && len(k.gaps) >= tt.gaps })
			drain(t, rd, &k)
			wantNumbered(t, k.lines, tt.lines)
			if len(k.gaps) != tt.gaps || tt.gaps > 0 && k.gaps[0].Reason != wire.ReasonRotated {
				t.Errorf("gaps %+v", k.gaps)
			}
			if !rd.HistoryDone() {
				t.Error("history is not done")
			}
		})
	}
}

// rotateBy writes 100 lines and rotates, several times, and 20 lines after that.
func rotateBy(r *rig, copied bool, times int) {
	n := 100
	for range times {
		r.write("app.log", numbered(n, n+100))
		n += 100
		r.shift("app.log")
		if copied {
			r.copyTo("app.log", "app.log.1")
			r.truncate("app.log")
		} else {
			r.rename("app.log", "app.log.1")
		}
	}
	r.write("app.log", numbered(n, n+20))
}

func TestReadRange(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "")
	rd := r.open(source.Start{})
	r.write("app.log", numbered(0, 100))
	var at source.Position
	var from, to int64
	for at.Path == "" {
		if b, err := rd.Next(); err == nil {
			at, from, to = b.At, b.From, b.To
			continue
		}
		<-rd.Ready()
	}
	check := func(step string) {
		t.Helper()
		got, err := r.set.ReadRange(at, from, to)
		if err != nil || string(got) != numbered(0, 100)[:to] {
			t.Errorf("%s: %d bytes, %v", step, len(got), err)
		}
	}
	check("live")
	r.rename("app.log", "app.log.1")
	r.write("app.log", numbered(500, 700))
	check("renamed")
	r.copyTo("app.log.1", "app.log.2")
	if err := os.Remove(r.path("app.log.1")); err != nil {
		t.Fatal(err)
	}
	check("copied")
}

// dated are lines with a time of their own, a second apart.
func dated(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "%s entry %d\n", time.Unix(int64(i), 0).UTC().Format(time.RFC3339), i)
		if i%7 == 0 {
			b.WriteString("  continued without a time\n")
		}
	}
	return b.String()
}

func timeOf(line []byte) (time.Time, bool) {
	word, _, _ := strings.Cut(string(line), " ")
	when, err := time.Parse(time.RFC3339, word)
	return when, err == nil
}

func TestHistory(t *testing.T) {
	start := func(since int, tail int) source.Start {
		s := source.Start{
			Tail:   tail,
			TimeOf: func(_ string, line []byte) (time.Time, bool) { return timeOf(line) },
			Match:  func(_, _ string, line []byte) (time.Time, bool) { return timeOf(line) },
		}
		if since >= 0 {
			s.Since = time.Unix(int64(since), 0)
		}
		return s
	}
	tests := map[string]struct {
		start source.Start
		a, b  string // what is expected of each file
	}{
		"since":         {start: start(4_000, 0), a: dated(4_000, 5_000), b: dated(4_500, 4_600)},
		"since-all":     {start: start(0, 0), a: dated(0, 5_000), b: dated(4_500, 4_600)},
		"since-later":   {start: start(9_000, 0)},
		"tail":          {start: start(-1, 10), a: dated(4_990, 5_000)},
		"tail-both":     {start: start(-1, 450), a: dated(4_575, 5_000), b: dated(4_575, 4_600)},
		"tail-all":      {start: start(-1, 100_000), a: dated(0, 5_000), b: dated(4_500, 4_600)},
		"since-is-less": {start: start(4_998, 100), a: dated(4_998, 5_000)},
		"tail-is-less":  {start: start(10, 3), a: dated(4_997, 5_000)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.write("a.log", dated(0, 5_000))
			r.write("b.log", dated(4_500, 4_600))
			rd := r.open(tt.start)
			got := map[string]string{}
			for !rd.HistoryDone() {
				b, err := rd.Next()
				if err != nil {
					t.Fatal(err)
				}
				got[b.Source] += string(b.Data)
			}
			want := map[string]string{"a": tt.a, "b": tt.b}
			if diff := cmp.Diff(want, map[string]string{"a": got["a"], "b": got["b"]}); diff != "" {
				t.Errorf("%.800s", diff)
			}
			r.write("a.log", "live\n")
			var k taken
			collect(t, rd, &k, atLeast(1))
			if k.lines[0] != "live" {
				t.Errorf("after history %q", k.lines)
			}
		})
	}
}

func TestSkipToEnd(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "")
	rd := r.open(source.Start{})
	text := numbered(0, 1000)
	r.write("app.log", text+"unfinished")
	r.set.scan()
	skipped := rd.SkipToEnd()
	if len(skipped) != 1 || skipped[0].Gap.Bytes != int64(len(text)) || skipped[0].Gap.Reason != wire.ReasonLagging ||
		skipped[0].From != 0 || skipped[0].To != int64(len(text)) {
		t.Errorf("skipped %+v", skipped)
	}
	r.write("app.log", " line\n")
	var k taken
	collect(t, rd, &k, atLeast(1))
	if k.lines[0] != "unfinished line" || rd.Backlog() != 0 {
		t.Errorf("lines %q, backlog %d", k.lines, rd.Backlog())
	}
}

// TestLossIsToldOnce resumes from behind a gap: what it told is not told again, and what is younger is found.
func TestLossIsToldOnce(t *testing.T) {
	r := newRig(t)
	r.write("app.log", numbered(0, 100))
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(100))
	at := slices.Collect(rd.Positions())
	r.stop()
	r.remove("app.log")
	r.start("*.log")
	var over source.Position
	rd = r.open(source.Start{Resume: at})
	for b, err := rd.Next(); err == nil; b, err = rd.Next() {
		over = b.At
		over.Offset = b.To
	}
	if !over.Over {
		t.Fatalf("no loss was told, last %+v", over)
	}
	r.stop()
	r.write("app.log.1", numbered(100, 110))
	r.write("app.log", numbered(110, 120))
	r.start("*.log")
	rd = r.open(source.Start{Resume: []source.Position{over}})
	drain(t, rd, &k)
	wantNumbered(t, k.lines, 120)
	if len(k.gaps) != 0 {
		t.Errorf("told again: %+v", k.gaps)
	}
}

// TestResumeFindsWhatAppeared dies with a file of which no position tells, since it appeared later and nothing of it was
// read. It is read from its beginning wherever it was rotated to.
func TestResumeFindsWhatAppeared(t *testing.T) {
	rotate := func(copied bool) func(r *rig) {
		return func(r *rig) {
			r.write("app.log", numbered(0, 10))
			r.rotateOnce(copied)
			r.write("app.log", numbered(10, 20))
			r.rotateOnce(copied)
		}
	}
	tests := map[string]struct {
		appears func(r *rig)
		lines   int
	}{
		"live":    {appears: func(r *rig) { r.write("app.log", numbered(0, 10)) }, lines: 10},
		"renamed": {appears: func(r *rig) { rotate(false)(r); r.write("app.log", numbered(20, 30)) }, lines: 30},
		"copied":  {appears: func(r *rig) { rotate(true)(r); r.write("app.log", numbered(20, 30)) }, lines: 30},
		"no-live": {appears: rotate(false), lines: 20},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.write("web.log", "before\n")
			r.write("app.log.1", "of an earlier day\n")
			known := time.Now().Add(2 * dirSlack)
			for time.Now().Before(known) {
				r.tick()
			}
			rd := r.open(source.Start{})
			at := slices.Collect(rd.Positions())
			r.stop()
			tt.appears(r)
			r.start("*.log")
			rd = r.open(source.Start{Resume: at, Known: known})
			var k taken
			drain(t, rd, &k)
			wantNumbered(t, k.lines, tt.lines)
			if len(k.gaps) != 0 {
				t.Errorf("gaps %+v", k.gaps)
			}
		})
	}
}

// TestResumeLeavesWhatWasThereBefore has a position in an old sibling only, since what came after it was empty or gone
// when the reader was opened. What lay between is not for the reader; what came later is.
func TestResumeLeavesWhatWasThereBefore(t *testing.T) {
	r := newRig(t)
	r.write("app.log", numbered(100, 110))
	r.tick()
	at := slices.Collect(r.open(source.Start{}).Positions())
	r.rotateOnce(false)
	r.write("app.log", numbered(200, 210))
	r.rotateOnce(false)
	known := time.Now().Add(2 * dirSlack) // files are stamped by the clock of the system
	for time.Now().Before(known) {
		r.tick()
	}
	r.stop()
	r.write("app.log", numbered(0, 10))
	r.rotateOnce(false)
	r.start("*.log")
	rd := r.open(source.Start{Resume: at, Known: known})
	var k taken
	drain(t, rd, &k)
	wantNumbered(t, k.lines, 10)
	if len(k.gaps) != 0 {
		t.Errorf("gaps %+v", k.gaps)
	}
}

// TestDoneIsKnownForLong restarts several times after the youngest rotated file was read to its end, while an older one
// is still followed: that it was read must not be forgotten once the file is found compressed.
func TestDoneIsKnownForLong(t *testing.T) {
	for _, test := range []struct {
		name    string
		before  map[string]format // what is compressed before the first restart
		between map[string]format // before the last one
		reads   bool              // whether the readers between read
	}{
		{"younger", map[string]format{"app.log.1": formatGzip}, nil, false},
		{
			"younger-then-older",
			map[string]format{"app.log.1": formatGzip},
			map[string]format{"app.log.2": formatZstd},
			false,
		},
		{"both", map[string]format{"app.log.1": formatGzip, "app.log.2": formatGzip}, nil, false},
		{"older-is-finished", map[string]format{"app.log.1": formatGzip, "app.log.2": formatGzip}, nil, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.put("app.log.2", dated(0, 10), 10)
			r.put("app.log.1", dated(10, 20), 20)
			r.put("app.log", "", 30)
			rd := r.open(origin(0, 0))
			var k taken
			history(t, rd, &k)
			at := slices.Collect(rd.Positions())
			for i := range at {
				if at[i].Print == printOf(dated(10, 20)) { // as when that one was quiet for long enough
					at[i].Device, at[i].Inode = 0, 0
				}
			}
			for _, change := range []map[string]format{test.before, test.between, nil} {
				r.stop()
				for name, how := range change {
					r.squeeze(name, how)
					now := time.Now()
					if err := os.Chtimes(r.path(name+"."+string(how)), now, now); err != nil {
						t.Fatal(err)
					}
				}
				r.start("*.log")
				rd = r.open(source.Start{Resume: at})
				if test.reads {
					drain(t, rd, &k)
				}
				at = slices.Collect(rd.Positions())
			}
			r.write("app.log", dated(20, 21))
			collect(t, rd, &k, func(k *taken) bool { return slices.Contains(k.lines, split(dated(20, 21))[0]) })
			if diff := cmp.Diff(split(dated(0, 21)), k.lines); diff != "" || len(k.gaps) > 0 {
				t.Errorf("%s\ngaps %+v", diff, k.gaps)
			}
		})
	}
}

func printOf(text string) uint64 { return newHead(0, []byte(text)).crc }

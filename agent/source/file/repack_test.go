package file

import (
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// squeeze replaces a file by its compressed form, which keeps the time of the last change.
func (r *rig) squeeze(name string, how format) {
	r.t.Helper()
	data, err := os.ReadFile(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	info, err := os.Stat(r.path(name))
	if err != nil {
		r.t.Fatal(err)
	}
	r.putBytes(name+"."+string(how), packed(r.t, how, string(data)), info.ModTime().Unix())
	if err := os.Remove(r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

// TestResumeOfHistory ends a process in the middle of the history and wants the next one to go on there.
func TestResumeOfHistory(t *testing.T) {
	meanwhile := map[string]func(r *rig){
		"nothing": func(*rig) {},
		"compressed": func(r *rig) {
			r.squeeze("app.log.1", formatZstd)
		},
		"rotated-and-compressed": func(r *rig) {
			r.rename("app.log.2.gz", "app.log.3.gz")
			r.squeeze("app.log.1", formatGzip)
			r.rename("app.log.1.gz", "app.log.2.gz")
			r.rename("app.log", "app.log.1")
			r.squeeze("app.log.1", formatZstd)
			r.write("app.log", "")
		},
		"unpacked": func(r *rig) {
			r.put("app.log.2", dated(0, 20_000), 20_000)
			_ = os.Remove(r.path("app.log.2.gz"))
		},
	}
	for name, change := range meanwhile {
		for _, lines := range []int{0, 10_000, 30_000} {
			t.Run(name, func(t *testing.T) {
				r := newRig(t)
				r.put("app.log.2.gz", dated(0, 20_000), 20_000)
				r.put("app.log.1", dated(20_000, 40_000), 40_000)
				r.put("app.log", dated(40_000, 45_000), 45_000)
				rd := r.open(origin(500, 0))
				var k taken
				for len(k.lines) < lines {
					b, err := rd.Next()
					if err != nil {
						t.Fatal(err)
					}
					k.take(b)
				}
				at := slices.Collect(rd.Positions())
				r.stop()
				change(r)
				r.start("*.log")
				start := origin(-1, 0)
				start.Resume = at
				rd = r.open(start)
				history(t, rd, &k)
				drain(t, rd, &k)
				if diff := cmp.Diff(split(dated(500, 45_000)), k.lines); diff != "" || len(k.gaps) > 0 {
					t.Errorf("%.800s\ngaps %+v", diff, k.gaps)
				}
			})
		}
	}
}

// TestResumeOfLostHistory wants one gap for a compressed file that is gone.
func TestResumeOfLostHistory(t *testing.T) {
	r := newRig(t)
	r.put("app.log.1.gz", dated(0, 20_000), 20_000)
	r.put("app.log", dated(20_000, 20_100), 20_100)
	rd := r.open(origin(0, 0))
	var k taken
	b, err := rd.Next()
	if err != nil {
		t.Fatal(err)
	}
	k.take(b)
	n := len(k.lines)
	at := slices.Collect(rd.Positions())
	r.stop()
	if err := os.Remove(r.path("app.log.1.gz")); err != nil {
		t.Fatal(err)
	}
	r.start("*.log")
	start := origin(-1, 0)
	start.Resume = at
	rd = r.open(start)
	collect(t, rd, &k, func(k *taken) bool { return len(k.gaps) == 1 && len(k.lines) > n })
	drain(t, rd, &k)
	if diff := cmp.Diff(split(dated(20_000, 20_100)), k.lines[n:]); diff != "" || k.gaps[0].Reason != wire.ReasonRotated {
		t.Errorf("%.400s\ngaps %+v", diff, k.gaps)
	}
}

func TestReadRangePacked(t *testing.T) {
	text := dated(0, 30_000)
	for _, name := range []string{"app.log.1.gz", "app.log.1.zst", "app.log.1"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.put(name, text, 30_000)
			r.put("app.log", dated(30_000, 30_100), 30_100)
			rd := r.open(origin(0, 0))
			var at source.Position
			var ranges [][2]int64
			for !rd.HistoryDone() {
				b, err := rd.Next()
				if err != nil {
					t.Fatal(err)
				}
				if at.Path == "" {
					at = b.At
				}
				if b.At.Inode == at.Inode {
					ranges = append(ranges, [2]int64{b.From, b.To})
				}
			}
			if name == "app.log.1" {
				r.squeeze(name, formatGzip)
			}
			ranges = append(ranges, ranges[0], [2]int64{5, 5}, [2]int64{100, 900})
			for _, x := range ranges {
				got, err := r.set.ReadRange(at, x[0], x[1])
				if err != nil || string(got) != text[x[0]:x[1]] {
					t.Errorf("range %v: %d bytes, %v", x, len(got), err)
				}
			}
			if _, err := r.set.ReadRange(at, 10, int64(len(text))+1); !errors.Is(err, source.ErrGone) {
				t.Errorf("beyond the end: %v", err)
			}
			at.Print++
			if _, err := r.set.ReadRange(at, 0, 10); !errors.Is(err, source.ErrGone) {
				t.Errorf("another print: %v", err)
			}
		})
	}
}

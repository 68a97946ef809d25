package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// packed is text in a format.
func packed(t testing.TB, how format, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case formatGzip:
		w = gzip.NewWriter(&b)
	case formatZstd:
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return []byte(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// put writes a file, compressed as its name says, whose last change lies in the given second.
func (r *rig) put(name, text string, second int64) {
	r.t.Helper()
	_, how := formatOf(name)
	r.putBytes(name, packed(r.t, how, text), second)
}

func (r *rig) putBytes(name string, data []byte, second int64) {
	r.t.Helper()
	if err := os.WriteFile(r.path(name), data, 0o600); err != nil {
		r.t.Fatal(err)
	}
	if second > 0 {
		when := time.Unix(second, 0)
		if err := os.Chtimes(r.path(name), when, when); err != nil {
			r.t.Fatal(err)
		}
	}
}

// origin is a start with since (not before 0) and tail.
func origin(since, tail int) source.Start {
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

// history reads until the history is over.
func history(t testing.TB, rd source.Reader, into *taken) {
	t.Helper()
	for i := 0; !rd.HistoryDone(); i++ {
		b, err := rd.Next()
		if errors.Is(err, source.ErrDry) && rd.HistoryDone() {
			return
		}
		if err != nil || i > 1_000_000 {
			t.Fatalf("history: %v after %d lines", err, len(into.lines))
		}
		into.take(b)
	}
}

func split(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// family writes the rotated files that a test names and a live one, each with the dated lines of its part of 10,000
// seconds, the oldest first.
func (r *rig) family(names ...string) {
	step := 10_000 / len(names)
	for i, name := range names {
		to := (i + 1) * step
		if i == len(names)-1 {
			to = 10_000
		}
		r.put(name, dated(i*step, to), int64(to))
	}
}

func TestHistoryOfFamily(t *testing.T) {
	families := map[string][]string{
		"numbers":          {"app.log.3", "app.log.2", "app.log.1", "app.log"},
		"delay-compress":   {"app.log.4.gz", "app.log.3.gz", "app.log.2.gz", "app.log.1", "app.log"},
		"compress":         {"app.log.2.gz", "app.log.1.gz", "app.log"},
		"zstd":             {"app.log.12.zst", "app.log.2.zst", "app.log.1", "app.log"},
		"mixed":            {"app.log.3.gz", "app.log.2.zst", "app.log.1", "app.log"},
		"dates":            {"app.log-20240114.gz", "app.log-20240115.zst", "app.log-20240116", "app.log"},
		"dates-before-end": {"app-2024-01-14T00-00-00.000.log.gz", "app-2024-01-15T00-00-00.000.log", "app.log"},
		"upward-numbers":   {"app.log.1.gz", "app.log.2", "app.log.3", "app.log"},
	}
	starts := map[string]struct {
		start source.Start
		from  int
	}{
		"all":        {start: origin(0, 0), from: 0},
		"late":       {start: origin(9_900, 0), from: 9_900},
		"middle":     {start: origin(5_123, 0), from: 5_123},
		"early":      {start: origin(77, 0), from: 77},
		"nothing":    {start: origin(10_000, 0), from: 10_000},
		"tail-few":   {start: origin(-1, 10), from: 9_990},
		"tail-far":   {start: origin(-1, 8_000), from: 2_000},
		"tail-all":   {start: origin(-1, 100_000), from: 0},
		"since-less": {start: origin(4_000, 9_000), from: 4_000},
		"tail-less":  {start: origin(10, 6_500), from: 3_500},
	}
	for family, names := range families {
		for name, tt := range starts {
			t.Run(family+"/"+name, func(t *testing.T) {
				r := newRig(t)
				r.family(names...)
				rd := r.open(tt.start)
				var k taken
				history(t, rd, &k)
				if diff := cmp.Diff(split(dated(tt.from, 10_000)), k.lines); diff != "" {
					t.Fatalf("%.800s", diff)
				}
				r.write("app.log", "live\n")
				collect(t, rd, &k, atLeast(len(k.lines)+1))
				drain(t, rd, &k)
				if last(k.lines) != "live" || len(k.gaps) > 0 {
					t.Errorf("last %q, gaps %+v", last(k.lines), k.gaps)
				}
			})
		}
	}
}

// TestHistoryMerges wants the lines of several families in the order of their times, whatever form they are in.
func TestHistoryMerges(t *testing.T) {
	r := newRig(t)
	var want []string
	text := map[string]*strings.Builder{}
	names := []string{"a.log", "b.log", "c.log"}
	forms := []string{".2.gz", ".1", ""}
	for i := range 9_000 {
		name := names[i*7%len(names)] + forms[i/3_000]
		line := fmt.Sprintf("%s entry %d of %s\n", time.Unix(int64(i), 0).UTC().Format(time.RFC3339), i, name)
		if text[name] == nil {
			text[name] = &strings.Builder{}
		}
		text[name].WriteString(line)
		want = append(want, strings.TrimSuffix(line, "\n"))
	}
	for name, b := range text {
		r.put(name, b.String(), 0)
	}
	for name, from := range map[string]int{"since": 0, "since-later": 2_500, "tail": 1_000} {
		t.Run(name, func(t *testing.T) {
			start := origin(from, 0)
			if name == "tail" {
				start = origin(-1, 9_000-from)
			}
			rd := r.open(start)
			var k taken
			history(t, rd, &k)
			if diff := cmp.Diff(want[from:], k.lines); diff != "" {
				t.Errorf("%.800s", diff)
			}
		})
	}
}

// TestHistoryMergesLongFiles is for what unpacks beyond a buffer: each block has the bytes that its offsets name, and
// they can be had again.
func TestHistoryMergesLongFiles(t *testing.T) {
	r := newRig(t)
	names := []string{"a.log.1.gz", "b.log.1.zst", "c.log"}
	text := map[string]*strings.Builder{}
	const lines = 60_000
	for i := range lines {
		name := names[i*7%len(names)]
		if text[name] == nil {
			text[name] = &strings.Builder{}
		}
		fmt.Fprintf(text[name], "%s entry %d, %s\n", time.Unix(int64(i), 0).UTC().Format(time.RFC3339), i,
			strings.Repeat("x", i%50))
	}
	for _, name := range names {
		r.put(name, text[name].String(), 0)
	}
	r.write("a.log", "")
	r.write("b.log", "")
	rd := r.open(origin(0, 0))
	for i, seen := 0, 0; !rd.HistoryDone(); i++ {
		b, err := rd.Next()
		if err != nil {
			break
		}
		name := names[strings.Index("abc", b.Source)]
		if want := text[name].String()[b.From:b.To]; string(b.Data) != want {
			t.Fatalf("%s from %d to %d: %q, want %q", name, b.From, b.To, b.Data, want)
		}
		for line := range strings.Lines(string(b.Data)) {
			if want := fmt.Sprintf(" entry %d,", seen); !strings.Contains(line, want) {
				t.Fatalf("line %q, want%s", line, want)
			}
			seen++
		}
		at, from, to := b.At, b.From, b.To
		if i%500 == 0 {
			got, err := r.set.ReadRange(at, from, to)
			if err != nil || string(got) != text[name].String()[from:to] {
				t.Fatalf("range of %s from %d to %d: %q, %v", name, from, to, got, err)
			}
		}
	}
}

// TestPackedBroken wants what can be read, and one gap that names the file and the reason.
func TestPackedBroken(t *testing.T) {
	text := dated(0, 12_000)
	half := func(b []byte) []byte { return b[:len(b)/2] }
	spoiled := func(b []byte, at, n int) []byte {
		b = bytes.Clone(b)
		for i := range n {
			b[at+i] ^= 0xa5
		}
		return b
	}
	gz, zst := packed(t, "gz", text), packed(t, "zst", text)
	bomb := func(how format) []byte {
		return packed(t, how, text+strings.Repeat("\x00", 64<<20))
	}
	tests := map[string]struct {
		name, reason string
		data         []byte
		// some and all say whether there are lines, and whether they are all there.
		some, all bool
	}{
		"truncated-gzip": {name: "app.log.1.gz", data: half(gz), reason: wire.ReasonTruncated, some: true},
		"truncated-zstd": {name: "app.log.1.zst", data: half(zst), reason: wire.ReasonTruncated, some: true},
		"corrupt-gzip":   {name: "app.log.1.gz", data: spoiled(gz, len(gz)-8, 4), reason: wire.ReasonCorrupt, some: true, all: true},
		"corrupt-zstd":   {name: "app.log.1.zst", data: spoiled(zst, len(zst)/2, 200), reason: wire.ReasonCorrupt, some: true},
		"no-gzip":        {name: "app.log.1.gz", data: []byte("this is no compressed text\n"), reason: wire.ReasonCorrupt},
		"no-zstd":        {name: "app.log.1.zst", data: []byte("this is no compressed text\n"), reason: wire.ReasonCorrupt},
		"only-a-header":  {name: "app.log.1.gz", data: gz[:6], reason: wire.ReasonTruncated},
		"gzip-bomb":      {name: "app.log.1.gz", data: bomb("gz"), reason: wire.ReasonOversize, some: true, all: true},
		"zstd-bomb":      {name: "app.log.1.zst", data: bomb("zst"), reason: wire.ReasonOversize, some: true, all: true},
		"xz":             {name: "app.log.1.xz", data: []byte("\xfd7zXZ\x00 and so on"), reason: wire.ReasonUnreadable},
	}
	for name, tt := range tests {
		for way, start := range map[string]source.Start{"since": origin(0, 0), "tail": origin(-1, 90_000)} {
			t.Run(name+"/"+way, func(t *testing.T) {
				r := newRig(t)
				r.putBytes(tt.name, tt.data, 30_000)
				r.put("app.log", dated(50_000, 50_100), 50_100)
				rd := r.open(start)
				var k taken
				history(t, rd, &k)
				if len(k.gaps) != 1 || k.gaps[0].Reason != tt.reason || !k.gaps[0].AtLeast ||
					k.gaps[0].Path != r.path(tt.name) || k.gaps[0].Bytes > int64(len(tt.data)) {
					t.Errorf("gaps %+v, want %s", k.gaps, tt.reason)
				}
				live := split(dated(50_000, 50_100))
				if diff := cmp.Diff(live, k.lines[max(0, len(k.lines)-len(live)):]); diff != "" {
					t.Errorf("live: %.400s", diff)
				}
				before := k.lines[:len(k.lines)-len(live)]
				want := split(text)
				if len(before) > len(want) { // the beginning of the bomb's only line
					before = before[:len(want)]
				}
				if diff := cmp.Diff(want[:len(before)], before); diff != "" {
					t.Errorf("before: %.400s", diff)
				}
				if tt.some != (len(before) > 0) || tt.all && len(before) < len(want) {
					t.Errorf("%d of %d lines", len(before), len(want))
				}
			})
		}
	}
}

// TestPackedBeforeBeginning wants nothing of a broken file that history does not reach.
func TestPackedBeforeBeginning(t *testing.T) {
	for name, start := range map[string]source.Start{"since": origin(50_010, 0), "tail": origin(-1, 20)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.putBytes("app.log.1.gz", []byte("no gzip"), 10)
			r.put("app.log", dated(50_000, 50_100), 50_100)
			var k taken
			history(t, r.open(start), &k)
			if len(k.gaps) > 0 || len(k.lines) == 0 {
				t.Errorf("%d lines, gaps %+v", len(k.lines), k.gaps)
			}
		})
	}
}

// TestCompressionInProgress finds a compressed file beside the plain one that it is made of.
func TestCompressionInProgress(t *testing.T) {
	text := dated(0, 20_000)
	for name, data := range map[string][]byte{
		"empty": nil, "header": packed(t, "gz", text)[:10], "half": packed(t, "gz", text)[:20_000],
		"whole": packed(t, "gz", text),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.put("app.log.1", text, 20_000)
			r.putBytes("app.log.1.gz", data, 20_000)
			r.put("app.log", dated(20_000, 20_010), 20_010)
			var k taken
			history(t, r.open(origin(0, 0)), &k)
			if diff := cmp.Diff(split(dated(0, 20_010)), k.lines); diff != "" || len(k.gaps) > 0 {
				t.Errorf("%.400s\ngaps %+v", diff, k.gaps)
			}
		})
	}
}

// TestCopyInProgress finds a copy of the live file that was not truncated yet.
func TestCopyInProgress(t *testing.T) {
	r := newRig(t)
	r.put("app.log", dated(0, 2_000), 0)
	r.put("app.log.1", dated(0, 1_500), 0)
	rd := r.open(origin(0, 0))
	r.copyTo("app.log", "app.log.1")
	r.truncate("app.log")
	r.write("app.log", dated(2_000, 2_100))
	var k taken
	collect(t, rd, &k, atLeast(len(split(dated(0, 2_100)))))
	drain(t, rd, &k)
	if diff := cmp.Diff(split(dated(0, 2_100)), k.lines); diff != "" {
		t.Errorf("%.400s", diff)
	}
}

// TestSameBeginnings wants both of two files that begin alike but are not one.
func TestSameBeginnings(t *testing.T) {
	banner := strings.Repeat("a banner that is written at each start\n", 60)
	r := newRig(t)
	r.put("app.log.2.gz", banner+dated(0, 10), 10)
	r.put("app.log.1", banner+dated(10, 20), 20)
	r.put("app.log", banner+dated(20, 30), 30)
	var k taken
	history(t, r.open(origin(-1, 1_000)), &k)
	if n := 3*60 + len(split(dated(0, 10)+dated(10, 20)+dated(20, 30))); len(k.lines) < n-60 {
		t.Errorf("%d lines, want at least %d", len(k.lines), n-60)
	}
}

func TestPackedLongLines(t *testing.T) {
	long := strings.Repeat("x", 3*wire.MaxLine)
	stamp := time.Unix(5, 0).UTC().Format(time.RFC3339) + " "
	for _, how := range []format{formatGzip, formatZstd} {
		r := newRig(t)
		r.put("app.log.1."+string(how), dated(0, 5)+stamp+long+"\n"+dated(6, 9)+long+"\n"+long, 9)
		r.put("app.log", dated(9, 12), 12)
		for _, start := range []source.Start{origin(0, 0), origin(5, 0), origin(-1, 100), origin(-1, 7)} {
			var k taken
			history(t, r.open(start), &k)
			sizes := []int64{int64(len(stamp + long)), int64(len(long)), int64(len(long))}
			if diff := cmp.Diff(sizes, k.cut); diff != "" || last(k.lines) != split(dated(9, 12))[2] {
				t.Errorf("%s: cut %s, last %.100q", how, diff, last(k.lines))
			}
		}
	}
}

// TestPackedMembers reads files that were made by joining compressed ones.
func TestPackedMembers(t *testing.T) {
	for _, how := range []format{formatGzip, formatZstd} {
		r := newRig(t)
		joined := append(packed(t, how, dated(0, 3_000)), packed(t, how, dated(3_000, 6_000))...)
		r.putBytes("app.log.1."+string(how), joined, 6_000)
		r.put("app.log", dated(6_000, 6_010), 6_010)
		var k taken
		history(t, r.open(origin(1, 0)), &k)
		if diff := cmp.Diff(split(dated(1, 6_010)), k.lines); diff != "" || len(k.gaps) > 0 {
			t.Errorf("%s: %.400s\n%+v", how, diff, k.gaps)
		}
	}
}

func TestShadowOfPacked(t *testing.T) {
	r := newRig(t, "*")
	r.put("app.log.1.gz", dated(0, 10), 10)
	r.put("app.log", dated(10, 20), 20)
	_ = r.open(source.Start{})
	r.set.scan()
	if got := r.set.Sources(); len(got) != 1 || got[0].Files != 1 {
		t.Errorf("sources %+v", got)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "app.log.1.gz")); err != nil {
		t.Fatal(err)
	}
}

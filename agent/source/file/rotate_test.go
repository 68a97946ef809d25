package file

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

func (r *rig) rename(from, to string) {
	r.t.Helper()
	if err := os.Rename(r.path(from), r.path(to)); err != nil {
		r.t.Fatal(err)
	}
}

// shift renames name.1 to name.2 and so on, as logrotate does before a rotation.
func (r *rig) shift(name string) {
	for i := 40; i > 0; i-- {
		if _, err := os.Lstat(r.path(fmt.Sprintf("%s.%d", name, i))); err == nil {
			r.rename(fmt.Sprintf("%s.%d", name, i), fmt.Sprintf("%s.%d", name, i+1))
		}
	}
}

func (r *rig) copyTo(from, to string) {
	r.t.Helper()
	in, err := os.Open(r.path(from))
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.Create(r.path(to))
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		r.t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) truncate(name string) {
	r.t.Helper()
	if err := os.Truncate(r.path(name), 0); err != nil {
		r.t.Fatal(err)
	}
}

func TestRenameUnderWriter(t *testing.T) {
	const lines, every = 20_000, 2_500
	r := newRig(t)
	r.write("app.log", "")
	rd := r.open(source.Start{})
	go func() {
		for i := 0; i < lines; i += 50 {
			if i > 0 && i%every == 0 {
				r.shift("app.log")
				r.rename("app.log", "app.log.1")
			}
			r.write("app.log", numbered(i, i+50))
		}
	}()
	var k taken
	collect(t, rd, &k, atLeast(lines))
	wantNumbered(t, k.lines, lines)
	if len(k.gaps) > 0 {
		t.Errorf("gaps %v", k.gaps)
	}
}

func TestRenameBurst(t *testing.T) {
	r := newRig(t)
	r.write("app.log", "")
	rd := r.open(source.Start{})
	var k taken
	n := 0
	for range 4 {
		for range 5 {
			r.write("app.log", numbered(n, n+100))
			n += 100
			r.shift("app.log")
			r.rename("app.log", "app.log.1")
		}
		r.write("app.log", numbered(n, n+10))
		n += 10
		collect(t, rd, &k, atLeast(n))
		// A look in the middle of a burst may see two lives in the other order; each comes once and whole.
		slices.Sort(k.lines)
		wantNumbered(t, k.lines, n)
	}
}

func TestLateLinesOnRenamedFile(t *testing.T) {
	r := newRig(t)
	r.write("app.log", numbered(0, 10))
	rd := r.open(source.Start{})
	stale, err := os.OpenFile(r.path("app.log"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stale.Close() }()
	r.rename("app.log", "app.log.1")
	r.write("app.log", "new\n")
	var k taken
	collect(t, rd, &k, atLeast(1))
	if _, err := stale.WriteString("late\nunfinished"); err != nil {
		t.Fatal(err)
	}
	collect(t, rd, &k, atLeast(3))
	if got := strings.Join(k.lines, " "); got != "new late unfinished" {
		t.Errorf("got %q", got)
	}
}

func TestCopyTruncate(t *testing.T) {
	for _, burst := range []int{1, 4} {
		t.Run(fmt.Sprintf("burst-%d", burst), func(t *testing.T) {
			r := newRig(t)
			r.write("app.log", numbered(0, 50))
			rd := r.open(source.Start{Resume: []source.Position{}})
			var k taken
			collect(t, rd, &k, atLeast(50))
			n := 50
			for range 5 {
				for range burst {
					r.write("app.log", numbered(n, n+100))
					n += 100
					r.shift("app.log")
					r.copyTo("app.log", "app.log.1")
					r.truncate("app.log")
				}
				r.write("app.log", numbered(n, n+70))
				n += 70
				collect(t, rd, &k, atLeast(n))
				if burst > 1 { // a look in the middle of a burst may find a file that has its next life already
					slices.Sort(k.lines)
				}
				wantNumbered(t, k.lines, n)
			}
			for _, g := range k.gaps {
				if g.Bytes != 0 || !g.AtLeast || g.Reason != wire.ReasonTruncated {
					t.Errorf("gap %+v", g)
				}
			}
		})
	}
}

// TestCopyTruncateBetweenLooks wants the lives that came and went between two looks in their order, though the clock
// of the file system gives several of them one time.
func TestCopyTruncateBetweenLooks(t *testing.T) {
	r := newRig(t)
	r.write("app.log", numbered(0, 50))
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	n := 50
	for range 10 {
		collect(t, rd, &k, atLeast(n))
		r.set.mu.Lock()
		for range 4 {
			r.write("app.log", numbered(n, n+100))
			n += 100
			r.shift("app.log")
			r.copyTo("app.log", "app.log.1")
			r.truncate("app.log")
		}
		r.write("app.log", numbered(n, n+70))
		n += 70
		r.set.mu.Unlock()
		collect(t, rd, &k, atLeast(n))
		wantNumbered(t, k.lines, n)
	}
}

func TestOverwriteIsTold(t *testing.T) {
	r := newRig(t)
	r.write("app.log", numbered(0, 10))
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(10))
	other := strings.Repeat("other content, longer than what was there\n", 100)
	if err := os.WriteFile(r.path("app.log"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	collect(t, rd, &k, atLeast(110))
	if len(k.lines) != 110 || len(k.gaps) != 1 || !k.gaps[0].AtLeast || k.gaps[0].Bytes != 0 {
		t.Errorf("%d lines, gaps %+v", len(k.lines), k.gaps)
	}
}

func TestDeleteAndRecreate(t *testing.T) {
	r := newRig(t)
	r.write("app.log", numbered(0, 10))
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	for n := 10; n < 500; n += 20 {
		r.write("app.log", numbered(n, n+10))
		collect(t, rd, &k, atLeast(n+10))
		if err := os.Remove(r.path("app.log")); err != nil {
			t.Fatal(err)
		}
		r.write("app.log", numbered(n+10, n+20))
	}
	collect(t, rd, &k, atLeast(510))
	wantNumbered(t, k.lines, 510)
}

func TestHoleAfterStaleWriter(t *testing.T) {
	r := newRig(t)
	f, err := os.Create(r.path("app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	text := numbered(0, 1000)
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(1000))
	r.truncate("app.log")
	if _, err := f.WriteString(numbered(1000, 1100)); err != nil {
		t.Fatal(err)
	}
	collect(t, rd, &k, atLeast(1100))
	wantNumbered(t, k.lines, 1100)
	hole := k.gaps[len(k.gaps)-1]
	if hole.Bytes != int64(len(text)) || hole.AtLeast {
		t.Errorf("gaps %+v", k.gaps)
	}
}

func TestLinkFlip(t *testing.T) {
	r := newRig(t, "current")
	r.write("app-1", numbered(0, 10))
	r.write("app-2", numbered(10, 20))
	flip := func(to string) {
		if err := os.Symlink(to, r.path("next")); err != nil {
			t.Fatal(err)
		}
		r.rename("next", "current")
	}
	flip("app-1")
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(10))
	flip("app-2")
	r.write("app-2", numbered(20, 30))
	collect(t, rd, &k, atLeast(30))
	wantNumbered(t, k.lines, 30)
}

func TestLinkOutIsRefused(t *testing.T) {
	outside := t.TempDir() + "/secret"
	if err := os.WriteFile(outside, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	if err := os.Symlink(outside, r.path("app.log")); err != nil {
		t.Fatal(err)
	}
	r.write("ok.log", "ok\n")
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(1))
	if last(k.lines) != "ok" {
		t.Errorf("lines %q", k.lines)
	}
	got := r.set.Sources()
	if len(got) != 2 || got[0].Files != 0 || !strings.Contains(got[0].Problem, "out of its folder") {
		t.Errorf("sources %+v", got)
	}
}

func TestSpecialFilesAreSkipped(t *testing.T) {
	r := newRig(t)
	if err := syscall.Mkfifo(r.path("pipe.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(r.path("dir.log"), 0o700); err != nil {
		t.Fatal(err)
	}
	r.write("ok.log", "ok\n")
	rd := r.open(source.Start{Resume: []source.Position{}})
	var k taken
	collect(t, rd, &k, atLeast(1))
	for _, src := range r.set.Sources() {
		if src.Name != "ok" && (src.Files != 0 || !strings.Contains(src.Problem, "not a regular file")) {
			t.Errorf("source %+v", src)
		}
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 1_000_000)
	huge := strings.Repeat("y", 3_000_000)
	tests := map[string]struct {
		parts []string
		want  []string
		cut   []int64
	}{
		"whole":       {parts: []string{"a\nb\n"}, want: []string{"a", "b"}},
		"partial":     {parts: []string{"a\nb", "c", "d\n"}, want: []string{"a", "bcd"}},
		"crlf":        {parts: []string{"a\r\nb\r", "\n"}, want: []string{"a\r", "b\r"}},
		"empty-lines": {parts: []string{"\n\n", "\n"}, want: []string{"", "", ""}},
		"long": {
			parts: []string{"a\n" + long + "\nb\n"},
			want:  []string{"a", long[:wire.MaxLine], "b"}, cut: []int64{1_000_000},
		},
		"long-parts": {
			parts: []string{"a\n" + long[:100_000], long[100_000:], "\nb\n"},
			want:  []string{"a", long[:wire.MaxLine], "b"}, cut: []int64{1_000_000},
		},
		"huge":      {parts: []string{huge + "\nb\n"}, want: []string{huge[:wire.MaxLine], "b"}, cut: []int64{3_000_000}},
		"just-fits": {parts: []string{huge[:wire.MaxLine] + "\nb\n"}, want: []string{huge[:wire.MaxLine], "b"}},
		"just-over": {
			parts: []string{huge[:wire.MaxLine+1] + "\nb\n"},
			want:  []string{huge[:wire.MaxLine], "b"}, cut: []int64{wire.MaxLine + 1},
		},
		"nul-inside": {parts: []string{"a\x00b\n\x00\n"}, want: []string{"a\x00b", "\x00"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.write("app.log", "")
			rd := r.open(source.Start{})
			var k taken
			for _, part := range tt.parts {
				r.write("app.log", part)
				r.set.scan()
				drain(t, rd, &k)
			}
			collect(t, rd, &k, atLeast(len(tt.want)))
			if len(k.lines) != len(tt.want) {
				t.Fatalf("got %d lines, want %d", len(k.lines), len(tt.want))
			}
			for i := range tt.want {
				if k.lines[i] != tt.want[i] {
					t.Errorf("line %d has %d bytes %.60q, want %d", i, len(k.lines[i]), k.lines[i], len(tt.want[i]))
				}
			}
			if fmt.Sprint(k.cut) != fmt.Sprint(tt.cut) {
				t.Errorf("cut from %v, want %v", k.cut, tt.cut)
			}
		})
	}
}

// drain reads until nothing is there.
func drain(t testing.TB, rd source.Reader, k *taken) {
	t.Helper()
	for {
		b, err := rd.Next()
		if errors.Is(err, source.ErrDry) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		k.take(b)
	}
}

// TestHintsWakeReaders has a poll that never comes: what is read is read because the kernel said that it was written.
func TestHintsWakeReaders(t *testing.T) {
	r := &rig{t: t, dir: t.TempDir(), poll: time.Hour}
	r.start("*.log")
	r.write("app.log", "")
	rd := r.open(source.Start{})
	var k taken
	for i := range 200 {
		r.write("app.log", numbered(i, i+1))
		collect(t, rd, &k, atLeast(i+1))
	}
}

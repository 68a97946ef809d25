package canary

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

// TestMain holds every test to the goroutines that it found.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testRun is the run of the tests.
const testRun = "4f2a9c1e"

func TestLineRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Uint64Range(0, 999_999_999_999).Draw(t, "n")
		at := time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "at"))
		line := string(appendLine(nil, testRun, n, at))
		if len(line) != lineBytes {
			t.Fatalf("%q has %d bytes, want %d", line, len(line), lineBytes)
		}
		gotN, gotAt, ok := parseLine(line, testRun)
		if !ok || gotN != n || !gotAt.Equal(at) {
			t.Fatalf("%q read as %d, %v, %v", line, gotN, gotAt, ok)
		}
		if _, _, ok := parseLine(line, "00000000"); ok {
			t.Fatal("a line of another run was taken")
		}
		harmed := []byte(line)
		i := rapid.IntRange(0, len(line)-2).Draw(t, "byte")
		harmed[i] ^= 1 << rapid.IntRange(0, 6).Draw(t, "bit")
		if _, _, ok := parseLine(string(harmed), testRun); ok {
			t.Fatalf("%q was taken", harmed)
		}
		if _, _, ok := parseLine(line[:i], testRun); ok {
			t.Fatalf("%q was taken", line[:i])
		}
	})
}

// TestTallyCounts does something to each part of a stream, and wants it counted, and nothing else.
func TestTallyCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tally := newTally()
		n, want := uint64(0), Counts{}
		came := map[uint64]bool{}
		take := func(line uint64) {
			came[line] = true
			tally.line(line, time.Now(), time.Now())
		}
		write := func(count uint64) { tally.count(func(c *Counts) { c.Written += count }) }
		good := func(count uint64) {
			write(count)
			for range count {
				n++
				take(n)
			}
			want.Written, want.Received = want.Written+count, want.Received+count
		}
		few := func(t *rapid.T) uint64 { return rapid.Uint64Range(1, 9).Draw(t, "few") }
		skip := func(count uint64) { write(count); n += count; want.Written += count }
		good(1)
		t.Repeat(map[string]func(*rapid.T){
			"good": func(t *rapid.T) { good(few(t)) },
			"missing": func(t *rapid.T) {
				count := few(t)
				skip(count)
				good(1)
				want.Missing += count
			},
			"announced-before": func(t *rapid.T) {
				count := few(t)
				skip(count)
				tally.announced(count, false)
				good(1)
				want.AnnouncedLost += count
			},
			"announced-blind": func(t *rapid.T) {
				count := few(t)
				skip(count)
				tally.announced(0, true)
				good(1)
				want.AnnouncedLost += count
			},
			"doubled": func(*rapid.T) { take(n); want.Doubled++ },
			"late": func(*rapid.T) {
				write(2)
				take(n + 2)
				take(n + 1)
				n += 2
				want.Written, want.Received, want.OutOfOrder = want.Written+2, want.Received+2, want.OutOfOrder+1
			},
			"never-written": func(t *rapid.T) {
				tally.line(n+few(t), time.Now(), time.Now())
				want.Unexpected++
			},
			"new-session": func(t *rapid.T) {
				// What an earlier session said may come again, and is not doubled; what comes after it is.
				tally.anew()
				for line := n - min(n-1, few(t)); line <= n; line++ {
					if came[line] {
						take(line)
					}
				}
				good(1)
			},
			"": func(t *rapid.T) {
				got := tally.snapshot()
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("(-want +got):\n%s", diff)
				}
			},
		})
		// The end: what is under way is missing when it had its time.
		write(3)
		if got := tally.snapshot().InFlight; got != 3 {
			t.Fatalf("%d in flight, want 3", got)
		}
		tally.close()
		want.Written, want.Missing = want.Written+3, want.Missing+3
		if diff := cmp.Diff(want, tally.snapshot()); diff != "" {
			t.Fatalf("at the end (-want +got):\n%s", diff)
		}
	})
}

// TestTallyTakesAnnouncementsThatComeLater excuses what was passed over before a gap told it.
func TestTallyTakesAnnouncementsThatComeLater(t *testing.T) {
	tally := newTally()
	tally.count(func(c *Counts) { c.Written = 10 })
	now := time.Now()
	for _, n := range []uint64{1, 5, 10} {
		tally.line(n, now, now)
	}
	tally.announced(5, false)
	want := Counts{Written: 10, Received: 3, Missing: 2, AnnouncedLost: 5}
	if diff := cmp.Diff(want, tally.snapshot()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if counts := tally.snapshot(); !counts.Bad() {
		t.Error("missing lines are not bad")
	}
}

// TestNewSessionRecoversWhatWasPassedOver takes a line that history brings after all.
func TestNewSessionRecoversWhatWasPassedOver(t *testing.T) {
	tally := newTally()
	tally.count(func(c *Counts) { c.Written = 4 })
	now := time.Now()
	tally.line(1, now, now)
	tally.line(4, now, now)
	tally.anew()
	for n := range uint64(4) {
		tally.line(n+1, now, now)
	}
	if diff := cmp.Diff(Counts{Written: 4, Received: 4}, tally.snapshot()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWriterFollowsTheName writes on into a new file when the old one was renamed or removed.
func TestWriterFollowsTheName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bird.log")
	w := &writer{path: path, run: testRun, tally: newTally()}
	defer w.close()
	write := func(count uint64) {
		t.Helper()
		if err := w.write(count); err != nil {
			t.Fatal(err)
		}
	}
	numbers := func(path string) string {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for line := range strings.Lines(string(data)) {
			n, _, ok := parseLine(line, testRun)
			if !ok {
				t.Fatalf("%q is no line", line)
			}
			out = append(out, fmt.Sprint(n))
		}
		return strings.Join(out, " ")
	}
	write(2)
	write(1)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	write(2)
	if got := numbers(path + ".1"); got != "1 2 3" {
		t.Errorf("the old file has %s", got)
	}
	if got := numbers(path); got != "4 5" {
		t.Errorf("the new file has %s", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(1)
	if got := numbers(path); got != "6" || w.tally.written() != 6 {
		t.Errorf("after the removal the file has %s, %d written", got, w.tally.written())
	}
}

func TestLatency(t *testing.T) {
	tally := newTally()
	tally.count(func(c *Counts) { c.Written = 100 })
	now := time.Now()
	for n := uint64(1); n <= 100; n++ {
		tally.line(n, now.Add(-time.Duration(n)*time.Millisecond), now)
	}
	if diff := cmp.Diff(Latency{P50: 50, P99: 99, Max: 100}, tally.latency()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Latency{}, tally.latency()); diff != "" {
		t.Errorf("told twice (-want +got):\n%s", diff)
	}
}

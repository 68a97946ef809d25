package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMain is also the process of a peer, as main is.
func TestMain(m *testing.M) {
	if path := os.Getenv(followEnv); path != "" {
		if err := follow(path); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// TestEveryRowLeavesItsLines plays each row with nobody reading: the writer itself must lose nothing but where a row
// says so, and rotate as often as it should.
func TestEveryRowLeavesItsLines(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			r.shrink(100)
			r.rest, r.pause, r.rate = 0, 0, 0
			w, err := newWriter(t.TempDir(), r.stale)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			if err := w.write(1, 0); err != nil {
				t.Fatal(err)
			}
			if err := r.play(w); err != nil {
				t.Fatal(err)
			}
			there, err := w.onDisk()
			if err != nil {
				t.Fatal(err)
			}
			gone := 0
			for _, one := range there {
				if !one {
					gone++
				}
			}
			if len(there) != r.lines || gone > 0 != r.overwrites {
				t.Errorf("%d lines written, %d gone; want %d, and some gone: %v", len(there), gone, r.lines, r.overwrites)
			}
		})
	}
}

// TestPeersReadThePlainFile holds the tally against what every follower can do.
func TestPeersReadThePlainFile(t *testing.T) {
	s := settings{
		rows: regexp.MustCompile("^plain"), tools: regexp.MustCompile("tail"), scale: 1000, quiet: time.Second, spile: "none",
	}
	var out strings.Builder
	if failed, err := measure(&out, &s); err != nil || failed > 0 {
		t.Fatalf("%d failed, %v", failed, err)
	}
	if got := strings.Count(out.String(), " 0 / 0 "); got != 2 {
		t.Errorf("%d followers read a plain file whole, want 2:\n%s", got, &out)
	}
}

func TestLineNumber(t *testing.T) {
	tests := []struct {
		name, text string
		n          int
		whole      bool
	}{
		{"whole", string(lineText(17)), 17, true},
		{"without-its-end", strings.TrimSpace(string(lineText(17))), 17, true},
		{"after-a-hole", strings.Repeat("\x00", 99) + string(lineText(17)), 17, true},
		{"cut", string(lineText(17)[:30]), 17, false},
		{"tail-of-a-line", string(lineText(17)[9:]), 0, false},
		{"two-in-one", string(lineText(16)[:30]) + string(lineText(17)), 17, true},
		{"something-else", "tail: file truncated", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n, whole := lineNumber([]byte(tt.text))
			if whole != tt.whole || whole && n != tt.n {
				t.Errorf("got %d, %v, want %d, %v", n, whole, tt.n, tt.whole)
			}
		})
	}
	if n := len(lineText(12345678)); n != lineBytes {
		t.Errorf("a line has %d bytes, want %d", n, lineBytes)
	}
}

func TestCompare(t *testing.T) {
	seen := newTally(4)
	for _, n := range []int{0, 1, 1, 1} {
		seen.line(lineText(n))
	}
	seen.line(lineText(2)[:20])
	missing, doubled, readable := seen.compare([]bool{true, true, false, true})
	if missing != 2 || doubled != 2 || readable != 1 {
		t.Errorf("%d missing, %d doubled, %d readable; want 2, 2, 1", missing, doubled, readable)
	}
}

// TestFaultsCanBeFound shows that each thing that a strict run fails for is seen.
func TestFaultsCanBeFound(t *testing.T) {
	whole, destroys := row{}, row{destroys: true}
	tests := []struct {
		name string
		row  *row
		o    outcome
		want string
	}{
		{"nothing-wrong", &whole, outcome{}, ""},
		{"missing", &whole, outcome{missing: 1, told: told{bytes: lineBytes}}, "1 lines missing"},
		{"doubled", &whole, outcome{doubled: 2}, "2 lines doubled"},
		{"silent", &destroys, outcome{missing: 2}, "128 bytes lost, - announced"},
		{"too-little", &destroys, outcome{missing: 2, told: told{bytes: 100}}, "128 bytes lost, 100 bytes"},
		{"a-bound", &destroys, outcome{missing: 2, told: told{bytes: 100, atLeast: true}}, ""},
		{"exact", &destroys, outcome{missing: 2, told: told{bytes: 128}}, ""},
		{"too-much", &destroys, outcome{told: told{bytes: 64, atLeast: true}}, "64 bytes announced, 0 lost"},
		{"a-hole", &whole, outcome{holes: 640, told: told{holes: 640}}, ""},
		{"a-hole-as-a-loss", &whole, outcome{holes: 640, told: told{bytes: 640}}, "640 bytes announced, 0 lost"},
		{"more-than-a-hole", &whole, outcome{holes: 640, told: told{holes: 704}}, "704 bytes of holes announced, there are 640"},
		{"still-there", &destroys, outcome{missing: 2, readable: 1, told: told{bytes: 128}}, "1 lines missing that are"},
		{"events", &whole, outcome{told: told{events: 3}}, "3 events"},
		{"accounts", &whole, outcome{told: told{broken: []string{"does not close"}}}, "does not close"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.o.faults(tt.row)
			if tt.want == "" && len(got) == 0 {
				return
			}
			if tt.want == "" || !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, tt.want) }) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spilelog/spile/wire"
)

func TestConditions(t *testing.T) {
	raw := func(text string) *wire.Log { return &wire.Log{Message: "message", Raw: &text} }
	tests := []struct {
		name  string
		flags tailFlags
		lines []*wire.Log
		taken int // lines until it is decided
		exit  int
	}{
		{name: "nothing-to-wait-for", lines: []*wire.Log{raw("a")}, taken: -1},
		{name: "until", flags: tailFlags{until: "^b"}, lines: []*wire.Log{raw("ab"), raw("b")}, taken: 2},
		{name: "until-unmet", flags: tailFlags{until: "^b"}, lines: []*wire.Log{raw("ab")}, taken: -1, exit: wire.ExitUnmet},
		{name: "not-utf8", flags: tailFlags{until: `\xff`}, taken: -1, exit: wire.ExitUnmet},
		{
			name: "bytes", flags: tailFlags{until: `^a.b$`}, taken: 1,
			lines: []*wire.Log{{Message: "m", RawBase64: []byte("a\xffb")}},
		},
		{name: "message-without-raw", flags: tailFlags{until: "m"}, lines: []*wire.Log{{Message: "m"}}, taken: 1},
		{name: "empty-line", flags: tailFlags{failOn: "^$"}, lines: []*wire.Log{raw("")}, taken: 1, exit: wire.ExitMatched},
		{
			name: "fail-on-wins-on-one-line", flags: tailFlags{failOn: "b", until: "b"}, lines: []*wire.Log{raw("b")},
			taken: 1, exit: wire.ExitMatched,
		},
		{name: "expect", flags: tailFlags{expect: 2}, lines: []*wire.Log{raw("a"), raw("b")}, taken: 2},
		{name: "expect-unmet", flags: tailFlags{expect: 2}, lines: []*wire.Log{raw("a")}, taken: -1, exit: wire.ExitUnmet},
		{
			name: "until-before-expected", flags: tailFlags{expect: 3, until: "b"}, lines: []*wire.Log{raw("a"), raw("b")},
			taken: 2, exit: wire.ExitUnmet,
		},
		{
			name: "expected-before-until", flags: tailFlags{expect: 1, until: "b"}, lines: []*wire.Log{raw("a"), raw("b")},
			taken: 2,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := newConditions(&tt.flags)
			if err != nil {
				t.Fatal(err)
			}
			taken := slices.IndexFunc(tt.lines, c.take) + 1
			if taken == 0 {
				taken = -1
			}
			exit, failed := wire.ExitOK, (*failure)(nil)
			if errors.As(c.verdict(), &failed) {
				exit = failed.exit
			}
			if taken != tt.taken || exit != tt.exit {
				t.Errorf("decided at %d with %d, want %d with %d", taken, exit, tt.taken, tt.exit)
			}
		})
	}
}

func TestTailPrintsNothingAfterWhatDecides(t *testing.T) {
	noLeak(t)
	f := newFleet(fmt.Sprintf(frameLog, 1), fmt.Sprintf(frameLog, 2), fmt.Sprintf(frameLog, 3))
	got := run(t.Context(), nil, "tail", "--server", f.serve(t), "-o", "raw", "--fail-on", "broken k=.$", "-q")
	if got.exit != wire.ExitMatched || got.stdout != "ERROR broken k=v\n" || f.stops != 1 {
		t.Errorf("exit %d, printed %q, %d stops\n%s", got.exit, got.stdout, f.stops, got.stderr)
	}
	if want := "spile: a line matches --fail-on: ERROR broken k=v\n"; !strings.Contains(got.stderr, want) {
		t.Errorf("no %q in\n%s", want, got.stderr)
	}
	if !f.started[0].Raw {
		t.Error("the lines were not asked for as they were written")
	}
}

package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// TestAgentProblems tells of an agent that cannot write its own state, in the list and beside a stream.
func TestAgentProblems(t *testing.T) {
	const problem = "checkpoint cannot be written: no space left on device"
	f := newFleet(
		`{"type":"control","event":"agent_status","agent":"id-1","status":"streaming","problem":"`+problem+`\u001b[2J"}`,
		`{"type":"control","event":"agent_status","agent":"id-1","status":"streaming"}`,
		fmt.Sprintf(frameEnded, "timeout"),
	)
	f.agents[0].Problem = problem + "\x1b[2J"
	env := map[string]string{"SPILE_SERVER": f.serve(t)}
	list := run(t.Context(), env, "agents")
	if !strings.Contains(list.stdout, "online!") || !strings.Contains(list.stderr, "-- web-1: "+problem) {
		t.Errorf("the list does not tell of the problem:\n%s%s", list.stdout, list.stderr)
	}
	tail := run(t.Context(), env, "tail")
	if tail.exit != wire.ExitOK || strings.Count(tail.stderr, "-- agent web-1: "+problem) != 1 {
		t.Errorf("exit %d, want the problem told once:\n%s", tail.exit, tail.stderr)
	}
	if all := list.stdout + list.stderr + tail.stderr; strings.Contains(all, "\x1b[2J") {
		t.Errorf("the terminal is told to clear itself: %q", all)
	}
}

// TestLeaseBesideFor tells of a lease's end only where it comes before that of --for.
func TestLeaseBesideFor(t *testing.T) {
	const left = 11
	for _, tt := range []struct {
		name string
		over time.Duration
		want string
	}{
		{name: "without-for", want: "-- session ends in 11 s (timeout)\n"},
		{name: "for-is-over-first", over: time.Second},
		{name: "lease-ends-first", over: time.Hour, want: "-- session ends in 11 s (timeout)\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			n := &notices{out: &out}
			if tt.over > 0 {
				n.over = time.Now().Add(tt.over)
			}
			seconds := left
			n.control(&wire.Control{Event: wire.EventSessionEnding, Reason: "timeout", SecondsRemaining: &seconds})
			if out.String() != tt.want {
				t.Errorf("got %q, want %q", out.String(), tt.want)
			}
		})
	}
}

// TestForInsteadOfTheLease holds the first notice to the length that was asked for.
func TestForInsteadOfTheLease(t *testing.T) {
	f := newFleet(fmt.Sprintf(frameEnded, "stopped"))
	env := map[string]string{"SPILE_SERVER": f.serve(t)}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{name: "for", args: []string{"--for", "1h"}, want: "started on web-1, for 1h\n"},
		{name: "longer-lease", args: []string{"--for", "10m", "--timeout", "20m"}, want: "started on web-1, for 10m\n"},
		{name: "shorter-lease", args: []string{"--for", "10m", "--timeout", "5m"}, want: "started on web-1, ends at "},
		{name: "joined", args: []string{"--for", "10m", "--session", "sess_1"}, want: "joined on web-1, ends at "},
		{name: "no-for", want: "started on web-1, ends at "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t.Context(), env, append([]string{"tail"}, tt.args...)...)
			if got.exit != wire.ExitOK || !strings.Contains(got.stderr, tt.want) {
				t.Errorf("exit %d, no %q in\n%s", got.exit, tt.want, got.stderr)
			}
		})
	}
}

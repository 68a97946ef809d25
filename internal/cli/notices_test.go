package cli

import (
	"fmt"
	"strings"
	"testing"

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

package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spilelog/spile/wire"
)

// verifiedID is the agent of the streams below; a cursor holds nothing but UUIDs.
const verifiedID = "0190163d-8694-739b-aea5-966c26f8ad91"

// verifiedFrames are a whole stream: events 1 and 5, and between them a gap.
func verifiedFrames(t *testing.T) []string {
	t.Helper()
	id, err := wire.ParseUUID(verifiedID)
	if err != nil {
		t.Fatal(err)
	}
	cursor := wire.Cursor{{Agent: id, Epoch: 1}}.String()
	started := fmt.Sprintf(`{"type":"control","event":"session_started","session_id":"sess_1","next_seq":{%q:1},`+
		`"cursor":%q}`, verifiedID, cursor)
	frames := []string{started}
	for _, frame := range []string{
		fmt.Sprintf(frameLog, 1), frameGap, fmt.Sprintf(frameLog, 5),
		`{"type":"control","event":"agent_status","agent":"id-1","status":"ended"}`,
		`{"type":"control","event":"session_ended","reason":"timeout","accounts":{"agents":{"id-1":{"seen":9,` +
			`"filtered":4,"dropped":{"buffer_overrun":3},"sent":2}},"viewer":{"id-1":{"offered":5,"delivered":2,"gapped":3}}}}`,
	} {
		frames = append(frames, strings.ReplaceAll(frame, "id-1", verifiedID))
	}
	return frames
}

func TestTailVerifies(t *testing.T) {
	noLeak(t)
	tests := []struct {
		name   string
		change func([]string) []string
		exit   int
		says   string
	}{
		{name: "whole", says: "2 received, 3 in gaps, 0 bytes lost: closes\n"},
		{
			name: "event-missing", exit: wire.ExitLost, says: "does not close: ",
			change: func(f []string) []string { return append(f[:3:3], f[4:]...) },
		},
		{
			name: "gap-missing", exit: wire.ExitLost, says: "3 missing: does not close: events 2 to 4 of epoch 1 are missing",
			change: func(f []string) []string { return append(f[:2:2], f[3:]...) },
		},
		{
			name: "event-twice", exit: wire.ExitLost, says: "1 doubled: does not close: events 5 to 5 of epoch 1 came twice",
			change: func(f []string) []string { return append(f[:4:4], f[3:]...) },
		},
		{
			name: "equation-open", exit: wire.ExitLost, says: "the agent's account does not close",
			change: func(f []string) []string {
				f[5] = strings.Replace(f[5], `"seen":9`, `"seen":10`, 1)
				return f
			},
		},
		{
			name: "no-beginning", exit: wire.ExitLost, says: "the stream did not begin with session_started",
			change: func(f []string) []string { return f[1:] },
		},
	}
	for _, tt := range tests {
		for _, output := range []string{"text", "json"} {
			t.Run(tt.name+"-"+output, func(t *testing.T) {
				frames := verifiedFrames(t)
				if tt.change != nil {
					frames = tt.change(frames)
				}
				server := newFleet(frames...).serve(t)
				got := run(t.Context(), nil, "tail", "--server", server, "--verify", "-o", output)
				if got.exit != tt.exit || !strings.Contains(got.stderr, tt.says) {
					t.Errorf("exit %d, want %d; no %q in\n%s", got.exit, tt.exit, tt.says, got.stderr)
				}
				if strings.Contains(got.stdout, "verify") {
					t.Errorf("the verdict is among the lines:\n%s", got.stdout)
				}
				plain := run(t.Context(), nil, "tail", "--server", server, "-o", output)
				if plain.exit != wire.ExitOK || strings.Contains(plain.stderr, "verify") || plain.stdout != got.stdout {
					t.Errorf("without --verify: exit %d\n%s", plain.exit, plain.stderr)
				}
			})
		}
	}
}

func TestVerifyOfAJoinedSessionThatGoesOn(t *testing.T) {
	noLeak(t)
	server := newFleet(verifiedFrames(t)[:4]...).serve(t)
	got := run(t.Context(), nil, "tail", "--server", server, "--verify", "--session", "sess_1", "--for", "0.2")
	if says := "the session goes on"; got.exit != wire.ExitOK || !strings.Contains(got.stderr, says) {
		t.Errorf("exit %d, want %d; no %q in\n%s", got.exit, wire.ExitOK, says, got.stderr)
	}
}

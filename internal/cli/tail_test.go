package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/wire"
)

func TestTailPrintsASession(t *testing.T) {
	noLeak(t)
	frames := []string{fmt.Sprintf(frameLog, 1), frameGap, fmt.Sprintf(frameEnded, "timeout")}
	f := newFleet(frames...)
	server := f.serve(t)
	tests := []struct {
		name, output, want string
	}{
		{name: "text", output: "text", want: "2024-01-15T10:00:00.000Z ERROR app broken k=v\n"},
		{name: "raw", output: "raw", want: "ERROR broken k=v\n"},
		{name: "json", output: "json", want: strings.Join(frames, "\n") + "\n"},
		{name: "pattern", output: "$agent $message", want: "web-1 broken\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.session.Raw = tt.output == "raw"
			got := run(t.Context(), map[string]string{"SPILE_SERVER": server}, "tail", "-o", tt.output)
			if got.exit != wire.ExitOK || got.stdout != tt.want {
				t.Errorf("exit %d, got %q, want %q\n%s", got.exit, got.stdout, tt.want, got.stderr)
			}
			for _, notice := range []string{
				"-- warning: no filter\n", "-- session sess_1 started on web-1, ends at ",
				"-- gap: 3 events from web-1 (buffer_overrun)\n", "-- session ended (timeout): 1 lines shown, 3 in gaps\n",
				"-- web-1: seen 9, filtered 5, sent 1, dropped 3 (buffer_overrun)\n",
			} {
				if !strings.Contains(got.stderr, notice) {
					t.Errorf("no %q in\n%s", notice, got.stderr)
				}
			}
		})
	}
	if f.stops != 0 {
		t.Errorf("stopped %d sessions that had ended by themselves", f.stops)
	}
}

func TestTailAsksForWhatTheFlagsSay(t *testing.T) {
	f := newFleet(fmt.Sprintf(frameEnded, "timeout"))
	got := run(t.Context(), nil, "tail", "web-1", "--server", f.serve(t), "--level", "ERROR,alert", "--source", "a*",
		"--source", "b", "--pattern", "x+", "--scope", "user:1", "--mode", "complete", "--timeout", "90", "-n", "10",
		"--since", "600", "--reason", "because", "-o", "raw")
	if got.exit != wire.ExitOK {
		t.Fatal(got)
	}
	timeout := 90
	want := []wire.StartRequest{{
		AgentID: "web-1", TimeoutSeconds: &timeout, Mode: wire.ModeComplete, Since: "10m0s", Tail: 10, Raw: true,
		Reason: "because", Filters: wire.Filters{
			Level: wire.Strings{"ERROR", "alert"}, Source: wire.Strings{"a*", "b"},
			Pattern: "x+", Scope: wire.Strings{"user:1"},
		},
	}}
	if diff := cmp.Diff(want, f.started); diff != "" {
		t.Error(diff)
	}
}

func TestTailHintsAtMinLevel(t *testing.T) {
	f := newFleet(fmt.Sprintf(frameEnded, "timeout"))
	server := f.serve(t)
	const hint = "--min-level error"
	if got := run(t.Context(), nil, "tail", "--server", server, "--level", "error"); !strings.Contains(got.stderr, hint) {
		t.Errorf("one level: %s", got.stderr)
	}
	got := run(t.Context(), nil, "tail", "--server", server, "--level", "error,alert")
	if strings.Contains(got.stderr, hint) {
		t.Errorf("two levels: %s", got.stderr)
	}
}

func TestTailStopsTheSessionItOpened(t *testing.T) {
	noLeak(t)
	tests := []struct {
		name   string
		args   []string
		signal bool
		out    func() io.Writer
		stops  int
	}{
		{name: "signal", signal: true, stops: 1},
		{name: "for-is-over", args: []string{"--for", "0.05"}, stops: 1},
		{name: "nobody-reads", out: func() io.Writer { return closedPipe{} }, stops: 1},
		{name: "signal-to-a-joined-session", args: []string{"--session", "sess_1"}, signal: true},
		{name: "joined-for-a-while", args: []string{"--session", "sess_1", "--for", "50ms"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet(fmt.Sprintf(frameLog, 1))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			first := make(chan struct{})
			var out io.Writer = &buffer{first: first}
			if tt.out != nil {
				out = tt.out()
			}
			if tt.signal {
				go func() { <-first; cancel() }()
			}
			stderr := &buffer{}
			exit := Main(ctx, append([]string{"tail", "--server", f.serve(t)}, tt.args...), Surroundings{
				Stdout: out, Stderr: stderr, Getenv: func(string) string { return "" },
			})
			if exit != wire.ExitOK || f.stops != tt.stops {
				t.Errorf("exit %d, %d stops\n%s", exit, f.stops, stderr.buf.String())
			}
		})
	}
}

// closedPipe is an output whose reader has gone.
type closedPipe struct{}

// Write fails as a write to such a pipe does.
func (closedPipe) Write([]byte) (int, error) { return 0, syscall.EPIPE }

func TestTailExitStatus(t *testing.T) {
	offline := wire.Errorf(wire.CodeAgentOffline, "agent web-1 is offline since 10:00")
	tests := []struct {
		name   string
		change func(*fleet)
		args   []string
		exit   int
		says   string
	}{
		{
			name: "refused", change: func(f *fleet) { f.refusal = offline }, exit: wire.ExitRefused,
			says: "spile: agent web-1 is offline since 10:00\nhint: spile agents",
		},
		{
			name: "bad-pattern", change: func(f *fleet) { f.refusal = wire.Invalid("filters.pattern", "missing )") },
			exit: wire.ExitUsage, says: "spile: filters.pattern: missing )",
		},
		{
			name: "nobody-online", change: func(f *fleet) { f.agents[0].Status = wire.AgentOffline }, exit: wire.ExitRefused,
			says: "spile: no agent is online (1 known)",
		},
		{
			name: "several-online", exit: wire.ExitUsage, says: "spile: name an agent; online are web-1, web-2",
			change: func(f *fleet) { f.agents = append(f.agents, wire.Agent{Name: "web-2", Status: wire.AgentOnline}) },
		},
		{
			name: "raw-of-a-session-without", args: []string{"--session", "sess_1", "-o", "raw"}, exit: wire.ExitUsage,
			says: "was not opened with raw lines",
		},
		{name: "unknown-level", args: []string{"--level", "loud"}, exit: wire.ExitUsage, says: `unknown level "loud"`},
		{
			name: "level-twice", args: []string{"--level", "info", "--min-level", "info"}, exit: wire.ExitUsage,
			says: "level min-level",
		},
		{
			name: "session-and-filter", args: []string{"--session", "s", "--pattern", "x"}, exit: wire.ExitUsage,
			says: "pattern",
		},
		{name: "session-and-agent", args: []string{"--session", "s", "web-1"}, exit: wire.ExitUsage, says: "exclude"},
		{name: "bad-mode", args: []string{"--mode", "fast"}, exit: wire.ExitUsage, says: "must be live or complete"},
		{name: "bad-scope", args: []string{"--scope", "user"}, exit: wire.ExitUsage, says: "must be key:value"},
		{name: "bad-length", args: []string{"--timeout", "2h"}, exit: wire.ExitUsage, says: `"2h" must be a length of time of at most 1h`},
		{name: "bad-since", args: []string{"--since", "noon"}, exit: wire.ExitUsage, says: "--since"},
		{name: "too-many-lines", args: []string{"-n", "1000000"}, exit: wire.ExitUsage, says: "a whole number from 0 to 100000"},
		{name: "no-token-file", args: []string{"--token-file", "/nowhere"}, exit: wire.ExitUsage, says: "read token"},
		{name: "unknown-flag", args: []string{"--colour"}, exit: wire.ExitUsage, says: "unknown flag: --colour"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFleet()
			if tt.change != nil {
				tt.change(f)
			}
			got := run(t.Context(), nil, slices.Concat([]string{"tail", "--server", f.serve(t)}, tt.args)...)
			if got.exit != tt.exit || !strings.Contains(got.stderr, tt.says) || got.stdout != "" {
				t.Errorf("exit %d, want %d; no %q in\n%s", got.exit, tt.exit, tt.says, got.stderr)
			}
		})
	}
}

func TestAgoNamesTheLargestUnit(t *testing.T) {
	now := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	for back, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m", 5 * time.Hour: "5h", 50 * time.Hour: "2d",
	} {
		if got := ago(wire.At(now.Add(-back)), now); got != want {
			t.Errorf("%v: got %s, want %s", back, got, want)
		}
	}
	if got := ago(wire.Time{}, now); got != "-" {
		t.Errorf("never: got %s", got)
	}
}

func TestReaderGoneIsNoBrokenConnection(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want bool
	}{
		{name: "none"},
		{name: "a-pipe", err: &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.EPIPE}, want: true},
		{name: "a-full-disk", err: &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}},
		{
			name: "a-connection",
			err:  fmt.Errorf("reach it: %w", &net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := readerGone(tt.err); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

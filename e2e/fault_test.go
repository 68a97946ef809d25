package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// faults is the fault matrix: what may break, a row each. A row is black box where the fault can be made from outside.
// docs/faults.md says what is held, and names the tests of the faults that are elsewhere.
var faults = []struct {
	name string
	// alone says that the row measures time, and so does not share the machine with other rows.
	alone bool
	run   func(*testing.T)
}{
	{"slow-viewer", true, faultSlowViewer},
	{"100-mb-line", true, faultEndlessLine},
	{"agent-kill-9", false, faultAgentKill},
	{"agent-crash-points", false, faultAgentCrashPoints},
	{"agent-killed-with-partial-line", false, faultPartialLine},
	{"server-kill-9", false, faultServerKill},
	{"network-half-open", false, faultHalfOpen},
	{"network-rejects", false, faultReject},
	{"network-link-down", false, faultLinkDown},
	{"network-toxics", false, faultToxics},
	{"throttled-viewer", false, faultThrottledViewer},
	{"viewer-vanishes", false, faultViewerVanishes},
	{"agent-disk-full", false, faultAgentDiskFull},
	{"agent-disk-errors", false, faultAgentDiskErrors},
	{"server-disk-full", false, faultServerDiskFull},
	{"clock-jumps", false, faultClockJumps},
	{"rotated-by-rename", false, faultNginx},
	{"copytruncate-refill", false, faultRefill},
	{"inode-reuse", false, faultInodeReuse},
	{"rotated-to-gz", false, faultGzip},
	{"symlink-flips", false, faultSymlinkFlips},
	{"1-mb-line", false, faultLongLine},
	{"invalid-utf-8", false, faultInvalidText},
	{"utf-16-bom-crlf", false, faultEncodings},
	{"nul-hole", false, faultHole},
	{"binary-file", false, faultBinary},
	{"special-files", false, faultSpecialFiles},
	{"permission-lost", false, faultPermission},
	{"proxy-between", false, faultProxies},
	{"http-2", false, faultHTTP2},
	{"upgrade-skew", false, faultSkew},
}

// TestFault goes through the fault matrix.
func TestFault(t *testing.T) {
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			if !fault.alone {
				t.Parallel()
			}
			fault.run(t)
		})
	}
}

// long says whether the long variants of the tests are asked for.
func long() bool { return os.Getenv("SPILE_SOAK") == "1" }

// times is how often something is done: few times in make check, many in make soak.
func times(few, many int) int {
	if long() {
		return many
	}
	return few
}

// insideName is set, to the test's name, in a process that runs one test in namespaces of its own; builtName is the
// program under test there.
const (
	insideName = "SPILE_E2E_INSIDE"
	builtName  = "SPILE_E2E_BINARY"
)

// isolated says whether this process has network, mounts and processes of its own. If not, it runs the test again in
// one that has, reports what came of it, and the caller returns.
func isolated(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideName) == t.Name() {
		return true
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user")
	}
	args = append(args, "sh", "-c", `PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && exec "$0" "$@"`, os.Args[0],
		"-test.v", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd := exec.CommandContext(t.Context(), "unshare", args...)
	cmd.Env = append(os.Environ(), insideName+"="+t.Name(), builtName+"="+path,
		"XTABLES_LOCKFILE="+filepath.Join(t.TempDir(), "xtables.lock"))
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Errorf("in namespaces of its own: %v\n%s", err, tail(string(out), 16_000))
	case !strings.Contains(string(out), "--- PASS: "+t.Name()):
		t.Errorf("the test did not run in namespaces of its own:\n%s", out)
	default:
		logLines(t, string(out))
	}
	return false
}

// logLines logs what a test in another process logged.
func logLines(t *testing.T, out string) {
	t.Helper()
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// command runs a command that must succeed.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// readTo books frames until one satisfies cond, and returns it.
func (l *ledger) readTo(ctx context.Context, s *client.Stream, what string, cond func(client.Frame) bool) client.Frame {
	l.t.Helper()
	for {
		frame, err := s.Next(ctx)
		if err != nil {
			l.t.Fatalf("at line %d, waiting for %s: %v", l.order, what, err)
		}
		l.take(frame)
		if cond(frame) {
			return frame
		}
	}
}

// told is the condition that a control frame tells the status of an agent.
func told(status wire.StreamStatus) func(client.Frame) bool {
	return func(f client.Frame) bool {
		return f.Control != nil && f.Control.Event == wire.EventAgentStatus && f.Control.Status == status
	}
}

// says is the condition that a log frame holds a text.
func says(text string) func(client.Frame) bool {
	return func(f client.Frame) bool { return f.Log != nil && strings.Contains(f.Log.Message, text) }
}

// collect reads frames until one satisfies cond, and returns the log frames, that one too.
func collect(ctx context.Context, t *testing.T, s *client.Stream, cond func(client.Frame) bool) []client.Frame {
	t.Helper()
	var logs []client.Frame
	for {
		frame, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("after %d events: %v", len(logs), err)
		}
		if frame.Log != nil {
			logs = append(logs, frame)
		}
		if cond(frame) {
			return logs
		}
	}
}

// write appends text to a file, which is made if need be.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// rss is how many bytes of memory a process has now; field is VmRSS, or VmHWM for the most that it ever had.
func rss(t *testing.T, p *process, field string) int {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scan := bufio.NewScanner(file)
	for scan.Scan() {
		var kib int
		if _, err := fmt.Sscanf(scan.Text(), field+": %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatalf("no %s in the status of %s", field, p.name)
	return 0
}

// problem waits until the server shows a problem of an agent's source that holds the text.
func (f *fleet) problem(agent, source, text string) {
	f.t.Helper()
	var last string
	defer func() {
		if f.t.Failed() {
			f.t.Logf("the problem of %s was %q", source, last)
		}
	}()
	f.until(fmt.Sprintf("%s tells %q", source, text), func() bool {
		a, err := f.client.Agent(f.t.Context(), agent)
		if err != nil {
			return false
		}
		for _, s := range a.Sources {
			if s.Name == source {
				last = s.Problem
			}
		}
		return strings.Contains(last, text) && (text != "" || last == "")
	})
}

// begin is a context with patience, and a session of all sources of edge-1 with a viewer that streams.
func (f *fleet) begin(req wire.StartRequest) (context.Context, string, *client.Stream) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Duration(times(5, 20))*time.Minute)
	f.t.Cleanup(cancel)
	req.AgentID = "edge-1"
	if req.TimeoutSeconds == nil {
		hour := 3600
		req.TimeoutSeconds = &hour
	}
	id := f.session(req)
	return ctx, id, f.watch(ctx, id)
}

// within fails the test when something took longer than it may.
func within(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	t.Logf("%s after %v", what, took.Round(time.Millisecond))
	if took > limit {
		t.Errorf("%s after %v, want %v at most", what, took, limit)
	}
}

// percentile is the value that so many of a hundred are not above. It sorts the list.
func percentile(list []time.Duration, hundredth int) time.Duration {
	slices.Sort(list)
	return list[(len(list)-1)*hundredth/100]
}

// decode reads one frame of a stream.
func decode(t *testing.T, line []byte) client.Frame {
	t.Helper()
	var kind struct{ Type string }
	err := json.Unmarshal(line, &kind)
	var frame client.Frame
	if err == nil && kind.Type == "log" {
		frame.Log = &wire.Log{}
		err = json.Unmarshal(line, frame.Log)
	} else if err == nil {
		frame.Control = &wire.Control{}
		err = json.Unmarshal(line, frame.Control)
	}
	if err != nil {
		t.Fatalf("frame %.200q: %v", line, err)
	}
	return frame
}

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// clockName is the environment variable of a program with a clock that jumps: "SECONDS@AFTER" moves its wall clock by
// so many seconds once it has run for so many.
const clockName = "SPILE_E2E_CLOCK"

// jumpSource is what the program's package time has more than Go's.
const jumpSource = `package time

import "syscall"

var jumpBy, jumpAfter = readJump()

func readJump() (by, after int64) {
	text, _ := syscall.Getenv("SPILE_E2E_CLOCK")
	sign, sum := int64(1), int64(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '-':
			sign = -1
		case c == '@':
			by, sign, sum = sign*sum, 1, 0
		default:
			sum = sum*10 + int64(c-'0')
		}
	}
	return by, sum * 1e9
}
`

// jumpy builds the program with a clock that jumps, as the clock of a machine does that is set while programs run: the
// wall clock is another one, the monotonic clock goes on. faketime cannot do that to a Go program, and to set the clock
// of the machine would be felt by everything on it; so package time is built from a changed copy.
var jumpy = sync.OnceValues(func() (string, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find Go: %w", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	source, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		return "", err
	}
	const clock = "\tsec, nsec, mono := runtimeNow()\n"
	changed := strings.Replace(string(source), clock,
		clock+"\tif jumpAfter != 0 && mono-startNano > jumpAfter {\n\t\tsec += jumpBy\n\t}\n", 1)
	if changed == string(source) {
		return "", fmt.Errorf("%s has no longer the line %q", folder, clock)
	}
	ours := filepath.Join(scratch, "time")
	if err := os.MkdirAll(ours, 0o755); err != nil {
		return "", err
	}
	overlay := map[string]map[string]string{"Replace": {
		filepath.Join(folder, "time.go"):   filepath.Join(ours, "time.go"),
		filepath.Join(folder, "jumped.go"): filepath.Join(ours, "jumped.go"),
	}}
	list, err := json.Marshal(overlay)
	if err != nil {
		return "", err
	}
	for name, text := range map[string]string{"time.go": changed, "jumped.go": jumpSource, "overlay.json": string(list)} {
		if err := os.WriteFile(filepath.Join(ours, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	path := filepath.Join(scratch, "jumpy")
	build := exec.Command("go", "build", "-overlay", filepath.Join(ours, "overlay.json"), "-o", path, "./cmd/spile")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return path, nil
})

// faultClockJumps moves the clocks of server and agent by an hour, either way, while a session is open: its warning
// and its end come when they were promised by the time that passes, and nothing is lost.
func faultClockJumps(t *testing.T) {
	for _, jump := range []string{"3600", "-3600"} {
		t.Run(jump, func(t *testing.T) {
			t.Parallel()
			jumpClock(t, jump)
		})
	}
}

// jumpClock runs one session over a jump of the clock.
func jumpClock(t *testing.T, jump string) {
	const after = 6
	path, err := jumpy()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{
		t: t, dir: t.TempDir(), listen: "127.0.0.1", port: freePort(t), program: path,
		env: []string{clockName + "=" + jump + "@" + itoa(after)},
	}
	started := time.Now()
	f.start()
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgent("edge-1", "app="+log)
	timeout := after + 32
	ctx, _, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete, TimeoutSeconds: &timeout})
	opened := time.Now()
	led := newLedger(t, 2_000)
	led.seen[0] = 1
	appendLines(t, log, 1, 1_000)
	led.readSome(ctx, stream, 999)
	<-time.After(time.Until(started.Add((after + 1) * time.Second)))
	appendLines(t, log, 1_000, 2_000)
	led.readSome(ctx, stream, 1_999)
	warnings := 0
	for led.closing == nil {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if led.take(frame); frame.Control != nil && frame.Control.Event == wire.EventSessionEnding {
			warnings++
			near(t, "the warning", time.Since(opened), time.Duration(timeout)*time.Second-wire.EndingWarning)
		}
	}
	near(t, "the end", time.Since(opened), time.Duration(timeout)*time.Second)
	if warnings != 1 || led.closing.Reason != string(wire.EndTimeout) {
		t.Errorf("%d warnings, and the end for %q; want one, and the timeout", warnings, led.closing.Reason)
	}
	if _, err := stream.Next(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("after the end came %v", err)
	}
	led.accounts()
	led.whole()
	if text := agent.out.String(); strings.Contains(text, "link_lost") {
		t.Errorf("the agent lost its link: %s", text)
	}
}

// near fails the test when something did not come when it should, a second more or less.
func near(t *testing.T, what string, took, want time.Duration) {
	t.Helper()
	t.Logf("%s came after %v, promised after %v", what, took.Round(time.Millisecond), want)
	if (took - want).Abs() > time.Second {
		t.Errorf("%s came after %v, want %v", what, took, want)
	}
}

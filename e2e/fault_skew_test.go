package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/spilelog/spile/wire"
)

// previous builds the program as it was at the last release, or where none is in the history, before package wire
// changed last, and returns its path. The path is empty where there is no history.
var previous = sync.OnceValues(func() (string, error) {
	git := func(args ...string) (string, error) {
		out, err := exec.Command("git", append([]string{"-C", ".."}, args...)...).Output()
		if err != nil {
			return "", fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
		}
		return strings.TrimSpace(string(out)), nil
	}
	if _, err := git("rev-parse", "HEAD^"); err != nil {
		return "", nil
	}
	at, err := git("describe", "--tags", "--abbrev=0", "--match=v*", "HEAD^")
	if err != nil {
		if at, err = git("log", "-1", "--format=%H^", "--", "wire/*.go", ":!wire/*_test.go"); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(scratch, "previous")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	archive := filepath.Join(scratch, "previous.tar")
	if _, err := git("archive", "--output="+archive, at); err != nil {
		return "", err
	}
	if out, err := exec.Command("tar", "-xf", archive, "-C", dir).CombinedOutput(); err != nil {
		return "", fmt.Errorf("unpack %s: %w: %s", at, err, out)
	}
	path := filepath.Join(scratch, "spile-previous")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "./cmd/spile")
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", at, err, out)
	}
	return path, nil
})

// faultSkew has server and agent of two versions, while one upgrades the other and the other way round: the session
// goes on, over the store and the journal that the older version left, and every line comes.
func faultSkew(t *testing.T) {
	old, err := previous()
	if err != nil {
		t.Fatal(err)
	}
	if old == "" {
		t.Skip("there is no history here to take an older version from")
	}
	for _, order := range []string{"server-first", "agent-first"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			upgrade(t, old, order == "server-first")
		})
	}
}

// upgrade takes server and agent from the old program to the new one, one after the other.
func upgrade(t *testing.T, old string, serverFirst bool) {
	const part = 2_000
	f := &fleet{t: t, dir: t.TempDir(), listen: "127.0.0.1", port: freePort(t), program: old}
	f.start()
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	led := newLedger(t, 5*part)
	led.seen[0] = 1
	appendLines(t, log, 1, part)
	led.readSome(ctx, stream, part/2)
	f.program = ""
	server := func() {
		f.server.kill()
		f.startServer()
	}
	edge := func() {
		agent.kill()
		agent = f.startAgent("edge-1", "app="+log)
	}
	steps := []func(){edge, server}
	if serverFirst {
		steps = []func(){server, edge}
	}
	for n, step := range steps {
		from := (2*n + 1) * part
		appendLines(t, log, from, from+part)
		step()
		appendLines(t, log, from+part, from+2*part)
		led.readSome(ctx, stream, from+2*part-part/2)
	}
	led.readSome(ctx, stream, 5*part-1)
	led.finish(ctx, f, stream, id)
	led.whole()
}

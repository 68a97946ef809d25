package demo_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/internal/demo"
	"github.com/spilelog/spile/wire"
)

// until reads lines until one matches and returns the match.
func until(t *testing.T, lines *bufio.Scanner, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	for lines.Scan() {
		if match := re.FindStringSubmatch(lines.Text()); match != nil {
			return match
		}
	}
	t.Fatalf("the output ended without %s: %v", pattern, lines.Err())
	return nil
}

// TestRun does what a person would: reads what is printed, watches, asks for another login, and goes.
func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	own := filepath.Join(t.TempDir(), "own.log")
	if err := os.WriteFile(own, []byte("a line from before\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	keys, enter := io.Pipe()
	screen, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := demo.Run(ctx, demo.Config{
			Files: []string{own}, Listen: "127.0.0.1:0", Stdin: keys, Stdout: stdout, Stderr: io.Discard,
			Version: "test", Executable: "/opt/my tools/spile",
		})
		done <- errors.Join(err, stdout.Close())
	}()
	lines := bufio.NewScanner(screen)
	login := until(t, lines, `^  (http://\S+)$`)[1]
	tail := until(t, lines, `'/opt/my tools/spile' tail demo .*--server (\S+) --token-file (\S+)$`)
	until(t, lines, `^  curl -sSN .*admin\.token`)
	until(t, lines, `Ctrl-C`)

	watch(ctx, t, tail[1], tail[2], own)

	if _, err := io.WriteString(enter, "\n"); err != nil {
		t.Fatal(err)
	}
	if second := until(t, lines, `^  (http://\S+)$`)[1]; second == login {
		t.Errorf("the second login %q is the first", second)
	}
	cancel()
	for lines.Scan() { // to the end, so that nothing waits for a reader
		continue
	}
	if err := errors.Join(<-done, enter.Close()); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "spile-demo-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("folders left: %v, %v", left, err)
	}
}

// watch opens a session on everything and reads until each source was heard of.
func watch(ctx context.Context, t *testing.T, server, tokenFile, own string) {
	t.Helper()
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		t.Fatal(err)
	}
	calls, err := client.New(client.Options{BaseURL: server, Token: strings.TrimSpace(string(token))})
	if err != nil {
		t.Fatal(err)
	}
	started, err := calls.Start(ctx, wire.StartRequest{AgentID: "demo", Mode: wire.ModeComplete, Tail: 500})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := calls.Stream(ctx, started.SessionID, client.StreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	missing := map[string]bool{"nginx": true, "orders": true, "worker": true, "own": true}
	for len(missing) > 0 {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("next frame: %v; nothing came from %v (own is %s)", err, missing, own)
		}
		if frame.Log != nil {
			delete(missing, frame.Log.Source)
		}
	}
	if _, err := calls.Stop(ctx, started.SessionID); err != nil {
		t.Error(err)
	}
}

package manual

import (
	"bufio"
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile"
)

const (
	// manualPath and readmePath are the manual and the first page, seen from this folder.
	manualPath = "../../docs/library.md"
	readmePath = "../../README.md"
	// manualAddress is where the manual says that the program listens.
	manualAddress = "127.0.0.1:8080"
	// patience bounds a hang and measures nothing.
	patience = 20 * time.Second
)

// block is a fenced block of the manual.
type block struct {
	path     string
	language string
	line     int // of the fence
	text     string
}

// blocks are the fenced blocks of a page.
func blocks(t *testing.T, path string) []block {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []block
	var open *block
	for i, line := range strings.Split(string(data), "\n") {
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && open == nil:
			open = &block{path: path, language: language, line: i + 1}
		case fence:
			all, open = append(all, *open), nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Fatalf("%s:%d: the block has no end", path, open.line)
	}
	return all
}

// flat is a text without what lines are indented by.
func flat(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return strings.Join(lines, "\n")
}

// TestCodeIsCompiled looks for each block of Go in the files of this package, which are compiled and run.
func TestCodeIsCompiled(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := ""
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		compiled += "\n" + flat(string(data))
	}
	found := 0
	for _, b := range append(blocks(t, manualPath), blocks(t, readmePath)...) {
		if b.language != "go" {
			continue
		}
		found++
		if !strings.Contains(compiled, "\n"+flat(b.text)) {
			t.Errorf("%s:%d: the block is in no file of this package:\n%s", b.path, b.line, b.text)
		}
	}
	if found == 0 {
		t.Error("the manual has no block of Go")
	}
}

// TestCommands runs the curl lines of the manual against what it mounts: those of streams until an event comes, the
// others to their end, with the output that the manual shows.
func TestCommands(t *testing.T) {
	handler := spile.New(spile.NewNull())
	server := serveManual(t, handler)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		shop(ctx, slog.New(handler))
	}()
	t.Cleanup(func() { stop(); <-ended })

	streams, answers := 0, 0
	for _, b := range blocks(t, manualPath) {
		lines := strings.Split(strings.TrimSuffix(b.text, "\n"), "\n")
		for i, line := range lines {
			command, prompt := strings.CutPrefix(line, "$ ")
			switch {
			case b.language == "sh" && strings.HasPrefix(line, "curl -N "):
				streams++
				checkStream(t, server, line)
			case b.language == "console" && prompt && strings.HasPrefix(command, "curl "):
				answers++
				output := strings.Join(lines[i+1:], "\n")
				output, _, _ = strings.Cut(output, "\n$ ")
				checkAnswer(t, server, command, output)
			case strings.HasPrefix(line, "curl "):
				t.Errorf("%s:%d: no test knows what becomes of %s", manualPath, b.line, line)
			}
		}
	}
	if streams == 0 || answers == 0 {
		t.Errorf("the manual has %d streams and %d answers, want some of each", streams, answers)
	}
}

// shop logs what the streams of the manual look for, again and again.
func shop(ctx context.Context, logger *slog.Logger) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		logger.ErrorContext(ctx, "order_failed", "app_id", "shop", "user", "alice", "reason", "timeout",
			slog.Group("http", slog.Int("status", 500)))
		logger.DebugContext(ctx, "cart_loaded", "app_id", "shop", "user", "bob")
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// shell is a command of the manual that asks the server of the test.
func shell(ctx context.Context, server *httptest.Server, command string) *exec.Cmd {
	command = strings.ReplaceAll(command, manualAddress, server.Listener.Addr().String())
	return exec.CommandContext(ctx, "sh", "-c", "exec "+command)
}

// checkStream runs a command until it prints an event.
func checkStream(t *testing.T, server *httptest.Server, command string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := shell(ctx, server, command)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen, found := "", false
	for in := bufio.NewScanner(out); !found && in.Scan(); {
		seen += in.Text() + "\n"
		found = strings.Contains(in.Text(), "order_failed")
	}
	cancel()
	_ = cmd.Wait() // It was killed.
	if !found {
		t.Errorf("%s\nshows no event, but\n%s", command, seen)
	}
	if strings.Contains(command, "alice") && strings.Contains(seen, "bob") {
		t.Errorf("%s\nshows more than was asked for:\n%s", command, seen)
	}
}

// checkAnswer runs a command to its end.
func checkAnswer(t *testing.T, server *httptest.Server, command, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := shell(ctx, server, command).Output()
	if err != nil {
		t.Errorf("%s: %v", command, err)
	}
	if got := strings.TrimSpace(string(out)); got != strings.TrimSpace(want) {
		t.Errorf("%s\nprints\n%s\nwant\n%s", command, got, want)
	}
}

package e2e

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spilelog/spile"
)

// The environment of the process that logs.
const (
	loggerPath = "SPILE_E2E_LOGGER"
	loggerPID  = "SPILE_E2E_LOGGER_PID"
)

// loggerGoroutines is how many goroutines of it log.
const loggerGoroutines = 4

// TestLogrotateOfAFile has the real logrotate rotate what a second process logs through a spile.File as fast as it
// can, with kill -HUP after each rotation: no line may be missing, doubled or torn.
func TestLogrotateOfAFile(t *testing.T) {
	const rotations = 10
	for _, extra := range []string{"", "compress\n\tdelaycompress"} {
		t.Run(strings.Fields(extra + " plain")[0], func(t *testing.T) {
			dir := t.TempDir()
			log, pid := filepath.Join(dir, "app.log"), filepath.Join(dir, "app.pid")
			config := filepath.Join(dir, "logrotate.conf")
			text := fmt.Sprintf("%s {\n\tsize 1\n\trotate 50\n\tsu root root\n\tcreate 0600\n\t%s\n"+
				"\tpostrotate\n\t\tkill -HUP $(cat %s)\n\tendscript\n}\n", log, extra, pid)
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestHelperLogger$", "-test.v")
			cmd.Env = append(os.Environ(), loggerPath+"="+log, loggerPID+"="+pid)
			logger := launch(t, "logger", cmd)
			waitFor(t, pid)
			if err := rotateWhile(logger, config, rotations); err != nil {
				t.Fatal(err)
			}
			if err := logger.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-logger.done
			var counts [loggerGoroutines]int
			if _, err := fmt.Sscanf(afterWord(logger.out.String(), "LOGGED"), "%d %d %d %d",
				&counts[0], &counts[1], &counts[2], &counts[3]); err != nil {
				t.Fatalf("the logger did not say what it logged: %v", err)
			}
			checkLogged(t, dir, counts, rotations+1)
		})
	}
}

// afterWord is what follows a word in text.
func afterWord(text, word string) string {
	_, after, _ := strings.Cut(text, word+" ")
	return after
}

// waitFor waits until a file is there.
func waitFor(t *testing.T, path string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s does not come", path)
		}
	}
}

// checkLogged compares the lines in all files with the number that each goroutine logged.
func checkLogged(t *testing.T, dir string, counts [loggerGoroutines]int, minFiles int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "app.log*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < minFiles {
		t.Errorf("only %d files, so this shows little", len(files))
	}
	seen := map[string]int{}
	for _, name := range files {
		text := readMaybeZipped(t, name)
		if len(text) > 0 && !strings.HasSuffix(text, "\n") {
			t.Errorf("%s ends within a line", filepath.Base(name))
		}
		for line := range strings.Lines(text) {
			_, message, _ := strings.Cut(strings.TrimSuffix(line, "\"}\n"), `"message":"`)
			seen[message]++
		}
	}
	total, missing, doubled := 0, 0, 0
	for g, count := range counts {
		total += count
		for n := range count {
			key := fmt.Sprintf("line %d %d", g, n)
			switch times := seen[key]; {
			case times == 0:
				missing++
			case times > 1:
				doubled++
			}
			delete(seen, key)
		}
	}
	t.Logf("%d lines in %d files: %d missing, %d doubled, %d torn", total, len(files), missing, doubled, len(seen))
	if missing+doubled+len(seen) > 0 || total == 0 {
		t.Errorf("want none missing, doubled or torn")
	}
}

// readMaybeZipped is what a file holds, unpacked.
func readMaybeZipped(t *testing.T, name string) string {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var from io.Reader = file
	if strings.HasSuffix(name, ".gz") {
		if from, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestHelperLogger is the process that logs.
func TestHelperLogger(t *testing.T) {
	path := os.Getenv(loggerPath)
	if path == "" {
		return
	}
	file, err := spile.OpenFile(spile.FileOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	handler := spile.New(file)
	ctx, cancel := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer cancel()
	// The signal is taken from here on, so that the first one does not end the process before ReopenOn runs.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	var reopening sync.WaitGroup
	reopening.Go(func() {
		if err := file.ReopenOn(context.Background()); !errors.Is(err, spile.ErrClosed) {
			t.Error(err)
		}
	})
	if err := os.WriteFile(os.Getenv(loggerPID), []byte(itoa(os.Getpid())), 0o600); err != nil {
		t.Fatal(err)
	}
	var counts [loggerGoroutines]int
	var logging sync.WaitGroup
	for g := range counts {
		logging.Go(func() { counts[g] = logUntil(ctx, slog.New(handler), g) })
	}
	logging.Wait()
	if err := handler.Close(context.Background()); err != nil {
		t.Error(err)
	}
	reopening.Wait()
	if file.Failed() > 0 {
		t.Errorf("%d records failed", file.Failed())
	}
	fmt.Fprintln(os.Stdout, "LOGGED", counts[0], counts[1], counts[2], counts[3])
}

// logUntil logs numbered lines in bursts until ctx ends, and returns how many.
func logUntil(ctx context.Context, logger *slog.Logger, g int) int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; ; {
		for range 15 {
			//nolint:sloglint // the message is what is counted
			logger.LogAttrs(ctx, slog.LevelInfo, fmt.Sprintf("line %d %d", g, n))
			n++
		}
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
		}
	}
}

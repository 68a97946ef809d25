// Package exampletest holds the one test that every example which shows a live log must pass.
package exampletest

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile"
)

const (
	// patience bounds a hang and measures nothing.
	patience = 20 * time.Second
	// freed is within which time the lease of a viewer who has gone must be over.
	freed = time.Second
)

// Run is what an example does: it serves on the listener until ctx is done.
type Run func(ctx context.Context, listener net.Listener, handler *spile.Handler) error

// Stream starts an example and watches it by real HTTP: what the viewer asked for arrives while the stream is open,
// nothing else does, and the level is back when the viewer has gone, and likewise when the example ends first.
func Stream(t *testing.T, run Run) {
	t.Helper()
	memory := spile.NewMemory(spile.MemoryOptions{})
	handler := spile.New(memory)
	base, stop := start(t, run, handler)

	for _, leave := range []string{"client", "server"} {
		if handler.Enabled(t.Context(), slog.LevelDebug) {
			t.Fatal("debug is enabled before anybody watches")
		}
		ctx, gone := context.WithTimeout(t.Context(), patience)
		lines := watch(ctx, t, base+"/logs?level=debug&scope=user:alice&format=json")
		until(t, lines, `"event":"session_started"`)
		if !handler.Enabled(t.Context(), slog.LevelDebug) {
			t.Fatal("debug is not enabled while somebody watches")
		}
		get(ctx, t, base+"/hello?user=bob")
		get(ctx, t, base+"/hello?user=alice")
		if line := until(t, lines, "greeting_sent"); !strings.Contains(line, "alice") {
			t.Errorf("the stream shows %s, want alice only", line)
		}
		if leave == "client" {
			gone()
			waitFreed(t, handler)
			continue
		}
		stop()
		until(t, lines, `"event":"session_ended"`)
		gone()
		waitFreed(t, handler)
	}
	if memory.Len() != 0 {
		t.Errorf("the other backend, at info, was given %d records of debug", memory.Len())
	}
}

// start runs the example; stop ends it and waits. The test ends it too.
func start(t *testing.T, run Run, handler *spile.Handler) (base string, stop func()) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, listener, handler) }()
	over := false
	stop = func() {
		if over {
			return
		}
		over = true
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the example ended with: %v", err)
			}
		case <-time.After(patience):
			t.Error("the example does not end")
		}
	}
	t.Cleanup(stop)
	return "http://" + listener.Addr().String(), stop
}

// watch opens a stream and returns its lines as they come.
func watch(ctx context.Context, t *testing.T, url string) <-chan string {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req) //nolint:bodyclose // the goroutine below closes it
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		t.Fatalf("GET %s: %s", url, resp.Status)
	}
	lines := make(chan string, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(lines)
		defer resp.Body.Close()
		for in := bufio.NewScanner(resp.Body); in.Scan(); {
			lines <- in.Text()
		}
	}()
	t.Cleanup(func() { <-done })
	return lines
}

// until returns the first line that has the text.
func until(t *testing.T, lines <-chan string, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Fatalf("the stream ended before %s", text)
			}
			if strings.Contains(line, text) {
				return line
			}
		case <-deadline:
			t.Fatalf("no %s in the stream", text)
		}
	}
}

// get asks for a page and drops it.
func get(ctx context.Context, t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", url, resp.Status)
	}
}

// waitFreed waits until nobody wants debug any more.
func waitFreed(t *testing.T, handler *spile.Handler) {
	t.Helper()
	deadline := time.After(freed)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for handler.Enabled(t.Context(), slog.LevelDebug) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("debug is still enabled %v after the viewer has gone", freed)
		}
	}
}

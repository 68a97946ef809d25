package e2e

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// slowly reads what a process prints, a little at a time, and forgets it.
func slowly(r io.Reader) {
	const piece, pace = 64 << 10, 10 * time.Millisecond
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.CopyN(io.Discard, r, piece); err != nil {
			return
		}
	}
}

// TestTailVerifiesUnderLoad lets spile tail check itself while it is read too slowly for a live session and agent and
// server die: there are gaps, and everything adds up to the line.
func TestTailVerifiesUnderLoad(t *testing.T) {
	const part = 50_000
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgent("edge-1", "app="+log)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "tail", "edge-1", "--server", f.url(), "--token-file",
		filepath.Join(f.dir, "server", "admin.token"), "--verify", "-o", "json", "--for", "8s")
	notices := &output{}
	cmd.Stderr = notices
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = in
	tail := launch(t, "tail", cmd)
	_ = in.Close()
	reading := make(chan struct{})
	go func() {
		defer close(reading)
		slowly(out)
		_ = out.Close()
	}()
	f.until("the session is watched", func() bool {
		list, err := f.client.Sessions(t.Context(), "")
		return err == nil && len(list.Sessions) == 1 && list.Sessions[0].Viewers == 1
	})
	written := 1
	write := func() {
		appendLines(t, log, written, written+part)
		written += part
	}
	write()
	agent.kill()
	write()
	f.startAgent("edge-1", "app="+log)
	f.server.kill()
	write()
	f.startServer()
	f.online("edge-1")
	write()
	status := tail.exit()
	<-reading
	verdict := regexp.MustCompile(`-- verify: edge-1: (\d+) received, ([1-9]\d*) in gaps, .*: closes\n`)
	found := verdict.FindStringSubmatch(notices.String())
	if status != 0 || found == nil {
		t.Fatalf("status %d; want a stream with gaps that closes:\n%s", status, notices)
	}
	t.Logf("%s", found[0])
	received, _ := strconv.Atoi(found[1])
	gapped, _ := strconv.Atoi(found[2])
	if received+gapped != written-1 {
		t.Errorf("%d received and %d in gaps, want %d lines", received, gapped, written-1)
	}
}

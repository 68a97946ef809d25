package e2e

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// TestNothingStays opens and ends many sessions in every way and then expects server and agent as they were: no
// goroutine, no file and no session more than before.
func TestNothingStays(t *testing.T) {
	rounds := times(40, 1000)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgent("edge-1", "app="+log)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(times(5, 20))*time.Minute)
	defer cancel()
	// One session first, so that what is made once and kept is there.
	f.useSession(ctx, log, 0)
	f.until("the first session is gone", func() bool { return f.openSessions(ctx) == 0 })
	base := f.census(agent)
	for round := range rounds {
		f.useSession(ctx, log, round)
	}
	var now census
	defer func() { t.Logf("before %+v, after %d rounds %+v", base, rounds, now) }()
	f.until("server and agent are as before", func() bool {
		now = f.census(agent)
		return f.openSessions(t.Context()) == 0 && now.goroutines <= base.goroutines &&
			now.serverFiles <= base.serverFiles+storeFiles && now.agentFiles <= base.agentFiles
	})
}

// useSession opens a session, reads some lines with two viewers, and ends it in one of three ways.
func (f *fleet) useSession(ctx context.Context, log string, round int) {
	f.t.Helper()
	timeout := 300
	if round%3 == 2 {
		timeout = 1
	}
	id := f.session(wire.StartRequest{AgentID: "edge-1", Mode: wire.ModeComplete, TimeoutSeconds: &timeout})
	first, second := f.watch(ctx, id), f.watch(ctx, id)
	appendLines(f.t, log, 0, 100)
	for {
		frame, err := first.Next(ctx)
		if err != nil {
			f.t.Fatal(err)
		}
		if frame.Log != nil {
			break
		}
	}
	_ = second.Close()
	switch round % 3 {
	case 0:
		_ = first.Close()
		if _, err := f.client.Stop(ctx, id); err != nil {
			f.t.Fatal(err)
		}
	case 1:
		if err := f.client.Delete(ctx, id); err != nil {
			f.t.Fatal(err)
		}
		_ = first.Close()
	case 2:
		for {
			if _, err := first.Next(ctx); err != nil {
				break
			}
		}
	}
}

// openSessions counts the active sessions.
func (f *fleet) openSessions(ctx context.Context) int {
	f.t.Helper()
	list, err := f.client.Sessions(ctx, "active")
	if err != nil {
		f.t.Fatal(err)
	}
	return list.Total
}

// storeFiles is what one more connection of the store's pool, which keeps up to two, holds open: database and log.
const storeFiles = 2

// census is what server and agent hold.
type census struct {
	goroutines, serverFiles, agentFiles int
}

// census counts what server and agent hold now.
func (f *fleet) census(agent *process) census {
	f.t.Helper()
	http.DefaultClient.CloseIdleConnections()
	files, err := os.ReadDir(filepath.Join("/proc", itoa(agent.cmd.Process.Pid), "fd"))
	if err != nil {
		f.t.Fatal(err)
	}
	return census{
		goroutines:  f.gauge("go_goroutines"),
		serverFiles: f.gauge("process_open_fds"),
		agentFiles:  len(files),
	}
}

// gauge is one figure of the server's own metrics.
func (f *fleet) gauge(name string) int {
	f.t.Helper()
	token, err := os.ReadFile(filepath.Join(f.dir, "server", "admin.token"))
	if err != nil {
		f.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, f.url()+"/metrics", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		if text, ok := strings.CutPrefix(scan.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil {
				f.t.Fatal(err)
			}
			return int(n)
		}
	}
	f.t.Fatalf("no %s in the server's metrics", name)
	return 0
}

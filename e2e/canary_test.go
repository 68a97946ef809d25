package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// canaryReport is the part of a canary's report that the tests look at.
type canaryReport struct {
	Written           uint64 `json:"written"`
	Received          uint64 `json:"received"`
	InFlight          uint64 `json:"in_flight"`
	Missing           uint64 `json:"missing"`
	Doubled           uint64 `json:"doubled"`
	OutOfOrder        uint64 `json:"out_of_order"`
	AnnouncedLost     uint64 `json:"announced_lost"`
	Unexpected        uint64 `json:"unexpected"`
	Sessions          uint64 `json:"sessions"`
	SessionsRestarted uint64 `json:"sessions_restarted"`
	VerifyFailures    uint64 `json:"verify_failures"`
	Final             bool   `json:"final"`
}

// TestCanary runs a canary while logrotate rotates its file, its sessions are renewed, agent and server die, and
// somebody stops its session: no line may be missing or doubled, and the accounts must close to the line, also those in the server's /metrics.
func TestCanary(t *testing.T) {
	const perSecond = 2000
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "bird.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgent("edge-1", "bird="+log)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	metrics := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	reports := &output{}
	cmd := exec.Command(path, "canary", "--server", f.url(), "--token-file", filepath.Join(f.dir, "server", "admin.token"),
		"--agent", "edge-1", "--file", log, "--rate", itoa(perSecond), "--report", "0.5", "--timeout", "8", "--listen", metrics)
	cmd.Stderr = reports
	bird := launch(t, "canary", cmd)
	received := func(n float64) {
		t.Helper()
		f.until(fmt.Sprintf("the canary received %v lines", n), func() bool {
			return metric(t, "http://"+metrics+"/metrics", "", "spile_canary_received_lines_total") >= n
		})
	}
	rotate := writeRotateConfig(t, f.dir, log, "create")
	rotated := func() {
		t.Helper()
		f.until("the canary has made its file again", func() bool {
			_, err := os.Stat(log)
			return err == nil
		})
		out, err := exec.Command("logrotate", "--force", "--state", rotate+".state", rotate).CombinedOutput()
		if err != nil {
			t.Fatalf("logrotate: %v: %s", err, out)
		}
	}
	received(perSecond)
	rotated()
	agent.kill()
	rotated()
	f.startAgent("edge-1", "bird="+log)
	received(4 * perSecond)
	f.server.kill()
	rotated()
	f.startServer()
	f.online("edge-1")
	received(8 * perSecond)
	rotated()
	// A session that is being renewed at that moment is not missed.
	for restarted, more := 0.0, 9.0; restarted == 0; more++ {
		f.stopAll()
		received(more * perSecond)
		restarted = metric(t, "http://"+metrics+"/metrics", "", "spile_canary_sessions_restarted_total")
	}
	f.until("a session was renewed", func() bool {
		return metric(t, "http://"+metrics+"/metrics", "", "spile_canary_sessions_total") >= 2
	})
	if err := bird.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	status := bird.exit()
	got := lastReport(t, bird.out.String())
	t.Logf("%+v", got)
	if status != 0 || got.Missing+got.Doubled+got.OutOfOrder+got.Unexpected+got.VerifyFailures+got.AnnouncedLost > 0 {
		t.Errorf("status %d, %+v; want everything once\n%s", status, got, tail(reports.String(), 4000))
	}
	if !got.Final || got.InFlight > 0 || got.Received != got.Written {
		t.Errorf("%+v; want all %d lines received", got, got.Written)
	}
	f.checkSums()
}

// stopAll stops every session.
func (f *fleet) stopAll() {
	f.t.Helper()
	list, err := f.client.Sessions(f.t.Context(), "")
	if err != nil {
		f.t.Fatal(err)
	}
	for _, s := range list.Sessions {
		if _, err := f.client.Stop(f.t.Context(), s.ID); err != nil {
			f.t.Fatal(err)
		}
	}
}

// lastReport is the last line that a canary printed.
func lastReport(t *testing.T, text string) canaryReport {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(text), "\n")
	var out canaryReport
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &out); err != nil {
		t.Fatalf("last of %d reports: %v", len(lines), err)
	}
	return out
}

// checkSums checks that both equations close in the server's /metrics.
func (f *fleet) checkSums() {
	f.t.Helper()
	token, err := os.ReadFile(filepath.Join(f.dir, "server", "admin.token"))
	if err != nil {
		f.t.Fatal(err)
	}
	get := func(names ...string) (sum float64) {
		for _, name := range names {
			sum += metric(f.t, f.url()+"/metrics", strings.TrimSpace(string(token)), name)
		}
		return sum
	}
	seen := get("spile_session_seen_events_total")
	told := get("spile_session_filtered_events_total", "spile_session_sampled_events_total", "spile_session_sent_events_total",
		"spile_session_redacted_away_events_total", "spile_session_dropped_events_total", "spile_session_pending_events")
	if seen == 0 || seen != told {
		f.t.Errorf("the sums say %v seen, %v accounted for", seen, told)
	}
	offered := get("spile_viewer_offered_events_total")
	told = get("spile_viewer_narrowed_events_total", "spile_viewer_delivered_events_total", "spile_viewer_gapped_events_total",
		"spile_viewer_in_flight_events", "spile_viewer_left_events_total")
	if offered == 0 || offered != told {
		f.t.Errorf("the sums say %v offered, %v accounted for", offered, told)
	}
}

// metric is the sum of the series of a name, 0 while nobody answers.
func metric(t *testing.T, url, token, name string) (sum float64) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(body) {
		series, value, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		if base, _, _ := strings.Cut(series, "{"); base != name {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

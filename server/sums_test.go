package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/wire"
)

// accounted are the series of the sums that are not zero.
func accounted(r *rig) map[string]uint64 {
	out := map[string]uint64{}
	text := string(r.do(r.request("GET", "/metrics", nil, "")).body)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(value, 10, 64)
		if err == nil && n > 0 && (strings.HasPrefix(name, "spile_session_") || strings.HasPrefix(name, "spile_viewer_")) {
			out[name] = n
		}
	}
	return out
}

// sendSession sends what a session has: batches and gaps in turn, and a loss of bytes.
func (r *rig) sendSession(a *agent, id string, rounds, frames, gap int) {
	r.t.Helper()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	item, seq := uint64(1), uint64(1)
	send := func(message []byte, err error) {
		if err == nil {
			err = a.conn.Write(r.t.Context(), websocket.MessageBinary, message)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		item++
	}
	for range rounds {
		var block []byte
		for i := range frames {
			block = fmt.Appendf(block, `{"type":"log","timestamp":"2026-01-02T03:04:05.678Z","level":"INFO","source":"api",`+
				`"message":"m","metadata":{},"agent":"%s","epoch":1,"seq":%d}`+"\n", a.id, seq+uint64(i))
		}
		send(wire.AppendBatch(nil, &wire.Batch{
			Session: id, Epoch: 1, Item: item, First: seq, Count: uint64(frames), RawSize: uint64(len(block)),
			Block: enc.EncodeAll(block, nil),
		}), nil)
		seq += uint64(frames)
		send(wire.AppendLink(nil, wire.LinkGap, wire.GapItem{Session: id, Epoch: 1, Item: item, Gap: wire.Control{
			From: seq, To: seq + uint64(gap) - 1, Count: uint64(gap), Unit: wire.UnitEvents, Reason: wire.ReasonRate,
		}}))
		seq += uint64(gap)
	}
	send(wire.AppendLink(nil, wire.LinkGap, wire.GapItem{Session: id, Epoch: 1, Item: item, Gap: wire.Control{
		Count: 77, Unit: wire.UnitBytes, File: "/var/log/api", Reason: wire.ReasonTruncated,
	}}))
	a.final.Store(id, wire.AgentAccounts{
		Seen: uint64(rounds*(frames+gap)) + 5, Filtered: 5, Sent: uint64(rounds * frames), TruncatedLines: 1,
		Dropped:   map[string]uint64{wire.ReasonRate: uint64(rounds * gap)},
		LostBytes: map[string]uint64{wire.ReasonTruncated: 77},
	})
}

// addStream reads a stream to its end and adds what its frames say of the viewer, and of the agents if that is wanted,
// under the names of the series.
func addStream(t *testing.T, sum map[string]uint64, body io.Reader, agents bool) {
	t.Helper()
	scan := bufio.NewScanner(body)
	ended := false
	for scan.Scan() {
		var c wire.Control
		if err := json.Unmarshal(scan.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		switch {
		case c.Event == wire.EventGap && c.Unit == wire.UnitEvents:
			sum[series("viewer_gapped_events", c.Reason)] += c.Count
		case c.Event == wire.EventSessionEnded:
			ended = true
			for _, v := range c.Accounts.Viewer {
				sum["spile_viewer_offered_events_total"] += v.Offered
				sum["spile_viewer_delivered_events_total"] += v.Delivered
			}
			for _, account := range c.Accounts.Agents {
				if agents {
					addAgent(sum, account)
				}
			}
		}
	}
	if !ended {
		t.Errorf("a stream was not told the end: %v", scan.Err())
	}
}

// series is the name of a series by reason.
func series(name, reason string) string {
	stage, _ := wire.StageOf(reason)
	return fmt.Sprintf("spile_%s_total{reason=%q,stage=%q}", name, reason, stage)
}

// addAgent adds an agent's account.
func addAgent(sum map[string]uint64, account wire.AgentAccounts) {
	sum["spile_session_seen_events_total"] += account.Seen
	sum["spile_session_filtered_events_total"] += account.Filtered
	sum["spile_session_sent_events_total"] += account.Sent
	sum["spile_session_truncated_lines_total"] += account.TruncatedLines
	for reason, n := range account.Dropped {
		sum[series("session_dropped_events", reason)] += n
	}
	for reason, n := range account.LostBytes {
		sum[series("session_lost_bytes", reason)] += n
	}
}

// TestMetricsAreTheSumsOfTheFrames holds /metrics against what the viewers of several sessions were told, to the line.
func TestMetricsAreTheSumsOfTheFrames(t *testing.T) {
	const viewers, frames, gap = 2, 40, 7
	r := start(t, t.TempDir(), func(c *Config) { c.MetricsOpen = true })
	a := r.enrol("shop-1")
	r.connect(a)
	want := map[string]uint64{}
	var delivered uint64
	for _, rounds := range []int{3, 4} {
		s := r.started(`{"agent_id":"shop-1"}`)
		var bodies []io.ReadCloser
		for range viewers {
			path := "/api/v1/stream/ndjson/" + s.SessionID + "?events=all&from=start"
			resp, err := http.DefaultClient.Do(r.request("GET", path, nil, r.token))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = resp.Body.Close() })
			bodies = append(bodies, resp.Body)
		}
		r.sendSession(a, s.SessionID, rounds, frames, gap)
		delivered += uint64(viewers * frames * rounds)
		waitFor(t, "delivery", func() bool { return accounted(r)["spile_viewer_delivered_events_total"] == delivered })
		r.call("POST", "/api/v1/stream/stop", wire.StopRequest{SessionID: s.SessionID})
		for i, body := range bodies {
			addStream(t, want, body, i == 0)
		}
	}
	if diff := cmp.Diff(want, accounted(r)); diff != "" {
		t.Errorf("/metrics (-frames +metrics):\n%s", diff)
	}
	if got := want["spile_viewer_delivered_events_total"]; got != delivered {
		t.Errorf("the frames say %d delivered, want %d", got, delivered)
	}
	if text := string(r.do(r.request("GET", "/metrics", nil, "")).body); strings.Contains(text, "sess_") {
		t.Error("/metrics names a session")
	}
}

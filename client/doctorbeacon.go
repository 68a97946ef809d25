package client

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/wire"
)

// The forms of beacons, as the paths name them.
const (
	formSocket = "ws"
	formEvents = "sse"
	formLines  = "ndjson"
)

const (
	// beaconGrace is how much longer than planned beacons are waited for.
	beaconGrace = 10 * time.Second
	// maxBeacon bounds one beacon.
	maxBeacon = 64 << 10
	// bunch is how many beacons at once make a bunch.
	bunch = 3
	// leastLag is the delay from which on beacons that come in bunches were held back: a machine that is busy for a
	// moment delays them as well.
	leastLag = 400 * time.Millisecond
	// tries is how often a form is tried before it counts as buffered; what a busy machine delays comes well once.
	tries = 3
)

// beaconRun is what came of one request for beacons.
type beaconRun struct {
	form     string
	interval time.Duration
	// want is how many beacons should come.
	want int
	// status is that of the answer, 0 for none; refused is the refusal, ours says that the server itself gave it.
	status  int
	ours    bool
	refused string
	header  http.Header
	// err is why no answer came, or why it ended before its end.
	err error
	// late says that the time was over before all had come.
	late bool
	// arrived are when the beacons came, since they were asked for; sent when they were sent, since the first was.
	arrived, sent []time.Duration
	first         time.Time
	request       *wire.BeaconRequest
	// took is how long everything took, last the silence before the end.
	took, last time.Duration
}

// opened says whether beacons were to come.
func (r *beaconRun) opened() bool {
	return r.status == http.StatusOK || r.status == http.StatusSwitchingProtocols
}

// whole says whether all came.
func (r *beaconRun) whole() bool { return len(r.arrived) == r.want }

// lag is by how much the beacon that was held back longest came later than the one that came best. Clocks that differ
// make no difference.
func (r *beaconRun) lag() time.Duration {
	var low, high time.Duration
	for i := range r.arrived {
		d := r.arrived[i] - r.sent[i]
		if i == 0 || d < low {
			low = d
		}
		if i == 0 || d > high {
			high = d
		}
	}
	return high - low
}

// bunched is how many beacons came together at the most.
func (r *beaconRun) bunched() int {
	most, count := 0, 0
	for i := range r.arrived {
		if i > 0 && r.arrived[i]-r.arrived[i-1] < r.interval/4 {
			count++
		} else {
			count = 1
		}
		most = max(most, count)
	}
	return most
}

// buffered says whether beacons were held back.
func (r *beaconRun) buffered() bool {
	if !r.whole() {
		return r.late
	}
	return r.bunched() >= bunch && r.lag() > max(2*r.interval, leastLag)
}

// compressed is the compression of the answer, empty for none.
func (r *beaconRun) compressed() string {
	if coding := r.header.Get("Content-Encoding"); coding != "identity" {
		return coding
	}
	return ""
}

// beacons judges one form.
func (e *examiner) beacons(ctx context.Context, form string) Result {
	var run *beaconRun
	for range tries {
		again := e.send(ctx, form, e.opts.Count, e.opts.Interval)
		if run == nil || again.whole() && again.lag() < run.lag() {
			run = again
		}
		if !run.buffered() || ctx.Err() != nil {
			break
		}
	}
	if run.request != nil && e.out.Arrived == nil {
		e.out.Arrived = run.request
		e.meetArrived(run.request)
	}
	if len(run.arrived) > 0 {
		e.opened = append(e.opened, form)
	}
	if f, ok := e.refusedRun(run); ok {
		return Result{Outcome: OutcomeProblem, Text: f.Text, Findings: []Finding{f}}
	}
	return e.judge(run)
}

// refusedRun says what is wrong with a run of which nothing came.
func (e *examiner) refusedRun(r *beaconRun) (Finding, bool) {
	if r.opened() {
		return Finding{}, false
	}
	switch {
	case r.status == http.StatusUpgradeRequired && r.ours:
		return e.finding(CauseUpgradeStripped,
			"the Upgrade header does not reach the server, so that it cannot open a WebSocket"), true
	case r.form == formSocket && r.status != 0 && !r.ours:
		return e.finding(CauseUpgradeRefused, fmt.Sprintf("the WebSocket is refused on the way with %d %s",
			r.status, http.StatusText(r.status))), true
	case r.form == formSocket && r.status == 0:
		return e.finding(CauseUpgradeRefused, fmt.Sprintf("the WebSocket cannot be opened: %v", plain(r.err))), true
	case r.status == 0 && !r.late:
		return e.finding(CauseCut, fmt.Sprintf("the connection is cut before an answer begins: %v", plain(r.err))), true
	case r.status == 0:
		return e.finding(CauseBuffered, fmt.Sprintf("not even the beginning of the answer came within %s: %v",
			brief(r.took), plain(r.err))), true
	case r.ours:
		return e.finding(CauseForeign, "the server refuses the beacons: "+r.refused), true
	}
	return e.finding(CauseForeign, fmt.Sprintf("the beacons are refused on the way with %d %s",
		r.status, http.StatusText(r.status))), true
}

// judge says what is wrong with a run that came through.
func (e *examiner) judge(r *beaconRun) Result {
	out := Result{Outcome: OutcomeOK}
	add := func(cause Cause, outcome Outcome, text string) {
		out.Findings = append(out.Findings, e.finding(cause, text))
		if out.Outcome != OutcomeProblem {
			out.Outcome = outcome
		}
	}
	packed := r.compressed()
	switch {
	case r.buffered() && !r.whole():
		add(CauseBuffered, OutcomeProblem, fmt.Sprintf("%d of %d beacons came within %s: the stream is held back",
			len(r.arrived), r.want, brief(r.took)))
	case r.buffered():
		add(CauseBuffered, OutcomeProblem, fmt.Sprintf("%d beacons, sent %s apart, came at once, the first %s late: "+
			"the stream is held back", r.bunched(), brief(r.interval), brief(r.lag())))
	case !r.whole():
		add(CauseCut, OutcomeProblem, fmt.Sprintf("the stream ended after %d of %d beacons: %v", len(r.arrived),
			r.want, plain(r.err)))
	}
	if packed != "" {
		outcome, text := OutcomeWarning, "the stream is compressed on the way with "+packed
		if r.buffered() {
			outcome = OutcomeProblem
			text += ", which gathers lines before it sends them"
		}
		add(CauseCompressed, outcome, text)
	}
	for _, text := range r.headersLost() {
		add(CauseHeader, OutcomeProblem, text)
	}
	if out.Text = fmt.Sprintf("%d of %d beacons, their delays differ by %s", len(r.arrived), r.want,
		brief(r.lag())); len(out.Findings) > 0 {
		out.Text = out.Findings[0].Text
	}
	return out
}

// headersLost says which headers of the answer did not come as they were sent.
func (r *beaconRun) headersLost() []string {
	if r.form == formSocket {
		return nil
	}
	var out []string
	if got := r.header.Get("Cache-Control"); !strings.Contains(got, "no-store") {
		text := "the header Cache-Control: no-store is removed on the way"
		if got != "" {
			text = fmt.Sprintf("the header Cache-Control: no-store comes as %q", got)
		}
		out = append(out, text+", so that caches may keep logs")
	}
	want := map[string]string{formEvents: mediaEvents, formLines: "application/x-ndjson"}[r.form]
	if !hasMediaType(r.header, want) {
		out = append(out, fmt.Sprintf("the header Content-Type: %s comes as %q, so that browsers read no stream", want,
			r.header.Get("Content-Type")))
	}
	return out
}

// idle looks whether streams live on heartbeats alone.
func (e *examiner) idle(ctx context.Context) Result {
	interval := min(wire.HeartbeatInterval, max(e.opts.Idle, wire.MinBeaconInterval))
	count := int((e.opts.Idle + interval - 1) / interval)
	if limit := int(wire.MaxBeaconTime / interval); count > limit {
		count = limit
	}
	if len(e.opened) == 0 {
		return Result{Outcome: OutcomeSkipped, Text: "no stream comes through"}
	}
	runs := make(chan *beaconRun, len(e.opened))
	for _, form := range e.opened {
		go func() { runs <- e.send(ctx, form, count, interval) }()
	}
	found := map[string]Finding{}
	for range e.opened {
		run := <-runs
		if run.whole() || ctx.Err() != nil {
			continue
		}
		text := fmt.Sprintf("%s is cut after %s of silence, and heartbeats come every %s", run.form,
			brief(run.last), brief(wire.HeartbeatInterval))
		if run.last >= wire.HeartbeatInterval+beaconGrace/2 {
			text = fmt.Sprintf("%s brings nothing for %s, although heartbeats are sent every %s", run.form,
				brief(run.last), brief(interval))
		}
		found[run.form] = e.finding(CauseIdleTimeout, text)
	}
	out := Result{Outcome: OutcomeOK, Text: fmt.Sprintf("streams live on a heartbeat every %s", brief(interval))}
	for _, form := range e.opened {
		if f, bad := found[form]; bad {
			out.Outcome = OutcomeProblem
			out.Findings = append(out.Findings, f)
		}
	}
	if len(out.Findings) > 0 {
		out.Text = out.Findings[0].Text
	}
	return out
}

// send asks for beacons in one form and notes when they come.
func (e *examiner) send(ctx context.Context, form string, count int, interval time.Duration) *beaconRun {
	r := &beaconRun{form: form, interval: interval, want: count + 1}
	limited, cancel := context.WithTimeout(ctx, time.Duration(count)*interval+beaconGrace)
	defer cancel()
	began := time.Now()
	target := e.client.base + wire.BasePath + "/beacon/" + form + "?count=" + strconv.Itoa(count) + "&interval_ms=" +
		strconv.FormatInt(interval.Milliseconds(), 10)
	read := r.readPlain
	if form == formSocket {
		read = r.readSocket
	}
	r.err = read(limited, e.client, target, began)
	r.took = time.Since(began)
	r.late = limited.Err() != nil && ctx.Err() == nil
	r.last = r.took
	if n := len(r.arrived); n > 0 {
		r.last -= r.arrived[n-1]
	}
	e.meet(r.header)
	return r
}

// take notes one beacon.
func (r *beaconRun) take(text []byte, began time.Time) error {
	var b wire.Beacon
	if err := json.Unmarshal(text, &b); err != nil || b.Type != "beacon" || b.N != len(r.arrived) {
		return fmt.Errorf("what came is no beacon: %.100q", text)
	}
	if b.Request != nil {
		r.request = b.Request
	}
	if len(r.sent) == 0 {
		r.first = b.SentAt.Time
	}
	r.sent = append(r.sent, b.SentAt.Sub(r.first))
	r.arrived = append(r.arrived, time.Since(began))
	return nil
}

// refuse notes a refusal.
func (r *beaconRun) refuse(resp *http.Response) {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, wire.MaxBody))
	r.ours = isRefusal(body)
	r.refused = refusal(resp.StatusCode, body).Message
}

// readSocket reads beacons from a WebSocket.
func (r *beaconRun) readSocket(ctx context.Context, c *Client, target string, began time.Time) error {
	header := http.Header{}
	c.authorize(header)
	//nolint:bodyclose // the library has closed the connection and put a buffer in the body's place
	conn, resp, err := websocket.Dial(ctx, target, &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: header, CompressionMode: websocket.CompressionDisabled,
	})
	if resp != nil {
		r.status, r.header = resp.StatusCode, resp.Header
		if err != nil && resp.Body != nil {
			r.refuse(resp)
		}
	}
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	for !r.whole() {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if err := r.take(text, began); err != nil {
			return err
		}
	}
	return nil
}

// readPlain reads beacons from an answer over plain HTTP. Compression is offered as browsers do, and undone here, so
// that it is seen.
func (r *beaconRun) readPlain(ctx context.Context, c *Client, target string, began time.Time) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "gzip")
	if r.form == formEvents {
		req.Header.Set("Accept", mediaEvents)
	}
	c.authorize(req.Header)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	r.status, r.header = resp.StatusCode, resp.Header
	if resp.StatusCode != http.StatusOK {
		r.refuse(resp)
		return nil
	}
	var body io.Reader = resp.Body
	switch coding := r.compressed(); coding {
	case "":
	case "gzip":
		if body, err = gzip.NewReader(resp.Body); err != nil {
			return err
		}
	default:
		return fmt.Errorf("compressed with %q, which was not offered", coding)
	}
	scan := bufio.NewScanner(body)
	scan.Buffer(nil, maxBeacon)
	for !r.whole() && scan.Scan() {
		text := bytes.TrimSpace(bytes.TrimPrefix(scan.Bytes(), []byte("data:")))
		if len(text) == 0 || text[0] == ':' {
			continue
		}
		if err := r.take(text, began); err != nil {
			return err
		}
	}
	if err := scan.Err(); err != nil || r.whole() {
		return err
	}
	return errors.New("the answer ended")
}

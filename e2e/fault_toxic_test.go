package e2e

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// toxics are all that toxiproxy has. Through some the lines still come, if late; the others end the connections.
var toxics = []struct {
	toxic
	passes bool
}{
	{toxic{"latency", map[string]int{"latency": 200, "jitter": 100}}, true},
	{toxic{"bandwidth", map[string]int{"rate": 100}}, true},
	{toxic{"slicer", map[string]int{"average_size": 100, "size_variation": 50, "delay": 10}}, true},
	{toxic{"slow_close", map[string]int{"delay": 3000}}, true},
	{toxic{"limit_data", map[string]int{"bytes": 1_000}}, false},
	{toxic{"reset_peer", map[string]int{"timeout": 0}}, false},
	{toxic{"timeout", map[string]int{"timeout": 0}}, false},
}

// faultToxics has toxiproxy between server and agent, and between server and viewer, in each of its ways: every line
// comes once and in order, through the toxic or when it is gone.
func faultToxics(t *testing.T) {
	for _, one := range toxics {
		t.Run(strings.ReplaceAll(one.Type, "_", "-"), func(t *testing.T) {
			t.Parallel()
			streamPoisoned(t, one.toxic, one.passes)
		})
	}
}

// streamPoisoned streams before, through and after one toxic.
func streamPoisoned(t *testing.T, what toxic, passes bool) {
	const part = 2_000
	f := newFleet(t)
	proxy := f.startToxiproxy()
	near, far := proxy.way("viewer", f.port), proxy.way("agent", f.port)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgentAt(far, "edge-1", "app="+log)
	ctx, id, direct := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	viewer, stream := f.watchAt(ctx, near, id)
	led, beside := newLedger(t, 4*part), newLedger(t, 4*part)
	led.seen[0], beside.seen[0] = 1, 1
	appendLines(t, log, 1, part)
	led.readSome(ctx, stream, part-1)
	for _, way := range []string{"viewer", "agent"} {
		proxy.poison(way, what)
	}
	appendLines(t, log, part, 2*part)
	switch {
	case passes:
		led.readSome(ctx, stream, 2*part-1)
		// What is written now is under way when the server dies, and the news of that comes as late as the toxic has it.
		appendLines(t, log, 2*part, 3*part)
		f.server.kill()
		f.startServer()
	default:
		f.until("the agent has lost its link", func() bool { return strings.Contains(agent.out.String(), "link_lost") })
		beside.readTo(ctx, direct, "the agent's absence", told(wire.StreamUnreachable))
		appendLines(t, log, 2*part, 3*part)
	}
	f.cure(proxy)
	appendLines(t, log, 3*part, 4*part)
	beside.readSome(ctx, direct, 4*part-1)
	led.readSome(ctx, stream, 4*part-1)
	led.finish(ctx, f, stream, id)
	led.whole()
	beside.readTo(ctx, direct, "the end", func(frame client.Frame) bool { return beside.closing != nil })
	beside.whole()
	if verdict := viewer.Verdict(); !verdict.Closes() || !verdict.Ended {
		t.Errorf("the stream is not whole: %+v", verdict)
	}
}

// watchAt connects a viewer that reaches the server at url, and checks its stream.
func (f *fleet) watchAt(ctx context.Context, url, id string) (*client.Verifier, *client.Stream) {
	f.t.Helper()
	c, err := client.New(client.Options{BaseURL: url, Token: f.token()})
	if err != nil {
		f.t.Fatal(err)
	}
	check := &client.Verifier{}
	stream, err := c.Stream(ctx, id, client.StreamOptions{AllEvents: true, MaxOffline: patience, Observe: check.Take})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = stream.Close() })
	return check, stream
}

// faultThrottledViewer has one viewer at 1 KB/s beside a good one that reads far more than the ring holds: nobody waits
// for the slow one, and it gets, or is told of, every event when its way is better.
func faultThrottledViewer(t *testing.T) {
	const lines = 200_000
	f := newFleet(t)
	proxy := f.startToxiproxy()
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	check, slow := f.watchAt(ctx, proxy.way("viewer", f.port), id)
	f.until("both watch", func() bool {
		one, err := f.client.Session(ctx, id)
		return err == nil && one.Viewers == 2
	})
	proxy.poison("viewer", toxic{"bandwidth", map[string]int{"rate": 1}})
	var got, gapped atomic.Uint64
	ended := make(chan error, 1)
	go func() {
		for {
			frame, err := slow.Next(ctx)
			if err != nil {
				ended <- err
				return
			}
			if c := frame.Control; frame.Log != nil {
				got.Add(1)
			} else if c.Event == wire.EventGap && c.Unit == wire.UnitEvents {
				gapped.Add(c.Count)
			}
		}
	}()
	led := newLedger(t, lines)
	led.seen[0] = 1
	storm := make(chan error, 1)
	go func() { storm <- writeLines(log, 1, lines) }()
	led.readSome(ctx, stream, lines-1)
	if err := <-storm; err != nil {
		t.Fatal(err)
	}
	t.Logf("the slow viewer had %d events when the good one had all", got.Load())
	if got.Load() > lines/10 {
		t.Error("the slow viewer was not slow, so this shows nothing")
	}
	f.cure(proxy)
	f.until("the slow viewer has every event", func() bool { return got.Load()+gapped.Load() >= lines-1 })
	led.finish(ctx, f, stream, id)
	led.whole()
	if err := <-ended; !errors.Is(err, io.EOF) {
		t.Errorf("the slow viewer's stream ended with %v", err)
	}
	t.Logf("the slow viewer got %d events and was told of %d that it missed", got.Load(), gapped.Load())
	if v := check.Verdict(); !v.Closes() || !v.Ended || got.Load()+gapped.Load() != lines-1 {
		t.Errorf("the slow viewer got %d events and %d in gaps of %d: %+v", got.Load(), gapped.Load(), lines-1, v)
	}
}

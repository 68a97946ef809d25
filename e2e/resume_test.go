package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// The kinds of disturbance: each cuts the viewer's connection, some kill a process with it.
const (
	cutOnly = iota
	cutAndKillServer
	cutAndKillAgent
)

// disturbance is one of them and the line at which it comes.
type disturbance struct{ line, kind int }

// disturbances spreads cuts over the lines at random, and kills over the cuts.
func disturbances(random *rand.Rand, lines, cuts, kills int) []disturbance {
	out := make([]disturbance, cuts)
	for i := range out {
		out[i].line = 1 + random.IntN(lines-1)
		switch {
		case i < kills:
			out[i].kind = cutAndKillServer
		case i < 2*kills:
			out[i].kind = cutAndKillAgent
		}
	}
	slices.SortFunc(out, func(a, b disturbance) int { return a.line - b.line })
	return out
}

// resumption is a viewer in mode complete that is cut off again and again.
type resumption struct {
	*fleet
	log, session string
	random       *rand.Rand
	way          *cutter
	agent        *process
	frames       chan client.Frame // closed by the reader when the stream has ended
	check        client.Verifier   // the reader's until frames is closed
	failed       error             // the reader's until frames is closed
	lost         int               // connections that broke, the reader's until frames is closed
	connected    atomic.Bool       // whether the viewer has a connection, as far as it knows
	reasons      map[string]uint64 // events announced as lost, by reason
}

// TestSoakResume cuts the connection of a viewer at random, at times together with the death of the server or of the
// agent, while lines are written at 20,000 a second. The viewer must have every line, once and in order. What a dead
// server had passed on and the cut swallowed is on no server any more: the agent sends it again.
func TestSoakResume(t *testing.T) {
	lines, cuts, kills := soak(20_000, 200_000), soak(10, 50), soak(2, 10)
	const perSecond = 20_000
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := &resumption{
		fleet: newFleet(t), random: rand.New(rand.NewPCG(seed, 0)), frames: make(chan client.Frame, 2*lines),
		reasons: map[string]uint64{},
	}
	r.log = filepath.Join(r.dir, "logs", "app.log")
	appendLines(t, r.log, 0, 1)
	r.agent = r.startAgent("edge-1", "app="+r.log)
	timeout := 3600
	r.session = r.fleet.session(wire.StartRequest{AgentID: "edge-1", Mode: wire.ModeComplete, TimeoutSeconds: &timeout})
	ctx, cancel := context.WithTimeout(t.Context(), soak(10*time.Minute, 20*time.Minute))
	defer cancel()
	began := time.Now()
	r.begin(ctx)
	startWriter(t, r.log, lines, perSecond)
	led := newLedger(t, lines)
	led.seen[0] = 1
	for _, d := range disturbances(r.random, lines, cuts, kills) {
		for led.order < d.line {
			led.take(r.next(ctx))
		}
		r.disturb(d.kind)
	}
	for led.order < lines-1 {
		led.take(r.next(ctx))
	}
	r.finish(ctx, led)
	missing := uint64(len(led.missing()))
	t.Logf("%d lines in %v, %d cuts, %d of them with the death of the server and %d of the agent, %d connections lost: "+
		"%d missing, %d doubled, %d out of order; announced as lost: events %v, %d bytes; %d epochs", lines,
		time.Since(began).Round(time.Second), cuts, kills, kills, r.lost, missing, led.doubled, led.swapped, r.reasons,
		led.bytes, len(led.next))
	if led.doubled > 0 || led.swapped > 0 {
		t.Error("the viewer did not get each line once and in order")
	}
	if missing > 0 || led.gapped > 0 {
		t.Errorf("%d lines missing, %d events announced: %v; the file is whole", missing, led.gapped, r.reasons)
	}
	if led.bytes > 0 || led.blind > 0 || len(led.next) != 1 {
		t.Errorf("%d bytes announced as lost and %d gaps of unknown size, in %d epochs; the file and the journal are whole",
			led.bytes, led.blind, len(led.next))
	}
	if r.lost != cuts {
		t.Errorf("%d connections were lost in %d cuts", r.lost, cuts)
	}
}

// begin connects the viewer over a way that can be cut, and reads what comes.
func (r *resumption) begin(ctx context.Context) {
	r.t.Helper()
	// The fleet's own client makes the calls, so that they are not what is cut.
	r.way = newCutter(r.t, strings.TrimPrefix(r.url(), "http://"))
	viewer, err := client.New(client.Options{BaseURL: "http://" + r.way.addr(), Token: r.token()})
	if err != nil {
		r.t.Fatal(err)
	}
	r.check.Origin = true
	stream, err := viewer.Stream(ctx, r.session, client.StreamOptions{
		AllEvents: true, MaxOffline: patience, Observe: r.check.Take,
		OnStatus: func(s client.ConnStatus) {
			r.connected.Store(s.Connected)
			if !s.Connected && s.Attempt == 0 {
				r.lost++
			}
		},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.connected.Store(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(r.frames)
		for r.failed == nil {
			var frame client.Frame
			if frame, r.failed = stream.Next(ctx); r.failed == nil {
				r.frames <- frame
			}
		}
	}()
	r.t.Cleanup(func() {
		<-done
		_ = stream.Close()
	})
	for c := r.next(ctx).Control; c == nil || c.Status != wire.StreamStreaming; c = r.next(ctx).Control {
		continue
	}
}

// next is the next frame of the viewer.
func (r *resumption) next(ctx context.Context) client.Frame {
	r.t.Helper()
	select {
	case frame, ok := <-r.frames:
		if !ok {
			r.t.Fatalf("the stream ended: %v", r.failed)
		}
		if c := frame.Control; c != nil && c.Event == wire.EventGap && c.Unit == wire.UnitEvents {
			r.reasons[c.Reason] += c.Count
		}
		return frame
	case <-ctx.Done():
		r.t.Fatal("the lines do not come in time")
		return client.Frame{}
	}
}

// disturb cuts the viewer's connection, and kills what is to die with it.
func (r *resumption) disturb(kind int) {
	r.t.Helper()
	r.awaitViewer()
	r.pause(20 * time.Millisecond)
	switch kind {
	case cutAndKillServer:
		r.server.kill()
	case cutAndKillAgent:
		r.agent.kill()
	}
	r.way.cut()
	r.pause(300 * time.Millisecond)
	switch kind {
	case cutAndKillServer:
		r.startServer()
		r.online("edge-1")
	case cutAndKillAgent:
		r.agent = r.startAgent("edge-1", "app="+r.log)
	}
}

// awaitViewer waits until the viewer has a connection.
func (r *resumption) awaitViewer() {
	r.t.Helper()
	r.until("the viewer is connected", func() bool { return r.way.open() > 0 && r.connected.Load() })
}

// pause waits for a random time.
func (r *resumption) pause(most time.Duration) { <-time.After(rand.N(most)) }

// finish stops the session, reads to its end and holds the stream against the accounts.
func (r *resumption) finish(ctx context.Context, led *ledger) {
	r.t.Helper()
	// At its end a session waits for those who are there, and not for long.
	r.awaitViewer()
	if _, err := r.client.Stop(ctx, r.session); err != nil {
		r.t.Fatal(err)
	}
	for led.closing == nil {
		led.take(r.next(ctx))
	}
	for range r.frames {
		r.t.Error("a frame after the end")
	}
	led.accounts()
	if v := r.check.Verdict(); !v.Closes() || !v.Ended {
		r.t.Errorf("the stream is not whole: %s", fmt.Sprintf("%+v", v))
	}
}

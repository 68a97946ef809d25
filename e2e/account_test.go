package e2e

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// slowViewers are the steady viewers of TestSoakAccounts beside the one that reads as fast as it can.
const slowViewers = 3

// bookkeeper is one viewer that keeps its own account of a stream.
type bookkeeper struct {
	stream *client.Stream
	check  client.Verifier
	// most is the longest pause that it makes, 0 for none; awake ends the pauses, and all later ones, when it is closed.
	most  time.Duration
	awake chan struct{}

	received, gapped uint64
	last             *wire.Control
	err              error
}

// TestSoakAccounts follows a file that gets 100,000 lines a second, in mode live, with viewers that pause at random and
// others that come and go. Every line must be in the accounts: those of the agent, those of each viewer, and those
// that each viewer keeps by itself.
func TestSoakAccounts(t *testing.T) {
	lines := soak(100_000, 10_000_000)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	timeout := 3600
	id := f.session(wire.StartRequest{AgentID: "edge-1", TimeoutSeconds: &timeout})
	ctx, cancel := context.WithTimeout(t.Context(), soak(10*time.Minute, 30*time.Minute))
	defer cancel()
	awake := make(chan struct{})
	viewers := make([]*bookkeeper, 1+slowViewers)
	var group sync.WaitGroup
	for i := range viewers {
		viewers[i] = f.keepBooks(ctx, id, time.Duration(i)*400*time.Millisecond)
		viewers[i].awake = awake
		group.Go(func() { viewers[i].read(ctx) })
	}
	visitCtx, leave := context.WithCancel(ctx)
	visits := make(chan int, 1)
	go func() { visits <- f.comeAndGo(visitCtx, id) }()
	began := time.Now()
	if err := storm(ctx, log, 1, lines, 100_000); err != nil {
		t.Fatal(err)
	}
	written := time.Since(began)
	whole := uint64(lines-1) * uint64(len(lineText(0)))
	f.until("the agent has accounted for every line", func() bool {
		s, err := f.client.Session(ctx, id)
		if err != nil {
			return false
		}
		for _, a := range s.Accounts.Agents {
			return a.Seen*uint64(len(lineText(0)))+sum(a.LostBytes) >= whole
		}
		return false
	})
	leave()
	t.Logf("%d lines written in %v, accounted for after %v, %d visits", lines-1, written.Round(time.Millisecond),
		time.Since(began).Round(time.Millisecond), <-visits)
	close(awake)
	if _, err := f.client.Stop(ctx, id); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	for i, v := range viewers {
		v.close(t, i, whole)
	}
}

// storm writes lines from to to-1, so many a second, or until ctx ends.
func storm(ctx context.Context, path string, from, to, perSecond int) error {
	const ticks = 100
	tick := time.NewTicker(time.Second / ticks)
	defer tick.Stop()
	for n := from; n < to && ctx.Err() == nil; n += perSecond / ticks {
		if err := writeLines(path, n, min(n+perSecond/ticks, to)); err != nil {
			return err
		}
		<-tick.C
	}
	return nil
}

// sum adds the values of a map.
func sum(m map[string]uint64) uint64 {
	var n uint64
	for _, v := range m {
		n += v
	}
	return n
}

// keepBooks connects a viewer whose socket holds little, so that its pauses are felt, and waits until the agent streams.
func (f *fleet) keepBooks(ctx context.Context, id string, most time.Duration) *bookkeeper {
	f.t.Helper()
	v, err := f.visitor(ctx, id, most)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = v.stream.Close() })
	for {
		frame, err := v.stream.Next(ctx)
		if err != nil {
			f.t.Fatal(err)
		}
		if c := frame.Control; c != nil && c.Event == wire.EventAgentStatus && c.Status == wire.StreamStreaming {
			return v
		}
	}
}

// visitor connects a viewer.
func (f *fleet) visitor(ctx context.Context, id string, most time.Duration) (*bookkeeper, error) {
	dialer := &net.Dialer{}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err == nil && most > 0 {
			err = conn.(*net.TCPConn).SetReadBuffer(16 << 10)
		}
		return conn, err
	}}
	c, err := client.New(client.Options{BaseURL: f.url(), Token: f.token(), HTTP: &http.Client{Transport: transport}})
	if err != nil {
		return nil, err
	}
	v := &bookkeeper{most: most}
	v.stream, err = c.Stream(ctx, id, client.StreamOptions{
		AllEvents: true, MaxOffline: patience, Observe: v.check.Take,
	})
	return v, err
}

// read keeps the books until the stream ends.
func (v *bookkeeper) read(ctx context.Context) {
	for {
		frame, err := v.stream.Next(ctx)
		if err != nil {
			v.err = err
			return
		}
		switch c := frame.Control; {
		case frame.Log != nil:
			v.received++
		case c.Event == wire.EventGap && c.Unit == wire.UnitEvents:
			v.gapped += c.Count
		case c.Event == wire.EventSessionEnded:
			v.last = c
		}
		if v.most > 0 && v.stream.Dry() && rand.IntN(20) == 0 {
			v.pause()
		}
	}
}

// pause waits for a random time.
func (v *bookkeeper) pause() {
	select {
	case <-time.After(rand.N(v.most)):
	case <-v.awake:
	}
}

// close holds the books against what the end frame says.
func (v *bookkeeper) close(t *testing.T, number int, whole uint64) {
	t.Helper()
	if !errors.Is(v.err, io.EOF) || v.last == nil || v.last.Accounts == nil {
		t.Errorf("viewer %d ended with %v and %+v", number, v.err, v.last)
		return
	}
	if verdict := v.check.Verdict(); !verdict.Closes() || !verdict.Ended {
		t.Errorf("viewer %d: the stream is not whole: %+v", number, verdict)
	}
	for _, a := range v.last.Accounts.Agents {
		t.Logf("viewer %d: %d received, %d in gaps; agent: %d seen, %d sent, dropped %v, lost bytes %v", number, v.received,
			v.gapped, a.Seen, a.Sent, a.Dropped, a.LostBytes)
		if bytes := a.Seen*uint64(len(lineText(0))) + sum(a.LostBytes); bytes != whole {
			t.Errorf("the agent accounts for %d bytes, %d were written", bytes, whole)
		}
		if !a.Closes() || a.Pending != 0 {
			t.Errorf("the agent's equation does not close: %+v", a)
		}
		if numbered := a.Sent + sum(a.Dropped); v.received+v.gapped != numbered {
			t.Errorf("viewer %d got %d events and gaps for %d, of %d", number, v.received, v.gapped, numbered)
		}
	}
	for _, account := range v.last.Accounts.Viewer {
		if !account.Closes() || account.Delivered != v.received || account.Gapped != v.gapped || account.InFlight != 0 {
			t.Errorf("viewer %d: %+v, but %d came and %d in gaps", number, account, v.received, v.gapped)
		}
	}
}

// comeAndGo lets viewers watch for a moment, one after the other, until ctx ends, and counts them. What each saw must
// be whole as far as it went.
func (f *fleet) comeAndGo(ctx context.Context, id string) int {
	for n := 0; ; n++ {
		v, err := f.visitor(ctx, id, time.Millisecond)
		if err != nil {
			if ctx.Err() == nil {
				f.t.Errorf("visit %d: %v", n, err)
			}
			return n
		}
		stay, cancel := context.WithTimeout(ctx, rand.N(500*time.Millisecond))
		v.read(stay)
		cancel()
		_ = v.stream.Close()
		if verdict := v.check.Verdict(); !verdict.Closes() {
			f.t.Errorf("visit %d: the stream is not whole: %+v", n, verdict)
			return n
		}
		if ctx.Err() != nil {
			return n
		}
	}
}

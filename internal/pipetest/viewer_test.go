package pipetest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// socketBuffer is how much a viewer's socket holds: little, so that one that does not read is felt. With less than a
// segment of the loopback the kernel throws away what comes, and each step waits for a retransmission.
const socketBuffer = 64 << 10

// viewer reads one session over a road of its own, and keeps books.
type viewer struct {
	name   string
	owed   bool // everything from the session's origin on
	road   *road
	stream *client.Stream
	leave  context.CancelFunc
	done   chan struct{} // closed when the stream has ended

	// mu guards what is below; cond tells that slow ended.
	mu        sync.Mutex
	cond      *sync.Cond
	slow      bool
	check     client.Verifier
	texts     []string // of the events, in their order
	gaps      []wire.Control
	streaming bool
	connected bool
	err       error
}

// watch connects a viewer to a session.
func (f *fleet) watch(name, session string, owed bool) (*viewer, error) {
	v := &viewer{name: name, owed: owed, done: make(chan struct{}), road: newRoad(f.t, f.target)}
	v.cond = sync.NewCond(&v.mu)
	dialer := &net.Dialer{}
	c, err := client.New(client.Options{BaseURL: v.road.url(), Token: f.token, HTTP: &http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err == nil {
				err = conn.(*net.TCPConn).SetReadBuffer(socketBuffer)
			}
			return conn, err
		}},
	}})
	if err != nil {
		return nil, err
	}
	ctx, leave := context.WithCancel(context.Background())
	v.leave, v.check.Origin = leave, name == "first viewer"
	v.connected = true
	v.stream, err = c.Stream(ctx, session, client.StreamOptions{
		AllEvents: true, MaxOffline: 2 * patience, Observe: v.observe, Rand: func() float64 { return 0.3 },
		OnStatus: v.status,
	})
	if err != nil {
		leave()
		v.road.close()
		return nil, err
	}
	go v.read(ctx)
	return v, nil
}

// observe shows a frame to the verifier. The verifier's own lock is the viewer's.
func (v *viewer) observe(f client.Frame) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.check.Take(f)
}

// status notes whether there is a connection.
func (v *viewer) status(s client.ConnStatus) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.connected = s.Connected
}

// watching says whether there is a connection. One that is cut is gone from the road at once, and noticed later.
func (v *viewer) watching() bool {
	if !v.road.open() {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.connected
}

// live says whether the agent streams as far as this viewer was told.
func (v *viewer) live() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.streaming
}

// read reads until the stream ends.
func (v *viewer) read(ctx context.Context) {
	defer close(v.done)
	for {
		v.mu.Lock()
		for v.slow && ctx.Err() == nil {
			v.cond.Wait()
		}
		v.mu.Unlock()
		frame, err := v.stream.Next(ctx)
		v.mu.Lock()
		if err != nil {
			v.err = err
			v.mu.Unlock()
			return
		}
		v.bookLocked(frame)
		v.mu.Unlock()
	}
}

// bookLocked books one frame.
func (v *viewer) bookLocked(f client.Frame) {
	if f.Log != nil {
		text := f.Log.Message
		if f.Log.Raw != nil {
			text = *f.Log.Raw
		}
		v.texts = append(v.texts, strings.Clone(text))
		return
	}
	switch f.Control.Event {
	case wire.EventSessionStarted:
		v.streaming = false // which is told next
	case wire.EventGap:
		v.gaps = append(v.gaps, *f.Control)
	case wire.EventAgentStatus:
		v.streaming = f.Control.Status == wire.StreamStreaming
	}
}

// setSlow says whether the viewer reads.
func (v *viewer) setSlow(slow bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.slow = slow
	v.cond.Broadcast()
}

// begun waits until the agent streams to the viewer.
func (v *viewer) begun() bool {
	return until(func() bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.streaming || v.err != nil
	})
}

// quit leaves the session.
func (v *viewer) quit() {
	v.leave()
	v.setSlow(false)
	<-v.done
	_ = v.stream.Close()
	v.road.close()
}

// ended waits until the stream has come to its end, and says how.
func (v *viewer) ended() bool {
	over := until(func() bool {
		select {
		case <-v.done:
			return true
		default:
			return false
		}
	})
	return over && errors.Is(v.err, io.EOF)
}

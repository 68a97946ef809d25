package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/server/auth"
	"github.com/spilelog/spile/wire"
)

// beaconTimeout is how long a reader may take for one beacon.
const beaconTimeout = 10 * time.Second

// beacons counts the beacons that are being sent.
type beacons struct {
	stop chan struct{}

	// mu guards the fields below; running may only grow while closed is false.
	mu      sync.Mutex
	closed  bool
	count   int
	running sync.WaitGroup
}

// begin takes a place, or refuses.
func (b *beacons) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return wire.Errorf(wire.CodeUnavailable, "the server goes away")
	case b.count >= wire.MaxBeacons:
		return wire.Errorf(wire.CodeRateLimited, "%d beacons are being sent, which is the limit", wire.MaxBeacons)
	}
	b.count++
	b.running.Add(1)
	return nil
}

// end gives the place back.
func (b *beacons) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count--
	b.running.Done()
}

// close ends all beacons and waits for them.
func (b *beacons) close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.stop)
	}
	b.mu.Unlock()
	b.running.Wait()
}

// beaconPlan is what a caller asks for.
type beaconPlan struct {
	count    int
	interval time.Duration
}

// beaconForm sends one beacon in one of the forms.
type beaconForm func(ctx context.Context, text []byte) error

// beaconWith is the handler of GET /beacon/{form}. What makes a form of a request writes its headers.
func (a *API) beaconWith(form func(w http.ResponseWriter, r *http.Request) (beaconForm, func(), error)) handler {
	return func(w http.ResponseWriter, r *http.Request, _ auth.Principal) error {
		plan, err := planOf(r)
		if err != nil {
			return err
		}
		if err := a.beacons.begin(); err != nil {
			return err
		}
		defer a.beacons.end()
		ctx, cancel := detached(r, a.beacons.stop)
		defer cancel()
		w.Header().Set("X-Accel-Buffering", "no")
		send, done, err := form(w, r)
		if err != nil {
			return err
		}
		if send == nil {
			return nil
		}
		defer done()
		if err := sendBeacons(ctx, r, plan, send); err != nil {
			a.log.Debug("beacon_ended", "reason", err)
		}
		return nil
	}
}

// sendBeacons sends the first beacon at once, and the others one interval after another.
func sendBeacons(ctx context.Context, r *http.Request, plan beaconPlan, send beaconForm) error {
	tick := time.NewTicker(plan.interval)
	defer tick.Stop()
	for n := 0; ; n++ {
		b := wire.Beacon{Type: "beacon", N: n, SentAt: wire.At(time.Now())}
		if n == 0 {
			b.Request = requestOf(r)
		}
		text, err := json.Marshal(b)
		if err != nil {
			return fmt.Errorf("encode beacon: %w", err)
		}
		if err := send(ctx, text); err != nil {
			return fmt.Errorf("send beacon: %w", err)
		}
		if n == plan.count {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// planOf reads how many beacons to send and how often.
func planOf(r *http.Request) (beaconPlan, error) {
	plan := beaconPlan{count: wire.BeaconCount, interval: wire.BeaconInterval}
	query := r.URL.Query()
	number := func(name string, low, high, otherwise int) (int, error) {
		text := query.Get(name)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high {
			return 0, wire.Invalid(name, "%q is not valid; must be a whole number from %d to %d",
				clipName(text), low, high)
		}
		return n, nil
	}
	count, err := number("count", 0, wire.MaxBeaconCount, plan.count)
	if err != nil {
		return plan, err
	}
	interval, err := number("interval_ms", int(wire.MinBeaconInterval.Milliseconds()),
		int(wire.MaxBeaconInterval.Milliseconds()), int(plan.interval.Milliseconds()))
	if err != nil {
		return plan, err
	}
	plan.count, plan.interval = count, time.Duration(interval)*time.Millisecond
	if whole := time.Duration(count) * plan.interval; whole > wire.MaxBeaconTime {
		return plan, wire.Invalid("count", "%d times %v is %v; must be at most %v", count, plan.interval, whole,
			wire.MaxBeaconTime)
	}
	return plan, nil
}

// beaconHeaders are the headers that a beacon tells back, and forwardedPrefix begins the names of more: what proxies
// add, change or strip. Nothing secret is among them.
var beaconHeaders = []string{
	"Via", "Forwarded", "Upgrade", "Connection", "Accept-Encoding", "Origin", "User-Agent",
}

const forwardedPrefix = "X-Forwarded-"

// requestOf is a request as it came.
func requestOf(r *http.Request) *wire.BeaconRequest {
	out := &wire.BeaconRequest{Method: r.Method, Proto: r.Proto, Host: r.Host, Headers: map[string][]string{}}
	for name, values := range r.Header {
		if slices.Contains(beaconHeaders, name) || strings.HasPrefix(name, forwardedPrefix) {
			out.Headers[name] = values
		}
	}
	return out
}

// beaconPlain is a beacon over plain HTTP, each text between two others.
func (a *API) beaconPlain(
	mediaType, before, after string,
) func(w http.ResponseWriter, r *http.Request) (beaconForm, func(), error) {
	return func(w http.ResponseWriter, _ *http.Request) (beaconForm, func(), error) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(http.StatusOK)
		out := http.NewResponseController(w)
		return func(_ context.Context, text []byte) error {
			// Not every writer knows deadlines; the server's own does.
			_ = out.SetWriteDeadline(time.Now().Add(beaconTimeout))
			if _, err := w.Write([]byte(before + string(text) + after)); err != nil {
				return err
			}
			return out.Flush()
		}, func() {}, nil
	}
}

// beaconSocket is a beacon over WebSocket, or the refusal of a request that does not upgrade.
func (a *API) beaconSocket(w http.ResponseWriter, r *http.Request) (beaconForm, func(), error) {
	if !upgrades(r) {
		return nil, nil, a.wantUpgrade(w)
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		// The origin was checked with the right to call.
		InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		return nil, nil, nil //nolint:nilerr // Accept has answered by itself
	}
	gone := conn.CloseRead(context.WithoutCancel(r.Context()))
	send := func(ctx context.Context, text []byte) error {
		if gone.Err() != nil {
			return gone.Err()
		}
		limited, cancel := context.WithTimeout(ctx, beaconTimeout)
		defer cancel()
		return conn.Write(limited, websocket.MessageText, text)
	}
	return send, func() { _ = conn.Close(websocket.StatusNormalClosure, "") }, nil
}

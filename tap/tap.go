package tap

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/internal/callsite"
	"github.com/spilelog/spile/wire"
)

// backendName is the tap's name among the backends; a second one is tap-2.
const backendName = "tap"

// Tap is an [http.Handler] whose responses are live streams of a handler's records. It starts no goroutine: each stream
// lives in that of its request.
type Tap struct {
	o       Options
	handler *spile.Handler
	sink    *sink
	history *history // nil if there is none
	agent   string   // the id in the frames
	logfmt  format.Formatter
	sites   callsite.Cache
	scratch sync.Pool // of *rendering
	chunks  sync.Pool // of *chunk

	// watch is who gets events; it follows open.
	watch atomic.Pointer[watch]

	// mu serialises opening, ending and closing, and guards what follows.
	mu      sync.Mutex
	open    []*stream
	closed  bool
	serving int
	// idle is closed when the tap is closed and no request is served any more.
	idle chan struct{}
}

// Handler returns a tap of h: an [http.Handler], and one more backend of h, called tap or tap-2 and so on. The error
// says which option cannot be and why. The caller closes it in the end.
func Handler(h *spile.Handler, o Options) (*Tap, error) {
	if h == nil {
		return nil, errors.New("tap handler: the handler is nil")
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("tap handler: %w", err)
	}
	t := &Tap{o: o, handler: h, agent: newAgent(), logfmt: &format.Logfmt{}, idle: make(chan struct{})}
	if t.o.Text == nil {
		if t.o.Text, err = newText(); err != nil {
			return nil, fmt.Errorf("tap handler: %w", err)
		}
	}
	if o.History.Bytes > 0 {
		t.history = newHistory(o.History)
	}
	t.watch.Store(&watch{})
	for n := 1; ; n++ {
		name := backendName
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		t.sink = &sink{Base: spile.NewBase(name, spile.BaseOptions{Level: t.lowestLocked()}), tap: t}
		// The only error is that the name is in use.
		if h.Add(t.sink) == nil {
			return t, nil
		}
	}
}

// newAgent is a random id, a UUID of version 4.
func newAgent() string {
	var id [16]byte
	rand.Read(id[:]) // It never fails.
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return wire.FormatUUID(id)
}

// Streams is how many streams are open.
func (t *Tap) Streams() int { return t.watch.Load().streams }

// Close ends all streams, each with its last words, takes the tap out of the handler's backends, and waits for the
// requests, at most until ctx is done. Further requests are answered with 503. A second call only waits.
func (t *Tap) Close(ctx context.Context) error {
	name := t.sink.Name()
	if t.handler.Backend(name) == spile.Backend(t.sink) {
		t.handler.Remove(name)
	}
	return t.shut(ctx)
}

// shut ends all streams and waits for the requests.
func (t *Tap) shut(ctx context.Context) error {
	t.mu.Lock()
	if !t.closed {
		t.closed = true
		if t.serving == 0 {
			close(t.idle)
		}
		open := t.open
		t.open = nil
		for _, s := range open {
			s.ending = endStopped
			close(s.over)
			s.release()
		}
		t.publishLocked()
	}
	t.mu.Unlock()
	select {
	case <-t.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close tap: %w", context.Cause(ctx))
	}
}

// start opens a stream, and says what the history has for it.
func (t *Tap) start(a *ask) (*stream, past, *wire.Error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if refusal := t.fullLocked(); refusal != nil {
		return nil, past{}, refusal
	}
	release := t.lower(a.level)
	var s *stream
	var p past
	if a.since.IsZero() {
		s = t.openLocked(t.tapeLocked(a))
	} else {
		// A stream with a past has numbers of its own.
		p = t.history.begin(a.since, func(first uint64, replayed int) {
			tp := t.newTape(a, uint64(replayed))
			tp.live = first
			s = t.openLocked(tp)
		})
	}
	s.release = release
	t.serving++
	t.levelLocked()
	return s, p, nil
}

// fullLocked says why no stream can be opened now, nil if one can.
func (t *Tap) fullLocked() *wire.Error {
	switch {
	case t.closed:
		return wire.Errorf(wire.CodeUnavailable, "this log is closed")
	case len(t.open) >= t.o.MaxStreams:
		return wire.Errorf(wire.CodeRateLimited, "%d streams are open, which is the limit", len(t.open))
	case t.serving >= servingFactor*t.o.MaxStreams:
		return wire.Errorf(wire.CodeRateLimited, "the server still writes to %d viewers whose streams have ended",
			t.serving-len(t.open))
	}
	return nil
}

// tapeLocked is the tape of those who ask for the same as a.
func (t *Tap) tapeLocked(a *ask) *tape {
	for _, s := range t.open {
		if s.tape.ask.since.IsZero() && s.tape.ask.key == a.key {
			return s.tape
		}
	}
	return t.newTape(a, 0)
}

// openLocked opens a stream on a tape.
func (t *Tap) openLocked(tp *tape) *stream {
	s := newStream(tp)
	t.open = append(t.open, s)
	t.watchLocked()
	return s
}

// end ends a stream. Of several endings the first counts; a stream that is not open stays as it is.
func (t *Tap) end(s *stream, why ending) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.open, s)
	if i < 0 {
		return
	}
	s.ending = why
	close(s.over)
	t.open = slices.Delete(t.open, i, i+1)
	t.publishLocked()
	s.release()
}

// served says that the request of a stream is answered.
func (t *Tap) served() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.serving--
	if t.closed && t.serving == 0 {
		close(t.idle)
	}
}

// publishLocked makes the open streams those who get events, and their lowest level that of the backend.
func (t *Tap) publishLocked() {
	t.watchLocked()
	t.levelLocked()
}

// watchLocked makes the tapes of the open streams those that get events.
func (t *Tap) watchLocked() {
	w := &watch{streams: len(t.open), closed: t.closed}
	for _, s := range t.open {
		if !slices.Contains(w.tapes, s.tape) {
			w.tapes = append(w.tapes, s.tape)
		}
	}
	t.watch.Store(w)
}

// levelLocked makes the lowest level that is watched that of the backend. It comes after the streams are published, so
// that whoever asks anew finds them.
func (t *Tap) levelLocked() {
	if level := t.lowestLocked(); level != t.sink.Level() {
		t.sink.SetLevel(level)
		return
	}
	// The scopes may have changed.
	t.sink.Touch()
}

// lowestLocked is the lowest level that is watched, or kept.
func (t *Tap) lowestLocked() slog.Level {
	lowest := spile.LevelOff
	if t.history != nil && !t.closed {
		lowest = slog.Level(t.history.level)
	}
	for _, s := range t.open {
		lowest = min(lowest, slog.Level(s.tape.level))
	}
	return lowest
}

// lower takes a lease on each of the levels outside the handler; the result ends them.
func (t *Tap) lower(level slog.Level) (release func()) {
	releases := make([]func(), 0, len(t.o.Lower))
	for _, l := range t.o.Lower {
		releases = append(releases, l.Lease(level))
	}
	return func() {
		for _, release := range releases {
			release()
		}
	}
}

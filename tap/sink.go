package tap

import (
	"context"
	"math"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// live is the place of an event that is not in the history: behind everything that is.
const live = math.MaxUint64

// sink is the tap as a backend of the handler.
type sink struct {
	*spile.Base
	tap *Tap
}

// watch is who watches: one state, which is replaced at each change.
type watch struct {
	tapes   []*tape
	streams int
	closed  bool
}

// Lowest is the lowest level of the streams that a logger's attributes do not rule out, and of the history.
func (k *sink) Lowest(_ string, carried event.Metadata) event.Level {
	lowest := event.Level(spile.LevelOff)
	if h := k.tap.history; h != nil {
		lowest = h.level
	}
	for _, tp := range k.tap.watch.Load().tapes {
		if tp.level < lowest && (len(tp.ask.scopes) == 0 || len(carried) == 0 || !tp.ask.rejects(carried)) {
			lowest = tp.level
		}
	}
	return lowest
}

// Log puts e on each tape that takes it, encoded once for all tapes of a format.
func (k *sink) Log(_ context.Context, e *event.Event) error {
	t := k.tap
	place := uint64(live)
	if h := t.history; h != nil && e.Level >= h.level {
		// Before the streams are looked at: see history.begin.
		place = h.add(e)
	}
	w := t.watch.Load()
	if w.closed {
		return spile.ErrClosed
	}
	var r *rendering
	for _, tp := range w.tapes {
		if e.Level < tp.level || place < tp.live || !t.matches(tp.ask, e) {
			continue
		}
		if r == nil {
			r = t.newRendering(e)
		}
		if tp.ask.patterned && !tp.ask.matcher.Pattern(r.line()) {
			continue
		}
		tp.put(r.body(tp.ask.encoding))
	}
	if r != nil {
		t.free(r)
	}
	return nil
}

// Close ends the streams.
func (k *sink) Close(ctx context.Context) error { return k.tap.shut(ctx) }

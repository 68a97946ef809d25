package tap

import (
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/ring"
)

// history is what was logged last.
type history struct {
	level event.Level
	limit int

	// mu guards what follows. Tap.mu may be held when it is taken, never the other way round.
	mu   sync.Mutex
	ring *ring.Ring[*event.Event]
	// gone is the latest time of an event that is not held any more; zero while there is none.
	gone time.Time
}

// past is what the history has for a stream.
type past struct {
	// events are in the order in which they were logged. They are shared and do not change.
	events []*event.Event
	// cut says that events of the time that was asked for are not held any more.
	cut bool
}

// newHistory returns an empty history.
func newHistory(o History) *history {
	return &history{level: event.Level(o.Level.Level()), limit: o.Bytes, ring: ring.New[*event.Event](o.Bytes)}
}

// add keeps a copy of e and returns its place.
func (h *history) add(e *event.Event) uint64 {
	kept := keep(e)
	size := sizeOf(kept)
	h.mu.Lock()
	defer h.mu.Unlock()
	if size+ring.Overhead > h.limit {
		// A ring always holds the newest entry, however large; a bound is a bound.
		*kept = event.Event{Time: e.Time, Level: e.Level, Message: "(a record too large for the history)"}
		size = sizeOf(kept)
	}
	place := h.ring.Next()
	h.ring.Push(kept, size, func(_ uint64, old *event.Event) {
		if old.Time.After(h.gone) {
			h.gone = old.Time
		}
	})
	return place
}

// begin gives what is held from since on, and calls open with the place from which on events are not among that, and
// how many there are. An event gets its place before the open streams are looked at, so it is either given here, or
// finds the stream that open opened and has a place from there on: never both, never neither.
func (h *history) begin(since time.Time, open func(first uint64, replayed int)) past {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := past{cut: !h.gone.Before(since)}
	for place := h.ring.First(); place < h.ring.Next(); place++ {
		if e := h.ring.At(place); !e.Time.Before(since) {
			p.events = append(p.events, e)
		}
	}
	open(h.ring.Next(), len(p.events))
	return p
}

// keep is a copy of e for later. Values whose methods panic cost the metadata.
func keep(e *event.Event) (kept *event.Event) {
	defer func() {
		if p := recover(); p != nil {
			bare := *e
			bare.Metadata = failure(p)
			clone := bare.Clone()
			kept = &clone
		}
	}()
	clone := e.Clone()
	return &clone
}

// failure is the metadata of an event whose own cannot be read.
func failure(p any) event.Metadata {
	return event.Metadata{
		{Key: "what", Value: event.String("log_format_failed")},
		{Key: "reason", Value: event.String(panicText(p))},
	}
}

// panicText is what a panic says, without calling methods of what it carries: they may be what panicked.
func panicText(p any) string {
	if text, ok := p.(string); ok {
		return text
	}
	return fmt.Sprintf("%T", p)
}

// sizeOf is about how much memory e takes.
func sizeOf(e *event.Event) int {
	return int(unsafe.Sizeof(*e)) + len(e.Source) + len(e.Message) + sizeOfFields(e.Metadata)
}

// sizeOfFields is about how much memory m takes.
func sizeOfFields(m event.Metadata) int {
	size := 0
	for i := range m {
		v := &m[i].Value
		size += int(unsafe.Sizeof(m[i])) + len(m[i].Key)
		switch v.Kind() {
		case event.KindString, event.KindJSON:
			size += len(v.Text())
		case event.KindGroup:
			size += sizeOfFields(v.Fields())
		default:
		}
	}
	return size
}

package spile

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// memoryMax is how many events a [Memory] keeps, where the options do not say.
const memoryMax = 10_000

// MemoryOptions are the options of [NewMemory].
type MemoryOptions struct {
	BaseOptions // A nil Formatter is [format.JSON]; only Text uses it.
	// Name is the name of the backend; empty is memory.
	Name string
	// Max is how many events are kept; 0 or less is 10,000. Beyond that the oldest goes.
	Max int
}

// Memory is a [Backend] that keeps what was logged, for tests.
type Memory struct {
	*Base
	lines lines
	max   int

	// mu guards what follows.
	mu sync.Mutex
	// events are the kept ones; once there are max of them it is a ring whose oldest is at first.
	events  []event.Event
	first   int
	dropped uint64
	// changed is closed and forgotten when there is something new for those who wait; nil while nobody does.
	changed chan struct{}
	closed  bool
}

// NewMemory returns an empty Memory.
func NewMemory(o MemoryOptions) *Memory {
	if o.Formatter == nil {
		o.Formatter = &format.JSON{}
	}
	m := &Memory{Base: NewBase(cmp.Or(o.Name, "memory"), o.BaseOptions), max: o.Max}
	if m.max <= 0 {
		m.max = memoryMax
	}
	m.lines.base, m.lines.standard = m.Base, &format.JSON{}
	return m
}

// Log keeps a clone of e. A value whose method panics costs the metadata: in their place stands what=log_format_failed,
// and the reason.
func (m *Memory) Log(_ context.Context, e *event.Event) error {
	c := keep(e)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	if len(m.events) < m.max {
		m.events = append(m.events, c)
	} else {
		m.events[m.first] = c
		m.first = (m.first + 1) % m.max
		m.dropped++
	}
	m.tellLocked()
	return nil
}

// keep is the clone of e.
func keep(e *event.Event) (c event.Event) {
	defer func() {
		if p := recover(); p != nil {
			bare := *e
			bare.Metadata = event.Metadata{
				{Key: "what", Value: event.String("log_format_failed")},
				{Key: "reason", Value: event.String(errorOf("panic", p).Error())},
			}
			c = bare.Clone()
		}
	}()
	return e.Clone()
}

// tellLocked wakes those who wait.
func (m *Memory) tellLocked() {
	if m.changed != nil {
		close(m.changed)
		m.changed = nil
	}
}

// Events lists what was logged, oldest first. The caller owns the list and all in it; lazy values are resolved, and
// other values of the program are their text or JSON.
func (m *Memory) Events() []event.Event {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]event.Event, 0, len(m.events))
	for i := range m.events {
		out = append(out, m.events[(m.first+i)%len(m.events)].Clone())
	}
	return out
}

// Len is how many events there are.
func (m *Memory) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.events)
}

// Dropped is how many events went because there were more than Max, since the last Reset.
func (m *Memory) Dropped() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dropped
}

// Reset forgets all events and what was dropped.
func (m *Memory) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events, m.first, m.dropped = nil, 0, 0
}

// Text is what the formatter makes of the events, one after the other.
func (m *Memory) Text() string {
	var out []byte
	for _, e := range m.Events() {
		line := m.lines.text(&e)
		out = append(out, *line...)
		m.lines.free(line)
	}
	return string(out)
}

// Wait returns nil as soon as there are n events or more, an error when ctx is done or the backend closed before, and
// at once if n is more than Max.
func (m *Memory) Wait(ctx context.Context, n int) error {
	if n > m.max {
		return fmt.Errorf("wait for %d events: at most %d are kept", n, m.max)
	}
	for {
		m.mu.Lock()
		have, closed := len(m.events), m.closed
		if m.changed == nil {
			m.changed = make(chan struct{})
		}
		changed := m.changed
		m.mu.Unlock()
		switch {
		case have >= n:
			return nil
		case closed:
			return fmt.Errorf("wait for %d events, %d are there: %w", n, have, ErrClosed)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for %d events, %d are there: %w", n, m.Len(), ctx.Err())
		}
	}
}

// Close ends the backend. What was logged can still be read.
func (m *Memory) Close(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	m.tellLocked()
	return nil
}

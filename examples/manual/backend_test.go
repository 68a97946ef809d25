package manual

import (
	"context"
	"sync"
	"testing"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/backendtest"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// Tail is a backend that keeps the last line.
type Tail struct {
	*spile.Base
	mu     sync.Mutex // guards what follows
	line   []byte
	closed bool
}

// NewTail returns a backend of the name tail.
func NewTail() *Tail {
	return &Tail{Base: spile.NewBase("tail", spile.BaseOptions{Formatter: &format.Logfmt{}})}
}

// Log keeps the line of e.
func (b *Tail) Log(_ context.Context, e *event.Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return spile.ErrClosed
	}
	b.line = format.Append(b.Formatter(), b.line[:0], e)
	return nil
}

// Close ends the backend.
func (b *Tail) Close(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

func TestTail(t *testing.T) {
	backendtest.Run(t, backendtest.Options{New: func(*testing.T) spile.Backend { return NewTail() }})
}

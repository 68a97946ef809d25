package spile

import (
	"context"

	"github.com/spilelog/spile/event"
)

// Backend is a named destination of records. To write one, embed a *[Base] and give it Log:
//
//	type Counter struct {
//		*spile.Base
//		n atomic.Int64
//	}
//
//	func (c *Counter) Log(context.Context, *event.Event) error { c.n.Add(1); return nil }
//
// The package backendtest checks that an implementation keeps this contract.
type Backend interface {
	// Settings is the backend's name, level, formatter and bindings: always the same Base.
	Settings() *Base
	// Log takes one record that passed [Base.ShouldLog]; it does not check that again. It is called by any number of
	// goroutines at once, each waiting for it, so it must be quick and must not log to the same handler. The event
	// and all that it holds are valid only during the call and must not be changed: who keeps it clones it. An error
	// says that this record was lost; it is counted and the backend stays. A panic counts as an error. A record on
	// its way may arrive after the backend was removed, and after Close: then the answer is [ErrClosed].
	Log(ctx context.Context, e *event.Event) error
	// Flush returns when what was logged before it is where it belongs, or when ctx is done. Base does nothing here.
	Flush(ctx context.Context) error
	// Close flushes and releases what the backend holds, and waits for it, at most until ctx is done. A second call
	// does nothing. Base does nothing here.
	Close(ctx context.Context) error
}

// Chooser is implemented by a [Backend] that can tell from what a logger carries that it would take none of its
// records. It lets such a logger skip its calls altogether.
type Chooser interface {
	// Lowest is the lowest level at which the backend might take a record of a logger that carries this namespace,
	// empty if it depends on the call, and this metadata. Its answer holds until the next [Base.Touch] or change of
	// its settings. Metadata that a call or a context adds comes behind the metadata carried.
	Lowest(namespace string, carried event.Metadata) event.Level
}

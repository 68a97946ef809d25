// Package fabric is the message layer between servers: publish, subscribe and request by subject. One server uses
// [Memory]; many servers will use an implementation over the network with the same contract, which is why the
// contract promises no more than that can hold:
//
//   - a message is delivered at most once to each subscription, in the order of one publisher and subject;
//   - a subscription's queue is bounded; what does not fit is dropped and counted, and the publisher never waits;
//   - a request that nobody answers fails with [ErrNoResponders], at once or after a short while.
//
// Whoever cannot stand a drop sends batches with credits and numbers, and asks again.
package fabric

import (
	"context"
	"errors"
)

// ErrNoResponders is the error of a request that nobody is subscribed for.
var ErrNoResponders = errors.New("no responders")

// ErrClosed is the error of every call after Close.
var ErrClosed = errors.New("fabric closed")

// Handler takes one message. The calls of one subscription come one after another on a goroutine of its own. The
// data is shared with other subscriptions and must not be changed. The answer is sent if the message was a request.
type Handler func(data []byte) (answer []byte)

// Fabric carries messages. All methods may be called concurrently.
type Fabric interface {
	// Publish sends data to all subscriptions of subject. The fabric keeps data; the caller must not change it.
	Publish(subject string, data []byte) error
	// Subscribe calls h for each message on exactly subject. The queue holds at most queue messages.
	Subscribe(subject string, queue int, h Handler) (Subscription, error)
	// Request sends data to one subscription of subject and waits for its answer.
	Request(ctx context.Context, subject string, data []byte) ([]byte, error)
	// Close ends all subscriptions and waits for their handlers.
	Close() error
}

// Subscription is one listener.
type Subscription interface {
	// Dropped counts the messages that did not fit the queue.
	Dropped() uint64
	// Close ends the subscription and waits for a running handler, unless it is called by that handler. A second
	// call does nothing.
	Close() error
}

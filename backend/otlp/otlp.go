package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/internal/callsite"
)

// maxKept is the size above which the memory of an encoder is not kept for the next record.
const maxKept = 64 << 10

var errAborted = errors.New("the backend was closed before it could deliver")

// Backend sends records to a collector; see the package's documentation. Make one with [New].
type Backend struct {
	*spile.Base
	queue    queue
	sites    callsite.Cache
	encoders sync.Pool
	retryFor time.Duration
	onLoss   func(int, error)
	// idle closes the connections of the backend's own client.
	idle func()

	// launch starts the sender, once. It closes done when it ends; abort makes it end without delivering.
	launch func()
	abort  context.CancelFunc
	done   chan struct{}
}

// New returns a backend that connects when the first record is logged. The error names an option that cannot be.
func New(o Options) (*Backend, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("otlp backend: %w", err)
	}
	b := &Backend{
		Base:     spile.NewBase(o.Name, o.BaseOptions),
		encoders: sync.Pool{New: func() any { return &encoder{} }},
		retryFor: o.RetryFor,
		onLoss:   o.OnLoss,
		idle:     func() {},
		done:     make(chan struct{}),
	}
	b.queue = queue{
		maxRecords: o.QueueSize, maxBytes: o.QueueBytes, batchSize: o.BatchSize, every: o.Every,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), progress: make(chan struct{}),
	}
	if o.Client == nil {
		transport := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
		o.Client = &http.Client{Transport: transport}
		b.idle = transport.CloseIdleConnections
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := newSender(o, b.queue.closing)
	b.abort = cancel
	b.launch = func() { go b.send(ctx, s) }
	return b, nil
}

// Log puts e into the queue, as [spile.Backend] says. It returns [ErrQueueFull] if there is no room.
func (b *Backend) Log(_ context.Context, e *event.Event) error {
	enc := b.encoders.Get().(*encoder)
	enc.buf = enc.buf[:0]
	enc.drop(0)
	enc.record(e, call{body: b.body(e), site: b.sites.Lookup(e.PC), observed: time.Now()})
	start, err := b.queue.put(enc.buf)
	if start {
		b.launch()
	}
	if cap(enc.buf) <= maxKept {
		b.encoders.Put(enc)
	}
	return err
}

// body is the text of e.
func (b *Backend) body(e *event.Event) string {
	f := b.Formatter()
	if f == nil {
		return e.Message
	}
	return strings.TrimSuffix(string(format.Append(f, nil, e)), "\n")
}

// Stats counts the records.
func (b *Backend) Stats() Stats { return b.queue.snapshot() }

// Flush sends what is waiting and returns when the fate of each record logged before is known, or when ctx is done. The
// error says how many were lost meanwhile, and why.
func (b *Backend) Flush(ctx context.Context) error {
	target, before := b.queue.seal()
	for {
		done, progress, lost, err := b.queue.reached(target)
		if done {
			return lossError(lost-before, err)
		}
		select {
		case <-progress:
		case <-ctx.Done():
			return fmt.Errorf("wait for the collector: %w", ctx.Err())
		}
	}
}

// Close sends what is waiting, until ctx is done and for at most [Options.RetryFor]; what is left then is counted as
// failed. The error says how many records were lost meanwhile, and why. A second call waits for the first.
func (b *Backend) Close(ctx context.Context) error {
	_, before := b.queue.seal()
	first, started := b.queue.close()
	if !started {
		b.abort()
		return nil
	}
	if !first {
		select {
		case <-b.done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	ctx, cancel := context.WithTimeout(ctx, b.retryFor)
	defer cancel()
	select {
	case <-b.done:
	case <-ctx.Done():
		b.abort()
		<-b.done // The requests of the sender end with its context.
	}
	b.abort()
	b.idle()
	_, _, lost, err := b.queue.reached(0)
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", err, ctx.Err())
	}
	return lossError(lost-before, err)
}

// lossError says that records were lost.
func lossError(lost uint64, reason error) error {
	if lost == 0 {
		return nil
	}
	return fmt.Errorf("%d records were lost: %w", lost, reason)
}

// send delivers batches until the queue has ended.
func (b *Backend) send(ctx context.Context, s *sender) {
	defer close(b.done)
	for {
		next, wait, end := b.queue.take()
		switch {
		case end:
			return
		case next.n == 0:
			b.await(wait)
			continue
		}
		o := outcome{failed: next.n, err: errAborted}
		if ctx.Err() == nil {
			o = s.deliver(ctx, next)
		}
		lost := o.rejected + o.failed
		b.queue.finish(next, o)
		if o.err != nil && b.onLoss != nil {
			b.tell(lost, o.err)
		}
	}
}

// tell calls OnLoss. A panic of it must not end the program, and there is nobody else to tell.
func (b *Backend) tell(lost int, err error) {
	defer func() { _ = recover() }()
	b.onLoss(lost, err)
}

// await returns when the queue should be looked at again, after wait at the latest if it is not 0.
func (b *Backend) await(wait time.Duration) {
	if wait == 0 {
		<-b.queue.wake
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-b.queue.wake:
	case <-timer.C:
	}
}

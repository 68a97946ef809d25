package spile

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/spilelog/spile/event"
)

// flushEvery is how long a record stays in a buffer at most, where the options do not say.
const flushEvery = time.Second

// output gives records to a writer, each at once or several together. A record is in one of three states: written,
// waiting to be, or refused with an error. One of which the writer has taken a part is waiting, and is finished before
// the next.
type output struct {
	// size is how many bytes may wait; 0 lets none wait but what the writer did not take of a record.
	size int
	// every is how long a record waits at most; negative: until there is another reason to write.
	every time.Duration

	// mu guards what follows, and the writer. The time of the owner's write is the time that others wait.
	mu      sync.Mutex
	w       io.Writer
	waiting buffer
	closed  bool
	// failed is what the last write said.
	failed error
	// timer runs while armed. ticks counts its goroutine, from arming to its end or until it was stopped in time.
	timer *time.Timer
	armed bool
	ticks sync.WaitGroup
}

// log takes one record.
func (o *output) log(line []byte, level event.Level) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	return o.takeLocked(line, level >= event.Error)
}

// takeLocked takes one record, and writes it at once if it is urgent. An error says that the record is lost; others
// that were waiting go on waiting.
func (o *output) takeLocked(line []byte, urgent bool) error {
	if len(line) == 0 {
		return nil
	}
	if len(o.waiting.data)+len(line) > o.size {
		if err := o.writeLocked(); err != nil && len(o.waiting.data)+len(line) > o.size {
			return err
		}
	}
	waits := len(line) <= o.size
	o.waiting.add(line)
	if waits && !urgent {
		o.armLocked()
		return nil
	}
	err := o.writeLocked()
	if waits || o.waiting.begun() {
		return nil // The writer's error stands in failed; the record is not lost.
	}
	o.waiting.reset()
	return err
}

// writeLocked writes what is waiting. What the writer does not take goes on waiting.
func (o *output) writeLocked() error {
	o.failed = o.waiting.writeTo(o.w)
	o.waiting.shrink(o.size)
	if o.failed != nil {
		o.armLocked()
	}
	return o.failed
}

// armLocked makes the timer run, unless nothing is waiting for it.
func (o *output) armLocked() {
	if o.armed || o.closed || o.every < 0 || len(o.waiting.data) == 0 {
		return
	}
	o.armed = true
	o.ticks.Add(1)
	if o.timer == nil {
		o.timer = time.AfterFunc(o.every, o.tick)
		return
	}
	o.timer.Reset(o.every)
}

// tick is what the timer does.
func (o *output) tick() {
	defer o.ticks.Done()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.armed = false
	if !o.closed {
		_ = o.writeLocked() // What it says stands in failed, and what was not written keeps the timer running.
	}
}

// lastWrite is how long a write may take that begins when ctx is done already, or is not over by then. A program whose
// context was cancelled to end it still writes what it logged, while a writer that blocks does not keep it.
const lastWrite = 100 * time.Millisecond

// until is do, which waits for the writer. When ctx is done and the writer still blocks, it returns; do ends by itself
// as soon as the writer lets go.
func until(ctx context.Context, do func() error) error {
	if ctx.Done() == nil {
		return do()
	}
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(lastWrite)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return fmt.Errorf("the writer blocks: %w", ctx.Err())
	}
}

// flush writes what is waiting.
func (o *output) flush() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	return o.writeLocked()
}

// closeLocked ends the output with a last write and returns how many records that lost. The caller waits for the
// ticks when it has released the lock.
func (o *output) closeLocked() (lost int, err error) {
	o.closed = true
	if o.armed && o.timer.Stop() {
		o.armed = false
		o.ticks.Done()
	}
	err = o.writeLocked()
	lost = len(o.waiting.ends)
	o.waiting = buffer{}
	if err != nil {
		err = fmt.Errorf("%d records lost: %w", lost, err)
	}
	return lost, err
}

// close is closeLocked for an output that has nothing else to close. A second call waits for the first and does
// nothing.
func (o *output) close(base *Base) error {
	defer o.ticks.Wait()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	lost, err := o.closeLocked()
	base.failed.Add(uint64(lost))
	return err
}

package backendtest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/spilelog/spile"
)

// checkFlush flushes before the first record, with a context that is done, and after Close.
func (k *kit) checkFlush() {
	b := k.open(k.t)
	k.flush(b)
	k.log(b, newSample("flush"))
	done, cancel := context.WithCancel(context.Background())
	cancel()
	err := k.call("Flush with a context that is done", func() error { return b.Flush(done) })
	if err != nil && !errors.Is(err, context.Canceled) {
		k.breach("with a context that is done it answered %v, want nil or the error of the context", err)
	}
	k.flush(b)
	k.close(b)
	err = k.call("Flush after Close", func() error { return b.Flush(context.Background()) })
	if err != nil && !errors.Is(err, spile.ErrClosed) {
		k.breach("after Close it answered %v, want nil or spile.ErrClosed", err)
	}
}

// checkClose closes an idle backend, one with a record and a context that is done, and one from two goroutines.
func (k *kit) checkClose() {
	idle := k.open(k.t)
	k.close(idle)
	k.close(idle)

	busy := k.open(k.t)
	k.log(busy, newSample("close"))
	done, cancel := context.WithCancel(context.Background())
	cancel()
	err := k.call("Close with a context that is done", func() error { return busy.Close(done) })
	if err != nil && !errors.Is(err, context.Canceled) {
		k.breach("with a context that is done it answered %v, want nil or the error of the context", err)
	}
	k.close(busy)

	twice := k.open(k.t)
	k.log(twice, newSample("close twice"))
	errs := make([]error, 2)
	err = k.call("Close from two goroutines", func() error {
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = guard(func() error { return twice.Close(context.Background()) }) })
		}
		wg.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		k.breach("Close from two goroutines answered %v", err)
	}
}

// checkLogAfterClose logs to a backend that is closed.
func (k *kit) checkLogAfterClose() {
	b := k.open(k.t)
	k.log(b, newSample("before close"))
	k.close(b)
	s := newSample("after close")
	err := k.call("Log after Close", func() error { return b.Log(context.Background(), &s.event) })
	switch {
	case k.o.Endless && err != nil:
		k.breach("it answered %v, though Options.Endless says that it goes on", err)
	case !k.o.Endless && !errors.Is(err, spile.ErrClosed):
		k.breach("it answered %v", err)
	case k.o.Endless || k.o.Records == nil:
		return
	}
	got := k.records(b)
	if len(got["before close"]) != 1 || len(got["after close"]) != 0 {
		k.breach("the record before Close was written %d times and that after it %d times, want once and never",
			len(got["before close"]), len(got["after close"]))
	}
}

// checkCloseWhileLogging closes a backend that is in use; each record is taken or refused.
func (k *kit) checkCloseWhileLogging() {
	b := k.open(k.t)
	k.hammer(b, func(err error) bool { return err == nil || errors.Is(err, spile.ErrClosed) },
		func() error { return b.Close(context.Background()) })
}

// checkGoroutines uses and closes a backend, and looks for goroutines that were not there before. It does so in a
// subtest, so that what ends by t.Cleanup is gone too.
func (k *kit) checkGoroutines() {
	before := goroutines()
	k.t.Run("backend", func(t *testing.T) {
		b := k.open(t)
		k.log(b, newSample("goroutines"))
		k.flush(b)
		k.close(b)
	})
	if left := leftover(before, k.patience); left != "" {
		k.breach("a goroutine is still there:\n%s", left)
	}
}

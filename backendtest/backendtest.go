// Package backendtest checks that a [spile.Backend] keeps the contract written on it. Whoever writes a backend calls
// [Run] in a test of its own, best under the race detector, which finds what the eye does not:
//
//	func TestContract(t *testing.T) {
//		backendtest.Run(t, backendtest.Options{
//			New: func(t *testing.T) spile.Backend { return newCounter() },
//		})
//	}
package backendtest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// patience is how long a call may take that the contract does not let wait.
const patience = 10 * time.Second

// Options say what to check. Only New must be set.
type Options struct {
	// New returns a new backend that nobody else uses, and whose destination takes what it gets. The kit closes it.
	// What belongs to the backend's surroundings, such as a server, ends by t.Cleanup.
	New func(t *testing.T) spile.Backend
	// Records reads back what the backend wrote, oldest first, after a Flush or Close: times, levels, messages and
	// metadata, as far as its format has them; a group may come as dotted keys. Without it the kit cannot see what
	// arrives, and leaves that out, slogtest included.
	Records func(b spile.Backend) ([]event.Event, error)
	// Endless says that Close ends nothing, so that Log goes on as before, as in a backend that only counts.
	Endless bool
}

// rule is one part of the contract.
type rule struct {
	// name is that of the subtest, says what a message about a breach begins with.
	name, says string
	check      func(k *kit)
}

// rules lists the parts of the contract.
func rules() []rule {
	return []rule{
		{"settings", "Settings is always the same Base, with a name", (*kit).checkSettings},
		{"event-unchanged", "Log must not change the event nor what it holds", (*kit).checkUnchanged},
		{"event-not-kept", "an event is valid only during Log: who keeps it clones it", (*kit).checkNotKept},
		{"concurrent-log", "Log is called by any number of goroutines at once", (*kit).checkConcurrent},
		{"concurrent-changes", "settings change while records are logged", (*kit).checkChanges},
		{"panicking-formatter", "a formatter that panics costs one fallback line: use format.Append", (*kit).checkPanic},
		{"flush", "Flush works with nothing to flush, and returns when its context is done", (*kit).checkFlush},
		{"close", "Close returns when its context is done, and a second Close does nothing", (*kit).checkClose},
		{"log-after-close", "after Close the answer of Log is spile.ErrClosed", (*kit).checkLogAfterClose},
		{"close-while-logging", "a record on its way may arrive during Close", (*kit).checkCloseWhileLogging},
		{"no-goroutine-left", "Close waits for all that the backend started", (*kit).checkGoroutines},
		{"slog", "behind a Handler, the backend writes what log/slog asks for", (*kit).checkSlog},
	}
}

// Run checks every rule of the contract in a subtest of its name, each with a new backend. Other tests must not run
// beside it, because it looks for goroutines that were left behind.
func Run(t *testing.T, o Options) {
	t.Helper()
	if o.New == nil {
		t.Fatal("backendtest: Options.New is nil, it must be set")
	}
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			r.check(&kit{TB: t, t: t, o: o, rule: r, patience: patience})
		})
	}
}

// kit is one rule being checked. It reports to the TB, which is t but in tests of the kit itself.
type kit struct {
	testing.TB
	t        *testing.T
	o        Options
	rule     rule
	patience time.Duration
}

// breach reports that the backend broke the rule, and goes on.
func (k *kit) breach(format string, args ...any) {
	k.Helper()
	k.Errorf("%s: %s: %s", k.rule.name, k.rule.says, fmt.Sprintf(format, args...))
}

// open is a new backend, closed when the test ends.
func (k *kit) open(t *testing.T) spile.Backend {
	b := k.o.New(t)
	if b == nil {
		k.Fatalf("backendtest: Options.New returned nil")
	}
	// The checks look at Close; here it only frees what the backend holds.
	t.Cleanup(func() { _, _ = k.wait(func() error { return b.Close(context.Background()) }) })
	return b
}

// call is the error of one call, which may neither panic nor take too long. One that takes too long ends the check:
// whatever comes next would wait as well.
func (k *kit) call(what string, f func() error) error {
	k.Helper()
	returned, err := k.wait(f)
	if !returned {
		k.breach("%s did not return within %v", what, k.patience)
		k.FailNow()
	}
	if panicked := (*panicError)(nil); errors.As(err, &panicked) {
		k.breach("%s: %v", what, err)
		return nil
	}
	return err
}

// wait says whether f returned in time, and its error.
func (k *kit) wait(f func() error) (returned bool, err error) {
	done := make(chan error, 1)
	go func() { done <- guard(f) }()
	timer := time.NewTimer(k.patience)
	defer timer.Stop()
	select {
	case err := <-done:
		return true, err
	case <-timer.C:
		return false, nil
	}
}

// panicError is a panic of the backend.
type panicError struct{ value any }

// Error says what the backend panicked with.
func (e *panicError) Error() string { return fmt.Sprintf("a panic: %v", e.value) }

// guard is the error of f, or its panic.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p}
		}
	}()
	return f()
}

// log logs a sample and reports an error.
func (k *kit) log(b spile.Backend, s *sample) {
	k.Helper()
	err := k.call("Log", func() error { return b.Log(context.Background(), &s.event) })
	if err != nil {
		k.breach("Log answered %v", err)
	}
}

// flush flushes and reports an error.
func (k *kit) flush(b spile.Backend) {
	k.Helper()
	if err := k.call("Flush", func() error { return b.Flush(context.Background()) }); err != nil {
		k.breach("Flush answered %v", err)
	}
}

// close closes and reports an error.
func (k *kit) close(b spile.Backend) {
	k.Helper()
	if err := k.call("Close", func() error { return b.Close(context.Background()) }); err != nil {
		k.breach("Close answered %v", err)
	}
}

// records reads back what was written, by message.
func (k *kit) records(b spile.Backend) map[string][]event.Event {
	k.Helper()
	events, err := k.o.Records(b)
	if err != nil {
		k.Fatalf("backendtest: Options.Records: %v", err)
	}
	out := map[string][]event.Event{}
	for _, e := range events {
		out[e.Message] = append(out[e.Message], e)
	}
	return out
}

// checkSettings asks for the settings before, between and after records.
func (k *kit) checkSettings() {
	b := k.open(k.t)
	base := b.Settings()
	if base == nil {
		k.breach("it is nil")
		return
	}
	if base.Name() == "" {
		k.breach("the name is empty")
	}
	same := func(when string) {
		if b.Settings() != base {
			k.breach("it was another %s", when)
		}
	}
	same("at the second call")
	k.log(b, newSample("settings"))
	same("after Log")
	k.flush(b)
	same("after Flush")
	k.close(b)
	same("after Close")
}

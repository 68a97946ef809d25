package backendtest

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// broken is a backend that breaks one rule.
type broken struct {
	rule, name string
	open       func(t *testing.T) spile.Backend
	records    func(b spile.Backend) ([]event.Event, error)
	endless    bool
	stuck      bool   // A call does not return.
	want       string // What the kit says, in part.
}

// hooked is a keeper whose methods a test replaces.
type hooked struct {
	*keeper
	settings func() *spile.Base
	log      func(e *event.Event) error
	flush    func(ctx context.Context) error
	close    func(ctx context.Context) error
}

func (h *hooked) Settings() *spile.Base {
	if h.settings != nil {
		return h.settings()
	}
	return h.keeper.Settings()
}

func (h *hooked) Log(ctx context.Context, e *event.Event) error {
	if h.log != nil {
		return h.log(e)
	}
	return h.keeper.Log(ctx, e)
}

func (h *hooked) Flush(ctx context.Context) error {
	if h.flush != nil {
		return h.flush(ctx)
	}
	return h.keeper.Flush(ctx)
}

func (h *hooked) Close(ctx context.Context) error {
	if h.close != nil {
		return h.close(ctx)
	}
	return h.keeper.Close(ctx)
}

// hook opens keepers with some methods replaced.
func hook(replace func(h *hooked)) func(*testing.T) spile.Backend {
	return func(t *testing.T) spile.Backend {
		h := &hooked{keeper: newKeeper()}
		t.Cleanup(func() { _ = h.keeper.Close(context.Background()) })
		replace(h)
		return h
	}
}

// logAs replaces Log.
func logAs(log func(k *keeper, e *event.Event) error) func(*testing.T) spile.Backend {
	return hook(func(h *hooked) { h.log = func(e *event.Event) error { return log(h.keeper, e) } })
}

var errBroken = errors.New("broken on purpose")

func brokenBackends() []broken {
	return append(brokenLogs(), brokenEnds()...)
}

// brokenLogs have a wrong Settings or Log.
func brokenLogs() []broken {
	return []broken{
		{rule: "settings", name: "nil", want: "it is nil", open: hook(func(h *hooked) {
			h.settings = func() *spile.Base { return nil }
		})},
		{rule: "settings", name: "another-each-time", want: "it was another at the second call", open: hook(func(h *hooked) {
			h.settings = func() *spile.Base { return spile.NewBase("new", spile.BaseOptions{}) }
		})},
		{rule: "settings", name: "no-name", want: "the name is empty", open: hook(func(h *hooked) {
			h.Base = spile.NewBase("", spile.BaseOptions{})
		})},
		{rule: "event-unchanged", name: "level", want: "it was", open: logAs(func(k *keeper, e *event.Event) error {
			e.Level = event.Error
			return k.Log(context.Background(), e)
		})},
		{rule: "event-unchanged", name: "value", want: "it was", open: logAs(func(k *keeper, e *event.Event) error {
			e.Metadata[0].Value = event.String("***")
			return k.Log(context.Background(), e)
		})},
		{rule: "event-unchanged", name: "in-a-group", want: "it was", open: logAs(func(k *keeper, e *event.Event) error {
			e.Metadata[2].Value.Fields()[0].Key = "inside"
			return k.Log(context.Background(), e)
		})},
		{rule: "event-unchanged", name: "behind-the-end", want: "it was", open: logAs(func(k *keeper, e *event.Event) error {
			c := *e
			c.Metadata = append(c.Metadata, event.Field{Key: "host"})
			return k.Log(context.Background(), &c)
		})},
		{rule: "event-not-kept", name: "kept-as-it-is", want: `"kept one" was written 0 times`, open: keepAsItIs()},
		{
			rule: "event-not-kept", name: "lazy-value-kept", want: "was looked at after Log returned", open: keepAsItIs(),
		},
		{
			rule: "event-not-kept", name: "strings-cloned-only", want: "metadata of \"kept one\" was written after it was overwritten",
			open: logAs(func(k *keeper, e *event.Event) error {
				c := e.Clone()
				c.Metadata = e.Metadata
				k.keep(&c)
				return nil
			}),
		},
		{rule: "concurrent-log", name: "loses", want: "was written 0 times, want once", open: each10th(func() error { return nil })},
		{rule: "concurrent-log", name: "fails", want: "Log answered broken on purpose", open: each10th(func() error { return errBroken })},
		{rule: "concurrent-log", name: "panics", want: "a panic: broken on purpose", open: each10th(func() error { panic(errBroken) })},
		{rule: "concurrent-changes", name: "needs-a-formatter", want: "a panic: ", open: logAs(func(k *keeper, e *event.Event) error {
			k.wrote.Lock()
			defer k.wrote.Unlock()
			k.text = k.Formatter().Append(k.text[:0], e)
			return nil
		})},
		{rule: "panicking-formatter", name: "unguarded", want: "a panic: this formatter panics", open: logAs(func(k *keeper, e *event.Event) error {
			_ = k.Formatter().Append(nil, e)
			return nil
		})},
		{rule: "panicking-formatter", name: "keeps-its-lock", stuck: true, want: "Log did not return within", open: keepsItsLock()},
		{rule: "slog", name: "flat", want: "slogtest says:", open: hook(func(*hooked) {}), records: func(b spile.Backend) ([]event.Event, error) {
			events, err := kept(b)
			for i := range events {
				var flat event.Metadata
				for _, f := range events[i].Metadata {
					if f.Value.Kind() != event.KindGroup {
						flat = append(flat, f)
					}
				}
				events[i].Metadata = flat
			}
			return events, err
		}},
		{rule: "slog", name: "loses", want: "slogtest says:", open: each10th(func() error { return nil })},
	}
}

// keepAsItIs writes at Flush what Log was given, as it is by then.
func keepAsItIs() func(*testing.T) spile.Backend {
	return hook(func(h *hooked) {
		var waiting []*event.Event
		h.log = func(e *event.Event) error {
			shallow := *e
			waiting = append(waiting, &shallow)
			// A copy of the values, which holds on to what they refer to.
			shallow.Metadata = append(event.Metadata(nil), e.Metadata...)
			return nil
		}
		h.flush = func(context.Context) error {
			for _, e := range waiting {
				c := e.Clone()
				h.keep(&c)
			}
			waiting = nil
			return nil
		}
	})
}

// keepsItsLock locks, and unlocks only if the formatter returns.
func keepsItsLock() func(*testing.T) spile.Backend {
	return hook(func(h *hooked) {
		lock := make(chan struct{}, 1)
		h.log = func(e *event.Event) error {
			select {
			case lock <- struct{}{}:
			case <-h.ended:
				return nil
			}
			_ = h.Formatter().Append(nil, e)
			<-lock
			return nil
		}
	})
}

// each10th does something else with every tenth record.
func each10th(other func() error) func(*testing.T) spile.Backend {
	return hook(func(h *hooked) {
		var n atomic.Int64
		h.log = func(e *event.Event) error {
			if n.Add(1)%10 == 0 {
				return other()
			}
			return h.keeper.Log(context.Background(), e)
		}
	})
}

// brokenEnds have a wrong Flush or Close.
func brokenEnds() []broken {
	return []broken{
		{rule: "flush", name: "nothing-to-flush", want: "Flush answered broken on purpose", open: hook(func(h *hooked) {
			h.flush = func(context.Context) error { return errBroken }
		})},
		{rule: "flush", name: "waits-on", stuck: true, want: "Flush with a context that is done did not return", open: hook(func(h *hooked) {
			h.flush = func(ctx context.Context) error {
				if ctx.Err() != nil {
					<-h.ended
				}
				return nil
			}
		})},
		{rule: "flush", name: "after-close", want: "after Close it answered broken on purpose", open: hook(func(h *hooked) {
			h.flush = func(ctx context.Context) error {
				if h.isClosed() {
					return errBroken
				}
				return h.keeper.Flush(ctx)
			}
		})},
		{rule: "close", name: "second-fails", want: "Close answered broken on purpose", open: secondClose(func() error { return errBroken })},
		{rule: "close", name: "second-panics", want: "Close: a panic: broken on purpose", open: secondClose(func() error { panic(errBroken) })},
		{rule: "close", name: "waits-on", stuck: true, want: "Close did not return within", open: hook(func(h *hooked) {
			h.close = func(context.Context) error { <-h.ended; return nil }
		})},
		{rule: "log-after-close", name: "taken", want: "it answered <nil>", open: logAs(func(*keeper, *event.Event) error { return nil })},
		{rule: "log-after-close", name: "panics", want: "a panic: broken on purpose", open: logAs(func(k *keeper, e *event.Event) error {
			if k.isClosed() {
				panic(errBroken)
			}
			return k.Log(context.Background(), e)
		})},
		{rule: "log-after-close", name: "written", want: "want once and never", open: logAs(func(k *keeper, e *event.Event) error {
			c := e.Clone()
			k.keep(&c)
			if k.isClosed() {
				return spile.ErrClosed
			}
			return nil
		})},
		{rule: "log-after-close", name: "not-endless", endless: true, want: "though Options.Endless says", open: hook(func(*hooked) {})},
		{rule: "close-while-logging", name: "other-error", want: "Log answered broken on purpose", open: hook(func(h *hooked) {
			h.log = func(e *event.Event) error {
				if err := h.keeper.Log(context.Background(), e); err != nil {
					return errBroken
				}
				return nil
			}
			// The last record of a writer waits until Close has been called.
			inner := h.log
			h.log = func(e *event.Event) error {
				if e.Message == hammered(0, each-1) {
					<-h.ended
				}
				return inner(e)
			}
		})},
		{rule: "no-goroutine-left", name: "one-left", want: "a goroutine is still there:", stuck: true, open: func(t *testing.T) spile.Backend {
			go func() { <-never }()
			return newKeeper()
		}},
	}
}

// never is what a goroutine waits for that is left behind.
var never = make(chan struct{})

// isClosed says whether Close was called.
func (k *keeper) isClosed() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.closed
}

// secondClose does something else at the second Close, but for the last of all, that of the kit.
func secondClose(other func() error) func(*testing.T) spile.Backend {
	return hook(func(h *hooked) {
		var n atomic.Int64
		h.close = func(ctx context.Context) error {
			if n.Add(1) == 2 {
				return other()
			}
			return h.keeper.Close(ctx)
		}
	})
}

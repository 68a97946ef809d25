package backendtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// How much is logged at once.
const (
	writers = 8
	each    = 50
)

// checkUnchanged compares an event before and after Log.
func (k *kit) checkUnchanged() {
	b := k.open(k.t)
	s := newSample("unchanged")
	k.log(b, s)
	if s.changed() {
		k.breach("it was %s, and is %s", s.before, s.print())
	}
}

// checkNotKept overwrites events after Log, and looks at what was written.
func (k *kit) checkNotKept() {
	b := k.open(k.t)
	messages := []string{"kept one", "kept two", "kept three"}
	var samples []*sample
	for _, message := range messages {
		s := newSample(message)
		k.log(b, s)
		s.overwrite()
		samples = append(samples, s)
	}
	k.flush(b)
	k.close(b)
	for i, s := range samples {
		if s.lazy.late.Load() {
			k.breach("a lazy value of %q was looked at after Log returned", messages[i])
		}
	}
	if k.o.Records == nil {
		return
	}
	got := k.records(b)
	for _, message := range messages {
		if len(got[message]) != 1 {
			k.breach("%q was written %d times, want once", message, len(got[message]))
			continue
		}
		k.compareFields(&got[message][0])
	}
}

// compareFields compares those fields of a sample that were written.
func (k *kit) compareFields(e *event.Event) {
	wants := map[string]string{
		keyText: valueText, keyGroup + "." + keyInner: valueInner, keyLazy: valueLazy,
	}
	for key, want := range wants {
		if v, ok := e.Metadata.Get(key); ok && v.Text() != want {
			k.breach("%s of %q was written as %q, want %q", key, e.Message, v.Text(), want)
		}
	}
	if _, ok := e.Metadata.Get(overwritten); ok {
		k.breach("metadata of %q was written after it was overwritten", e.Message)
	}
}

// checkConcurrent logs and flushes from many goroutines, and looks at what arrived.
func (k *kit) checkConcurrent() {
	b := k.open(k.t)
	k.hammer(b, func(err error) bool { return err == nil })
	k.flush(b)
	k.close(b)
	if k.o.Records == nil {
		return
	}
	got := k.records(b)
	for g := range writers {
		for i := range each {
			if message := hammered(g, i); len(got[message]) != 1 {
				k.breach("%q was written %d times, want once", message, len(got[message]))
				return
			}
		}
	}
}

// hammered is the message of a record of hammer.
func hammered(writer, i int) string { return fmt.Sprintf("writer %d record %d", writer, i) }

// hammer logs from many goroutines, flushes beside that, and runs what else happens meanwhile. It reports the first
// answer that may not be, and the first panic.
func (k *kit) hammer(b spile.Backend, may func(error) bool, meanwhile ...func() error) {
	k.Helper()
	var wg sync.WaitGroup
	first := make(chan error, 1)
	start := func(what string, f func() error) {
		wg.Go(func() {
			if err := guard(f); !may(err) {
				select {
				case first <- fmt.Errorf("%s answered %w", what, err):
				default:
				}
			}
		})
	}
	for g := range writers {
		start("Log", func() error { return logMany(b, g) })
	}
	start("Flush beside Log", func() error {
		for range each {
			if err := b.Flush(context.Background()); err != nil {
				return err
			}
		}
		return nil
	})
	for _, f := range meanwhile {
		start("a change beside Log", f)
	}
	_ = k.call("logging from many goroutines", func() error { wg.Wait(); return nil })
	select {
	case err := <-first:
		k.breach("%v", err)
	default:
	}
}

// logMany logs the records of one writer, up to the first error.
func logMany(b spile.Backend, writer int) error {
	for i := range each {
		s := newSample(hammered(writer, i))
		if err := b.Log(context.Background(), &s.event); err != nil {
			return err
		}
		s.overwrite()
	}
	return nil
}

// checkChanges changes all that can be changed while records are logged.
func (k *kit) checkChanges() {
	b := k.open(k.t)
	base := b.Settings()
	plain := format.Func(func(dst []byte, e *event.Event) []byte { return append(append(dst, e.Message...), '\n') })
	k.hammer(b, func(err error) bool { return err == nil },
		func() error {
			for i := range each {
				base.SetLevel(slog.Level(i%9 - 4))
				base.SetFormatter([]format.Formatter{plain, nil}[i%2])
			}
			return nil
		},
		func() error {
			for i := range each {
				if err := base.Bind("backendtest.*", slog.Level(i)); err != nil {
					return err
				}
				base.Unbind("backendtest.*")
				if err := base.SetBindings([]spile.Binding{{Pattern: "**", Level: slog.LevelDebug}}); err != nil {
					return err
				}
			}
			return nil
		},
	)
	// The order of what happened beside each other is chance; these two are not.
	for _, f := range []format.Formatter{plain, nil} {
		base.SetFormatter(f)
		k.log(b, newSample("after the changes"))
	}
	k.flush(b)
}

// errFormatter is what the formatter of checkPanic panics with.
var errFormatter = errors.New("this formatter panics")

// checkPanic logs through a formatter that panics, and then through the one before.
func (k *kit) checkPanic() {
	b := k.open(k.t)
	base := b.Settings()
	before := base.Formatter()
	base.SetFormatter(format.Func(func([]byte, *event.Event) []byte { panic(errFormatter) }))
	k.log(b, newSample("panic"))
	k.flush(b)
	base.SetFormatter(before)
	k.log(b, newSample("after the panic"))
	k.flush(b)
}

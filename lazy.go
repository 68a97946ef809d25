package spile

import (
	"errors"
	"log/slog"
	"reflect"

	"github.com/spilelog/spile/event"
)

// Lazy is a value that is worked out by f at most once a record, and only when a backend takes the record and looks at
// the value, be it to print it or to compare it:
//
//	logger.Debug("state", slog.Any("dump", spile.Lazy(func() slog.Value { return slog.StringValue(dump()) })))
//
// Every [slog.LogValuer] is treated so; Lazy makes one of a function. With other handlers f is called when those
// resolve values. If f panics, the text of the record is one line that says so.
func Lazy(f func() slog.Value) slog.LogValuer { return lazyFunc(f) }

// lazyFunc is a function as a [slog.LogValuer].
type lazyFunc func() slog.Value

// LogValue calls f.
func (f lazyFunc) LogValue() slog.Value { return f() }

// maxResolve is how many times a value may give another to resolve, as in slog.
const maxResolve = 100

// errResolve is the value of what never ends to resolve.
var errResolve = errors.New("LogValue called too many times")

// memo resolves a value once a record. Only the goroutine that logs the record looks at it.
type memo struct {
	rec    *record
	valuer slog.LogValuer // nil once it was asked
	value  event.Value
	// cause is what the valuer panicked with. Each look panics with it again, so that each backend tells of it.
	cause any
}

// Resolve gives the value; see [event.Resolver].
func (m *memo) Resolve() event.Value {
	if m.valuer != nil {
		m.ask()
	}
	if m.cause != nil {
		panic(m.cause)
	}
	return m.value
}

// ask asks the valuer, and what that gives, up to a value that is no [slog.LogValuer]. A nil pointer that cannot tell
// its value is nil, as it is in every other kind of value.
func (m *memo) ask() {
	valuer := m.valuer
	m.valuer = nil
	defer func() {
		m.cause = recover()
		if v := reflect.ValueOf(valuer); m.cause != nil && v.Kind() == reflect.Pointer && v.IsNil() {
			m.cause, m.value = nil, event.Nil()
		}
	}()
	for range maxResolve {
		value := valuer.LogValue()
		if value.Kind() != slog.KindLogValuer {
			m.value = m.rec.value(value)
			return
		}
		valuer = value.LogValuer()
	}
	m.value = event.Any(errResolve)
}

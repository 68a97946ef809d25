package format

import (
	"fmt"
	"sync/atomic"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/callsite"
)

// failedEvent is what a fallback line says has happened.
const failedEvent = "log_format_failed"

// panicClass is the class of a failure, as conventions have it for what Go raises.
const panicClass = "panic"

// Append appends the text of e as f makes it. If f or a method of a value panics, dst gets one fallback line instead:
// an event log_format_failed at level error, with class, reason, the type of the formatter and the level and message of
// e. It uses nothing but what is text already, so it cannot fail in turn. The line is logfmt; [JSON] and [HTML] have it
// in their own form.
func Append(f Formatter, dst []byte, e *event.Event) (out []byte) {
	defer func() {
		if p := recover(); p != nil {
			out = appendFallback(f, dst, newFailure(f, e, p))
		}
	}()
	return f.Append(dst, e)
}

// faller is a formatter that has a form of its own for the fallback line.
type faller interface {
	appendFailure(dst []byte, failed *event.Event) []byte
}

// appendFallback appends the fallback line. What embeds one of our formatters has its faller too, and may have it
// without the formatter; so that is guarded as well.
func appendFallback(f Formatter, dst []byte, failed *event.Event) (out []byte) {
	own, ok := f.(faller)
	if !ok {
		return (&Logfmt{}).Append(dst, failed)
	}
	defer func() {
		if p := recover(); p != nil {
			out = (&Logfmt{}).Append(dst, failed)
		}
	}()
	return own.appendFailure(dst, failed)
}

// newFailure is the event that says that f panicked with p at e. All its values are texts.
func newFailure(f Formatter, e *event.Event, p any) *event.Event {
	if e == nil {
		e = &event.Event{}
	}
	return &event.Event{
		Time: e.Time, Level: event.Error, Source: e.Source, PC: e.PC, Message: failedEvent,
		Metadata: event.Metadata{
			{Key: "class", Value: event.String(panicClass)},
			{Key: "reason", Value: event.String(Truncate(panicText(p), DefaultLimit))},
			{Key: "formatter", Value: event.String(fmt.Sprintf("%T", f))},
			{Key: "original_level", Value: event.String(e.Level.String())},
			{Key: "original_message", Value: event.String(Truncate(e.Message, DefaultLimit))},
		},
	}
}

// panicText is what p says, or that it cannot say it: its methods may panic too.
func panicText(p any) (text string) {
	defer func() {
		if recover() != nil {
			text = "a panic whose value has no text"
		}
	}()
	return fmt.Sprint(p)
}

// sites tells the places of log calls. The zero value is ready; its cache is made when the first place is asked for,
// since most formatters never do.
type sites struct {
	cache atomic.Pointer[callsite.Cache]
}

// lookup is the place of a log call.
func (s *sites) lookup(pc uintptr) callsite.Site {
	if pc == 0 {
		return callsite.Site{}
	}
	c := s.cache.Load()
	if c == nil {
		s.cache.CompareAndSwap(nil, new(callsite.Cache))
		c = s.cache.Load()
	}
	return c.Lookup(pc)
}

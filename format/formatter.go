package format

import (
	"github.com/spilelog/spile/event"
)

// Formatter turns events into bytes. Its methods are called by any number of goroutines at once.
type Formatter interface {
	// Append appends the whole text of e to dst, line end included, and returns the extended slice. It keeps neither
	// dst nor e, and does not change e. What it panics with costs one fallback line; see [Append].
	Append(dst []byte, e *event.Event) []byte
}

// Func is a function as a [Formatter].
type Func func(dst []byte, e *event.Event) []byte

// Append calls f.
func (f Func) Append(dst []byte, e *event.Event) []byte { return f(dst, e) }

// Document is a [Formatter] whose output needs something before the first event and after the last, such as a page.
type Document interface {
	Formatter
	// AppendHead appends what stands before the first event.
	AppendHead(dst []byte) []byte
	// AppendFoot appends what stands after the last event.
	AppendFoot(dst []byte) []byte
}

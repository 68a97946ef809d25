package spile

import (
	"cmp"
	"context"
	"io"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// WriterOptions are the options of [NewWriter].
type WriterOptions struct {
	BaseOptions // A nil Formatter is [format.JSON].
	// Name is the name of the backend; empty is writer.
	Name string
	// Writer takes the records; it must be set. The backend calls it from one goroutine at a time and never closes
	// it. While it blocks, all who log block.
	Writer io.Writer
	// BufferSize is how many bytes of records may wait to be written together; 0 writes each at once, with one call.
	BufferSize int
	// FlushEvery is how long a record waits at most; 0 is one second. A negative one sets no time: then a record waits
	// for a full buffer, a record at error or above, or Flush.
	FlushEvery time.Duration
}

// Writer is a [Backend] that writes records to an [io.Writer].
//
// An error of Log means that the record is lost. If the writer takes only a part of a record, the rest goes out before
// the next one, so no record ends within another. A buffer that the writer refuses is kept and tried again; once it is
// full, further records are lost. Flush and Close leave a writer that blocks when their context is done.
type Writer struct {
	*Base
	lines lines
	out   output
}

// NewWriter returns a backend that writes to o.Writer. It panics if that is nil.
func NewWriter(o WriterOptions) *Writer {
	if o.Writer == nil {
		panic("spile.NewWriter: WriterOptions.Writer is nil, it must be set")
	}
	if o.Formatter == nil {
		o.Formatter = &format.JSON{}
	}
	w := &Writer{Base: NewBase(cmp.Or(o.Name, "writer"), o.BaseOptions)}
	w.lines.base, w.lines.standard = w.Base, &format.JSON{}
	w.out.w, w.out.size, w.out.every = o.Writer, max(o.BufferSize, 0), cmp.Or(o.FlushEvery, flushEvery)
	return w
}

// Log writes e, or buffers it; see [Writer].
func (w *Writer) Log(_ context.Context, e *event.Event) error {
	line := w.lines.text(e)
	defer w.lines.free(line)
	return w.out.log(*line, e.Level)
}

// Flush writes what is waiting. The error is the writer's; what it did not take goes on waiting.
func (w *Writer) Flush(ctx context.Context) error { return until(ctx, w.out.flush) }

// Close flushes and ends the backend; the writer stays open. The error says how many records the writer did not take.
func (w *Writer) Close(ctx context.Context) error {
	return until(ctx, func() error { return w.out.close(w.Base) })
}

package spile

import (
	"sync"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// keptLine is the largest text, in bytes, whose memory is kept for the next record.
const keptLine = 64 << 10

// lines makes the texts of records for one backend. A text is made before any lock of the backend is taken, so that a
// value whose method logs, or takes long, stops nobody.
type lines struct {
	base *Base
	// standard is the formatter while the backend has none of its own.
	standard format.Formatter
	// pool holds memory of texts, as *[]byte.
	pool sync.Pool
}

// text is the text of e. It is the caller's until it is given to free.
func (l *lines) text(e *event.Event) *[]byte {
	line, ok := l.pool.Get().(*[]byte)
	if !ok {
		line = new([]byte)
	}
	f := l.base.Formatter()
	if f == nil {
		f = l.standard
	}
	*line = format.Append(f, (*line)[:0], e)
	return line
}

// free takes back what text gave.
func (l *lines) free(line *[]byte) {
	if cap(*line) <= keptLine {
		l.pool.Put(line)
	}
}

package spile

import (
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// jsonFormatter is the default of backends that programs read.
func jsonFormatter() format.Formatter {
	return format.Func(func(dst []byte, e *event.Event) []byte {
		return append(event.AppendMembers(append(dst, '{'), e), '}', '\n')
	})
}

// consoleFormatter is the default of [Console].
func consoleFormatter(bool) format.Formatter { return jsonFormatter() }

// appendText is the guarded call of a formatter.
func appendText(f format.Formatter, dst []byte, e *event.Event) []byte { return f.Append(dst, e) }

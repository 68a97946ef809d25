package zapspile

import (
	"context"
	"errors"
	"log/slog"

	"go.uber.org/zap/zapcore"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/internal/bridge"
)

// stackKey is the attribute of a stack trace, as in zap's own configurations.
const stackKey = "stacktrace"

// core gives zap's records to a handler.
type core struct {
	handler slog.Handler
	// root is the handler that was given; it can flush.
	root slog.Handler
}

// NewCore returns a core whose records go to h, usually a [spile.Handler]. It is enabled for what h wants at the
// moment. Its Sync, and a record above error, flush h.
func NewCore(h slog.Handler) zapcore.Core { return &core{handler: h, root: h} }

// Enabled says whether the handler might take a record of this level.
func (c *core) Enabled(level zapcore.Level) bool {
	return c.handler.Enabled(context.Background(), ToSlog(level))
}

// Level is the lowest level of zap that the handler might take, for [zapcore.LevelOf].
func (c *core) Level() zapcore.Level {
	for level := zapcore.DebugLevel; level <= zapcore.FatalLevel; level++ {
		if c.Enabled(level) {
			return level
		}
	}
	return zapcore.InvalidLevel
}

// With returns a core whose records have these fields too.
func (c *core) With(fields []zapcore.Field) zapcore.Core {
	e := encode(fields)
	h := c.handler
	for i, l := range e.levels {
		if i > 0 {
			h = h.WithGroup(l.name)
		}
		h = h.WithAttrs(l.attrs)
	}
	return &core{handler: h, root: c.root}
}

// Check adds the core to those that write the entry, if the handler wants it.
func (c *core) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(entry.Level) {
		return checked.AddCore(entry, c)
	}
	return checked
}

// Write gives a record to the handler.
func (c *core) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	pc := uintptr(0)
	if entry.Caller.Defined {
		pc = bridge.PC(entry.Caller.PC)
	}
	r := slog.NewRecord(entry.Time, ToSlog(entry.Level), entry.Message, pc)
	if entry.LoggerName != "" {
		r.AddAttrs(spile.Namespace(entry.LoggerName))
	}
	r.AddAttrs(encode(fields).fold()...)
	if entry.Stack != "" {
		r.AddAttrs(slog.String(stackKey, entry.Stack))
	}
	err := c.handler.Handle(context.Background(), r)
	if entry.Level > zapcore.ErrorLevel {
		// The program may end with this record.
		err = errors.Join(err, c.Sync())
	}
	return err
}

// Sync flushes the handler.
func (c *core) Sync() error { return bridge.Flush(c.root) }

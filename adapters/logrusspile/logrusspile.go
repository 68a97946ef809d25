package logrusspile

import (
	"context"
	"errors"
	"log/slog"
	"math"

	"github.com/sirupsen/logrus"

	"github.com/spilelog/spile/adapters/internal/bridge"
)

// scale returns logrus's levels from trace to panic; the package's documentation has the table.
func scale() bridge.Scale { return bridge.Scale{-8, -4, 0, 4, 8, 10, 14} }

// ToSlog is logrus's level as one of slog.
func ToSlog(level logrus.Level) slog.Level {
	return scale().Level(int(logrus.TraceLevel) - int(level))
}

// FromSlog is a level of slog as one of logrus: of those that logrus has, the least severe that is not below it.
func FromSlog(level slog.Level) logrus.Level {
	i := int(logrus.TraceLevel) - scale().Index(level)
	return logrus.Level(min(max(i, int(logrus.PanicLevel)), math.MaxUint32))
}

// Logger is the level of a logger as a dial for tap.NewLeaser.
type Logger struct{ logger *logrus.Logger }

// Dial returns the level of logger as a dial.
func Dial(logger *logrus.Logger) Logger { return Logger{logger} }

// Level is the current level.
func (l Logger) Level() slog.Level { return ToSlog(l.logger.GetLevel()) }

// SetLevel changes the level.
func (l Logger) SetLevel(level slog.Level) { l.logger.SetLevel(FromSlog(level)) }

// hook gives logrus's records to a handler.
type hook struct{ handler slog.Handler }

// NewHook returns a hook whose records go to h, usually a [spile.Handler]. A fatal or panic record flushes h.
func NewHook(h slog.Handler) logrus.Hook { return hook{h} }

// Levels is all of them.
func (hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire gives a record to the handler, if it wants this level.
func (k hook) Fire(entry *logrus.Entry) error {
	ctx := entry.Context
	if ctx == nil {
		ctx = context.Background()
	}
	level := ToSlog(entry.Level)
	if !k.handler.Enabled(ctx, level) {
		return nil
	}
	pc := uintptr(0)
	if entry.Caller != nil {
		pc = bridge.PC(entry.Caller.PC)
	}
	r := slog.NewRecord(entry.Time, level, entry.Message, pc)
	r.AddAttrs(bridge.Attrs(entry.Data)...)
	err := k.handler.Handle(ctx, r)
	if entry.Level <= logrus.FatalLevel {
		// The program may end with this record.
		err = errors.Join(err, bridge.Flush(k.handler))
	}
	return err
}

// Output is f for the records at or above level, which is asked in each call; of the others it makes nothing. With the
// leaser of a [Dial] it keeps logrus's own output at the operator's level while the dial is lower. logrus then still
// calls the output's Write, with no bytes.
func Output(f logrus.Formatter, level slog.Leveler) logrus.Formatter { return output{f, level} }

type output struct {
	logrus.Formatter
	level slog.Leveler
}

// Format is the text of the entry, or nothing.
func (o output) Format(entry *logrus.Entry) ([]byte, error) {
	if ToSlog(entry.Level) < o.level.Level() {
		return nil, nil
	}
	return o.Formatter.Format(entry)
}

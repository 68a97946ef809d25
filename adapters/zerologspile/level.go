package zerologspile

import (
	"io"
	"log/slog"
	"math"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/spilelog/spile/adapters/internal/bridge"
)

// scale returns zerolog's levels from trace to panic; the package's documentation has the table.
func scale() bridge.Scale { return bridge.Scale{-8, -4, 0, 4, 8, 10, 14} }

// ToSlog is zerolog's level as one of slog.
func ToSlog(level zerolog.Level) slog.Level {
	return scale().Level(int(level) - int(zerolog.TraceLevel))
}

// FromSlog is a level of slog as one of zerolog: of those that zerolog has, the least severe that is not below it.
func FromSlog(level slog.Level) zerolog.Level {
	i := scale().Index(level) + int(zerolog.TraceLevel)
	return zerolog.Level(min(max(i, math.MinInt8), int(zerolog.Disabled)))
}

// Global is zerolog's global level as a dial for tap.NewLeaser.
type Global struct{}

// Dial returns the global level as a dial.
func Dial() Global { return Global{} }

// Level is the global level.
func (Global) Level() slog.Level { return ToSlog(zerolog.GlobalLevel()) }

// SetLevel changes the global level.
func (Global) SetLevel(level slog.Level) { zerolog.SetGlobalLevel(FromSlog(level)) }

// Level is a level that loggers share, a dial for tap.NewLeaser. Give it to a logger by its method Sample, and set the
// logger's own level to trace.
type Level struct{ level atomic.Int64 }

// NewLevel returns a Level.
func NewLevel(level slog.Level) *Level {
	l := &Level{}
	l.SetLevel(level)
	return l
}

// Level is the current level.
func (l *Level) Level() slog.Level { return slog.Level(l.level.Load()) }

// SetLevel changes the level, for all loggers that have it.
func (l *Level) SetLevel(level slog.Level) { l.level.Store(int64(level)) }

// Sample lets records through that are at or above the level; it is the [zerolog.Sampler].
func (l *Level) Sample(level zerolog.Level) bool { return recordLevel(level) >= l.Level() }

// recordLevel is the level of a record; one without is info.
func recordLevel(level zerolog.Level) slog.Level {
	if level == zerolog.NoLevel {
		return slog.LevelInfo
	}
	return ToSlog(level)
}

// Output is w for the records at or above level, which is asked in each call. With the leaser of a dial it keeps
// zerolog's own output at the operator's level while the dial is lower.
func Output(w io.Writer, level slog.Leveler) zerolog.LevelWriter { return output{w, level} }

type output struct {
	io.Writer
	level slog.Leveler
}

// WriteLevel writes p or does nothing.
func (o output) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	if recordLevel(level) < o.level.Level() {
		return len(p), nil
	}
	if w, ok := o.Writer.(zerolog.LevelWriter); ok {
		return w.WriteLevel(level, p)
	}
	return o.Write(p)
}

package zapspile

import (
	"log/slog"
	"math"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spilelog/spile/adapters/internal/bridge"
)

// scale returns zap's levels from debug to fatal; the package's documentation has the table.
func scale() bridge.Scale { return bridge.Scale{-4, 0, 4, 8, 10, 12, 14} }

// ToSlog is zap's level as one of slog.
func ToSlog(level zapcore.Level) slog.Level {
	return scale().Level(int(level) - int(zapcore.DebugLevel))
}

// FromSlog is a level of slog as one of zap: of those that zap has, the least severe that is not below it.
func FromSlog(level slog.Level) zapcore.Level {
	i := scale().Index(level) + int(zapcore.DebugLevel)
	return zapcore.Level(min(max(i, math.MinInt8), math.MaxInt8))
}

// Level is a [zap.AtomicLevel] as a dial for tap.NewLeaser.
type Level struct{ atomic zap.AtomicLevel }

// Dial returns level as a dial.
func Dial(level zap.AtomicLevel) Level { return Level{level} }

// Level is the current level.
func (l Level) Level() slog.Level { return ToSlog(l.atomic.Level()) }

// SetLevel changes the level.
func (l Level) SetLevel(level slog.Level) { l.atomic.SetLevel(FromSlog(level)) }

// Enabler lets zap's levels through that are at or above level, which is asked in each call. With the leaser of a
// [Dial] it keeps a core at the operator's level while the dial is lower.
func Enabler(level slog.Leveler) zapcore.LevelEnabler {
	return zap.LevelEnablerFunc(func(l zapcore.Level) bool { return ToSlog(l) >= level.Level() })
}

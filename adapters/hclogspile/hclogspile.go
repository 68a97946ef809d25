package hclogspile

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/internal/bridge"
)

const (
	// hclogPrefix and ownPrefix are how names of functions of hclog and of this package begin.
	hclogPrefix = "github.com/hashicorp/go-hclog."
	ownPrefix   = "github.com/spilelog/spile/adapters/hclogspile."
	// maxFrames is how many of their frames are looked at before the place is given up.
	maxFrames = 16
)

// scale returns hclog's levels from trace to error; the package's documentation has the table.
func scale() bridge.Scale { return bridge.Scale{-8, -4, 0, 4, 8} }

// ToSlog is hclog's level as one of slog.
func ToSlog(level hclog.Level) slog.Level { return scale().Level(int(level) - int(hclog.Trace)) }

// FromSlog is a level of slog as one of hclog: of those that hclog has, the least severe that is not below it.
func FromSlog(level slog.Level) hclog.Level {
	i := scale().Index(level) + int(hclog.Trace)
	return hclog.Level(min(max(i, int(hclog.NoLevel)), int(hclog.Off)))
}

// Logger is the level of a logger as a dial for tap.NewLeaser.
type Logger struct{ logger hclog.Logger }

// Dial returns the level of logger as a dial.
func Dial(logger hclog.Logger) Logger { return Logger{logger} }

// Level is the current level.
func (l Logger) Level() slog.Level { return ToSlog(l.logger.GetLevel()) }

// SetLevel changes the level.
func (l Logger) SetLevel(level slog.Level) { l.logger.SetLevel(FromSlog(level)) }

// recordLevel is the level of a record; one without is info.
func recordLevel(level hclog.Level) slog.Level {
	if level == hclog.NoLevel {
		return slog.LevelInfo
	}
	return ToSlog(level)
}

// sink gives hclog's records to a handler. It is a pointer since hclog finds sinks by comparing.
type sink struct{ handler slog.Handler }

// NewSink returns a sink whose records go to h, usually a [spile.Handler]. hclog holds a lock of the logger while it
// calls its sinks. A sink cannot answer, so what a backend loses is told by [spile.Handler.OnError] alone.
func NewSink(h slog.Handler) hclog.SinkAdapter { return &sink{h} }

// Accept gives a record to the handler, if it wants this level.
func (s *sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	ctx := context.Background()
	at := recordLevel(level)
	if !s.handler.Enabled(ctx, at) {
		return
	}
	r := slog.NewRecord(time.Now(), at, msg, caller())
	if name != "" {
		r.AddAttrs(spile.Namespace(name))
	}
	if len(args)%2 == 1 {
		last := len(args) - 1
		args = append(args[:last:last], hclog.MissingKey, args[last])
	}
	for i := 0; i+1 < len(args); i += 2 {
		//spile:ignore LC03 the key is that of the caller
		r.AddAttrs(slog.Attr{Key: key(args[i]), Value: value(args[i+1])})
	}
	_ = s.handler.Handle(ctx, r) // OnError has told of what was lost.
}

// key is a key as hclog writes it.
func key(k any) string {
	if s, ok := k.(string); ok {
		return s
	}
	return fmt.Sprint(k)
}

// value is a value with the types that hclog has of its own as the text that it writes for them.
func value(v any) slog.Value {
	switch v := v.(type) {
	case hclog.Format:
		if len(v) == 0 {
			return slog.StringValue("")
		}
		format, ok := v[0].(string)
		if !ok {
			return slog.StringValue(fmt.Sprint(v...))
		}
		return slog.StringValue(fmt.Sprintf(format, v[1:]...))
	case hclog.CapturedStacktrace:
		return slog.StringValue(string(v))
	case hclog.Hex:
		return slog.StringValue("0x" + strconv.FormatInt(int64(v), 16))
	case hclog.Octal:
		return slog.StringValue("0" + strconv.FormatInt(int64(v), 8))
	case hclog.Binary:
		return slog.StringValue("0b" + strconv.FormatInt(int64(v), 2))
	case hclog.Quote:
		return slog.StringValue(strconv.Quote(string(v)))
	}
	return bridge.Value(v)
}

// caller is the counter of the call that led into hclog, 0 if it is not found.
func caller() uintptr {
	var pcs [maxFrames]uintptr
	n := runtime.Callers(2, pcs[:])
	frames := runtime.CallersFrames(pcs[:n])
	for {
		frame, more := frames.Next()
		name := frame.Function
		if name != "" && !strings.HasPrefix(name, hclogPrefix) && !strings.HasPrefix(name, ownPrefix) {
			return bridge.PC(frame.PC)
		}
		if !more {
			return 0
		}
	}
}

// Output is sink for the records at or above level, which is asked in each call. With the leaser of a [Dial] it keeps a
// sink at the operator's level while the dial is lower.
func Output(sink hclog.SinkAdapter, level slog.Leveler) hclog.SinkAdapter {
	return &output{sink, level}
}

type output struct {
	sink  hclog.SinkAdapter
	level slog.Leveler
}

// Accept hands a record on or does nothing.
func (o *output) Accept(name string, level hclog.Level, msg string, args ...any) {
	if recordLevel(level) >= o.level.Level() {
		o.sink.Accept(name, level, msg, args...)
	}
}

package main

import (
	"io"
	"log/slog"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/phuslu/log"
	"github.com/rs/zerolog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spilelog/spile"
)

// newSpile is what this is all about: JSON, each record at once.
func newSpile(w io.Writer) slog.Handler {
	return spile.New(spile.NewWriter(spile.WriterOptions{Writer: w, FlushEvery: -1}))
}

func newSlog(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) }

// newZerologHandler is zerolog behind slog.
func newZerologHandler(w io.Writer) slog.Handler {
	return zerolog.NewSlogHandler(zerologTo(w))
}

// newPhusluHandler is phuslu/log behind slog.
func newPhusluHandler(w io.Writer) slog.Handler {
	return log.SlogNewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo})
}

func zapCalls(w io.Writer) calls {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.RFC3339NanoTimeEncoder
	config.EncodeDuration = zapcore.StringDurationEncoder
	l := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(config), zapcore.AddSync(w), zap.InfoLevel))
	carrying := l.With(zap.String("method", method), zap.String("path", path), zap.String("host", host),
		zap.String("user_agent", userAgent), zap.Int("status", status), zap.Int64("bytes", size),
		zap.Float64("ratio", ratio), zap.Bool("cached", cached), zap.Duration("took", took), zap.Error(errReset))
	return calls{
		disabled: func(n int) {
			for range n {
				l.Debug(message)
			}
		},
		disabledTen: func(n int) {
			for range n {
				l.Debug(message, zap.String("method", method), zap.String("path", path), zap.String("host", host),
					zap.String("user_agent", userAgent), zap.Int("status", status), zap.Int64("bytes", size),
					zap.Float64("ratio", ratio), zap.Bool("cached", cached), zap.Duration("took", took),
					zap.Error(errReset))
			}
		},
		message: func(n int) {
			for range n {
				l.Info(message)
			}
		},
		ten: func(n int) {
			for range n {
				l.Info(message, zap.String("method", method), zap.String("path", path), zap.String("host", host),
					zap.String("user_agent", userAgent), zap.Int("status", status), zap.Int64("bytes", size),
					zap.Float64("ratio", ratio), zap.Bool("cached", cached), zap.Duration("took", took),
					zap.Error(errReset))
			}
		},
		carried: func(n int) {
			for range n {
				carrying.Info(message)
			}
		},
	}
}

// zerologTo is a zerolog logger with a time, as the others have one.
func zerologTo(w io.Writer) zerolog.Logger {
	return zerolog.New(w).Level(zerolog.InfoLevel).With().Timestamp().Logger()
}

func zerologCalls(w io.Writer) calls {
	l := zerologTo(w)
	carrying := l.With().Str("method", method).Str("path", path).Str("host", host).Str("user_agent", userAgent).
		Int("status", status).Int64("bytes", size).Float64("ratio", ratio).Bool("cached", cached).
		Dur("took", took).Err(errReset).Logger()
	return calls{
		disabled: func(n int) {
			for range n {
				l.Debug().Msg(message)
			}
		},
		disabledTen: func(n int) {
			for range n {
				l.Debug().Str("method", method).Str("path", path).Str("host", host).Str("user_agent", userAgent).
					Int("status", status).Int64("bytes", size).Float64("ratio", ratio).Bool("cached", cached).
					Dur("took", took).Err(errReset).Msg(message)
			}
		},
		message: func(n int) {
			for range n {
				l.Info().Msg(message)
			}
		},
		ten: func(n int) {
			for range n {
				l.Info().Str("method", method).Str("path", path).Str("host", host).Str("user_agent", userAgent).
					Int("status", status).Int64("bytes", size).Float64("ratio", ratio).Bool("cached", cached).
					Dur("took", took).Err(errReset).Msg(message)
			}
		},
		carried: func(n int) {
			for range n {
				carrying.Info().Msg(message)
			}
		},
	}
}

func phusluCalls(w io.Writer) calls {
	l := log.Logger{Level: log.InfoLevel, TimeFormat: time.RFC3339Nano, Writer: log.IOWriter{Writer: w}}
	carrying := l
	carrying.Context = log.NewContext(nil).Str("method", method).Str("path", path).Str("host", host).
		Str("user_agent", userAgent).Int("status", status).Int64("bytes", size).Float64("ratio", ratio).
		Bool("cached", cached).Dur("took", took).Err(errReset).Value()
	return calls{
		disabled: func(n int) {
			for range n {
				l.Debug().Msg(message)
			}
		},
		disabledTen: func(n int) {
			for range n {
				l.Debug().Str("method", method).Str("path", path).Str("host", host).Str("user_agent", userAgent).
					Int("status", status).Int64("bytes", size).Float64("ratio", ratio).Bool("cached", cached).
					Dur("took", took).Err(errReset).Msg(message)
			}
		},
		message: func(n int) {
			for range n {
				l.Info().Msg(message)
			}
		},
		ten: func(n int) {
			for range n {
				l.Info().Str("method", method).Str("path", path).Str("host", host).Str("user_agent", userAgent).
					Int("status", status).Int64("bytes", size).Float64("ratio", ratio).Bool("cached", cached).
					Dur("took", took).Err(errReset).Msg(message)
			}
		},
		carried: func(n int) {
			for range n {
				carrying.Info().Msg(message)
			}
		},
	}
}

// hclogPlain is hclog by itself.
func hclogPlain(w io.Writer) calls {
	return hclogCalls(hclog.New(&hclog.LoggerOptions{Level: hclog.Info, JSONFormat: true, Output: w}))
}

// hclogWatched is hclog with one viewer at debug, as Nomad's monitor has it.
func hclogWatched(w io.Writer) calls {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Info, JSONFormat: true, Output: w})
	l.RegisterSink(hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: hclog.Debug, JSONFormat: true, Output: &counter{}}))
	return hclogCalls(l)
}

func hclogCalls(l hclog.Logger) calls {
	carrying := l.With("method", method, "path", path, "host", host, "user_agent", userAgent, "status", status,
		"bytes", size, "ratio", ratio, "cached", cached, "took", took, "error", errReset)
	return calls{
		disabled: func(n int) {
			for range n {
				l.Debug(message)
			}
		},
		disabledTen: func(n int) {
			for range n {
				l.Debug(message, "method", method, "path", path, "host", host, "user_agent", userAgent,
					"status", status, "bytes", size, "ratio", ratio, "cached", cached, "took", took,
					"error", errReset)
			}
		},
		message: func(n int) {
			for range n {
				l.Info(message)
			}
		},
		ten: func(n int) {
			for range n {
				l.Info(message, "method", method, "path", path, "host", host, "user_agent", userAgent,
					"status", status, "bytes", size, "ratio", ratio, "cached", cached, "took", took,
					"error", errReset)
			}
		},
		carried: func(n int) {
			for range n {
				carrying.Info(message)
			}
		},
	}
}

package main

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// The ten fields of every comparison: four texts, two whole numbers, a float, a truth, a duration and an error.
const (
	message   = "request_served"
	method    = "GET"
	path      = "/api/v1/orders/42"
	host      = "shop.example.org"
	userAgent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0"
	status    = 200
	size      = int64(5120)
	ratio     = 0.75
	cached    = true
	took      = 1500 * time.Microsecond
)

var errReset = errors.New("connection reset by peer")

// calls makes n calls of each kind to one logger, whose level is info.
type calls struct {
	disabled, disabledTen, message, ten func(n int)
	// carried calls with a message alone a logger that carries the ten fields.
	carried func(n int)
}

// slogCalls are the calls to whatever stands behind slog. The levels are constants and the loops stand here, so that
// all of them are compared at the same call sites.
func slogCalls(h slog.Handler) calls {
	logger := slog.New(h)
	carrying := slog.New(h.WithAttrs([]slog.Attr{
		slog.String("method", method), slog.String("path", path), slog.String("host", host),
		slog.String("user_agent", userAgent), slog.Int("status", status), slog.Int64("bytes", size),
		slog.Float64("ratio", ratio), slog.Bool("cached", cached), slog.Duration("took", took),
		slog.Any("error", errReset),
	}))
	return calls{
		disabled:    func(n int) { debugMessage(logger, n) },
		disabledTen: func(n int) { debugTen(logger, n) },
		message:     func(n int) { infoMessage(logger, n) },
		ten:         func(n int) { infoTen(logger, n) },
		carried:     func(n int) { infoMessage(carrying, n) },
	}
}

func debugMessage(l *slog.Logger, n int) {
	ctx := context.Background()
	for range n {
		l.LogAttrs(ctx, slog.LevelDebug, message)
	}
}

func infoMessage(l *slog.Logger, n int) {
	ctx := context.Background()
	for range n {
		l.LogAttrs(ctx, slog.LevelInfo, message)
	}
}

func debugTen(l *slog.Logger, n int) {
	ctx := context.Background()
	for range n {
		l.LogAttrs(ctx, slog.LevelDebug, message,
			slog.String("method", method), slog.String("path", path), slog.String("host", host),
			slog.String("user_agent", userAgent), slog.Int("status", status), slog.Int64("bytes", size),
			slog.Float64("ratio", ratio), slog.Bool("cached", cached), slog.Duration("took", took),
			slog.Any("error", errReset))
	}
}

func infoTen(l *slog.Logger, n int) {
	ctx := context.Background()
	for range n {
		l.LogAttrs(ctx, slog.LevelInfo, message,
			slog.String("method", method), slog.String("path", path), slog.String("host", host),
			slog.String("user_agent", userAgent), slog.Int("status", status), slog.Int64("bytes", size),
			slog.Float64("ratio", ratio), slog.Bool("cached", cached), slog.Duration("took", took),
			slog.Any("error", errReset))
	}
}

package spile

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"
)

// counter is a writer that counts, because some libraries treat io.Discard as a wish for no work.
type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return len(p), nil
}

var errBench = errors.New("connection reset by peer")

// tenAttrs are the ten fields of every comparison: four texts, two whole numbers, a float, a bool, a duration and an
// error.
func tenAttrs() []slog.Attr {
	return []slog.Attr{
		slog.String("method", "GET"), slog.String("path", "/api/v1/orders/42"), slog.String("host", "shop.example.org"),
		slog.String("user_agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0"), slog.Int("status", 200),
		slog.Int64("bytes", 5120), slog.Float64("ratio", 0.75), slog.Bool("cached", true),
		slog.Duration("took", 1500*time.Microsecond), slog.Any("error", errBench),
	}
}

// logTen is the call with ten fields, written out.
func logTen(ctx context.Context, l *slog.Logger, level slog.Level) {
	l.LogAttrs(ctx, level, "request served",
		slog.String("method", "GET"), slog.String("path", "/api/v1/orders/42"), slog.String("host", "shop.example.org"),
		slog.String("user_agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0"), slog.Int("status", 200),
		slog.Int64("bytes", 5120), slog.Float64("ratio", 0.75), slog.Bool("cached", true),
		slog.Duration("took", 1500*time.Microsecond), slog.Any("error", errBench),
	)
}

// rivals are the loggers compared, each to a writer that counts.
func rivals() []struct {
	name   string
	logger *slog.Logger
} {
	return []struct {
		name   string
		logger *slog.Logger
	}{
		{"slog", slog.New(slog.NewJSONHandler(&counter{}, nil))},
		{"spile", slog.New(New(jsonWriter(&counter{})))},
	}
}

// jsonWriter is a backend that prints JSON to w, each record at once, as slog does.
func jsonWriter(w io.Writer) *Writer {
	return NewWriter(WriterOptions{Writer: w, FlushEvery: -1})
}

// BenchmarkHandler compares with slog's own handler behind the same call sites.
func BenchmarkHandler(b *testing.B) {
	ctx := context.Background()
	calls := []struct {
		name string
		with bool
		call func(*slog.Logger)
	}{
		{"disabled-message", false, func(l *slog.Logger) { l.LogAttrs(ctx, slog.LevelDebug, "request served") }},
		{"disabled-ten-fields", false, func(l *slog.Logger) { logTen(ctx, l, slog.LevelDebug) }},
		{"message", false, func(l *slog.Logger) { l.LogAttrs(ctx, slog.LevelInfo, "request served") }},
		{"ten-fields", false, func(l *slog.Logger) { logTen(ctx, l, slog.LevelInfo) }},
		{"with-ten-message", true, func(l *slog.Logger) { l.LogAttrs(ctx, slog.LevelInfo, "request served") }},
	}
	for _, c := range calls {
		for _, r := range rivals() {
			logger := r.logger
			if c.with {
				logger = slog.New(logger.Handler().WithAttrs(tenAttrs()))
			}
			b.Run(c.name+"/"+r.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.call(logger)
				}
			})
		}
	}
}

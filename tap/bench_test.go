package tap

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile"
)

// drain is a viewer that reads at once.
type drain struct {
	header  http.Header
	started chan struct{}
	begun   bool
}

func (d *drain) Header() http.Header              { return d.header }
func (d *drain) WriteHeader(int)                  {}
func (d *drain) Write(p []byte) (int, error)      { return len(p), nil }
func (d *drain) SetWriteDeadline(time.Time) error { return nil }
func (d *drain) FlushError() error {
	if !d.begun {
		d.begun = true
		close(d.started)
	}
	return nil
}

// benchWatch opens a stream that is drained until the benchmark ends.
func (r *rig) benchWatch(b *testing.B, target string) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	d := &drain{header: http.Header{}, started: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.tap.ServeHTTP(d, httptest.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody))
	}()
	select {
	case <-d.started:
	case <-done:
		b.Fatalf("GET %s was refused", target)
	}
	b.Cleanup(func() { cancel(); <-done })
}

var errBench = errors.New("connection reset by peer")

// logTen is a debug call with ten fields.
func logTen(l *slog.Logger) {
	l.LogAttrs(context.Background(), slog.LevelDebug, "request served",
		slog.String("method", "GET"), slog.String("path", "/api/v1/orders/4711"), slog.String("user", "alice"),
		slog.String("request_id", "6f1c2a90-b3f1-4d0e"), slog.Int("status", 200), slog.Int("bytes", 18233),
		slog.Float64("score", 0.75), slog.Bool("cached", true), slog.Duration("took", 15*time.Millisecond),
		slog.Any("cause", errBench))
}

func BenchmarkLog(b *testing.B) {
	benchmarks := []struct {
		name    string
		streams []string
		carried string
	}{
		{"none", nil, ""},
		{"level-cannot-match", []string{"/?level=error"}, ""},
		{"carried-scope-cannot-match", []string{"/?scope=uuid:42"}, "41"},
		{"scope-does-not-match", []string{"/?scope=uuid:42"}, ""},
		{"one-json", []string{"/?format=json"}, ""},
		{"one-text", []string{"/?format=text"}, ""},
		{"one-html", []string{"/?format=html"}, ""},
		{"one-pattern", []string{"/?format=json&pattern=orders%2F4"}, ""},
		{"ten-json", []string{strings.Repeat("/?format=json ", 10)}, ""},
	}
	for _, bench := range benchmarks {
		b.Run(bench.name, func(b *testing.B) {
			h := spile.New(newCounter("console", nil))
			tp, err := Handler(h, Options{AllMetadata: true})
			if err != nil {
				b.Fatal(err)
			}
			r := &rig{tap: tp, handler: h, logger: slog.New(h)}
			for _, targets := range bench.streams {
				for _, target := range strings.Fields(targets) {
					r.benchWatch(b, target)
				}
			}
			if bench.carried != "" {
				r.logger = r.logger.With("uuid", bench.carried)
			}
			b.ReportAllocs()
			for b.Loop() {
				logTen(r.logger)
			}
		})
	}
}

// BenchmarkStalled is the cost of a call while a viewer reads nothing.
func BenchmarkStalled(b *testing.B) {
	r := newRig(b, Options{AllMetadata: true, WriteTimeout: time.Hour})
	v := r.watchAt(b, "/?format=json")
	b.Cleanup(v.stall())
	b.ReportAllocs()
	for b.Loop() {
		logTen(r.logger)
	}
}

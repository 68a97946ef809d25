//go:build !race

// Under the race detector pools drop at random.

package spile

import (
	"context"
	"log/slog"
	"testing"
)

func TestAllocations(t *testing.T) {
	ctx := context.Background()
	discard := func(o BaseOptions) *Handler {
		return New(NewWriter(WriterOptions{BaseOptions: o, Writer: &counter{}, FlushEvery: -1}))
	}
	plain := slog.New(discard(BaseOptions{}))
	off := slog.New(discard(BaseOptions{Level: LevelOff}))
	changing := slog.New(discard(BaseOptions{Level: &slog.LevelVar{}}))
	derived := slog.New(plain.Handler().WithAttrs(tenAttrs()))
	deep := derived.WithGroup("g").With("a", 1).WithGroup("h")
	lazy := plain.With("a", Lazy(func() slog.Value { return slog.IntValue(1) }))
	bound := discard(BaseOptions{})
	if err := bound.Backend("writer").Settings().Bind("**", slog.LevelWarn); err != nil {
		t.Fatal(err)
	}
	inContext := WithMetadata(ctx, slog.String("request_id", "r-1"), slog.Int("status", 1))
	five := tenAttrs()[:5]
	tests := []struct {
		name   string
		budget float64
		call   func()
	}{
		{"disabled", 0, func() { logTen(ctx, plain, slog.LevelDebug) }},
		{"all-off", 0, func() { logTen(ctx, off, slog.LevelError) }},
		{"disabled-changing", 0, func() { logTen(ctx, changing, slog.LevelDebug) }},
		{"disabled-derived", 0, func() { logTen(ctx, deep, slog.LevelDebug) }},
		{"bound-away", 1, func() { logTen(ctx, slog.New(bound), slog.LevelInfo) }},
		{"message", 0, func() { plain.LogAttrs(ctx, slog.LevelInfo, "m") }},
		{"five-fields", 0, func() { plain.LogAttrs(ctx, slog.LevelInfo, "m", five...) }},
		// The one is slog's own: a Record has room for five.
		{"ten-fields", 1, func() { logTen(ctx, plain, slog.LevelInfo) }},
		{"context", 1, func() { logTen(inContext, plain, slog.LevelInfo) }},
		{"with-ten", 0, func() { derived.LogAttrs(ctx, slog.LevelInfo, "m") }},
		{"with-ten-in-groups", 0, func() { deep.LogAttrs(ctx, slog.LevelInfo, "m", slog.Int("b", 2)) }},
		// The logger, its handler, its list of levels and their fields.
		{"derived-for-one-call", 4, func() { slog.New(plain.Handler().WithAttrs(five)).LogAttrs(ctx, slog.LevelInfo, "m") }},
		{"lazy", 0, func() { lazy.LogAttrs(ctx, slog.LevelInfo, "m", slog.Any("b", lazyFunc(ten))) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := testing.AllocsPerRun(200, tt.call); got > tt.budget {
				t.Errorf("got %v allocations, want at most %v", got, tt.budget)
			}
		})
	}
}

func ten() slog.Value { return slog.IntValue(10) }

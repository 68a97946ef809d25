// Package spilecalls calls Spile itself.
package spilecalls

import (
	"context"
	"log/slog"
	"time"

	"github.com/spilelog/spile"
)

func calls(ctx context.Context, d time.Duration, name string) {
	ctx = spile.WithMetadata(ctx, slog.String("user", name))
	ctx = spile.WithMetadata(ctx, slog.Duration("duration", d)) // want `RC05 warning`
	ctx = spile.WithMetadata(ctx, slog.Int("pid", 1))           // want `RC03 warning`
	_ = ctx
}

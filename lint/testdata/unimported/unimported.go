// Package unimported does not import the helpers, so that fixes must do without.
package unimported

import (
	"log/slog"
	"time"
)

func calls(d, e time.Duration) {
	slog.Info("user_removed", "duration", d)                                // want `RC05 warning`
	slog.Info("user_removed", "duration", d-e)                              // want `RC05 warning`
	slog.Info("user_removed", slog.Duration("duration", time.Since(start))) // want `RC05 warning`
	slog.Info("user_removed", slog.Any("duration", d))                      // want `RC05 warning`
}

var start time.Time

// Package pairs breaks the rules of pairs and keys.
package pairs

import (
	"context"
	"log/slog"

	"github.com/spilelog/spile/convention"
)

type word string

const key = "user"

func calls(ctx context.Context, log *slog.Logger, name string, n int, any_ any, w word, more []any, attrs []slog.Attr) {
	log.Info("user_removed", key, name, "count", n)
	log.Info("user_removed", slog.String(key, name), "count", n, slog.Int("left", 1))
	log.Info("user_removed", "user", name, "count")                // want `LC02 error: key count has no value`
	log.Info("user_removed", n, name)                              // want `LC02 error: an argument of type int stands where a key`
	log.Info("user_removed", w, name)                              // want `LC02 error: an argument of type pairs.word stands where`
	log.Info("user_removed", nil)                                  // want `LC02 error`
	log.Info("user_removed", any_, name, 5)                        // what any_ is only the program knows
	log.Info("user_removed", name, 5)                              // want `LC03 warning: the key is not a constant`
	log.Info("user_removed", slog.Int(name, 5))                    // want `LC03 warning`
	log.Info("user_removed", name)                                 // want `LC03 warning` `LC02 error: the key has no value`
	log.Info("user_removed", "left", 1, "left", 2)                 // want `LC04 warning: key left is given twice in one call`
	log.With("left", 1, slog.Int("left", 2)).Debug("user_removed") // want `LC04 warning`
	log.Info("user_removed", more...)
	log.Info("user_removed", []any{"user"}...) // want `LC02 error`
	log.LogAttrs(ctx, slog.LevelInfo, "user_removed", attrs...)
	log.LogAttrs(ctx, slog.LevelInfo, "user_removed", slog.Attr{Key: "left"}, slog.Int("left", 1)) // want `LC04 warning`
	log.LogAttrs(ctx, slog.LevelInfo, "user_removed", slog.Attr{name, slog.IntValue(1)})           // want `LC03 warning`
	log.LogAttrs(ctx, slog.LevelInfo, "user_removed", slog.Attr{})
	log.Info("user_removed", slog.Group("req", "method"))                      // want `LC02 error: key method has no value`
	log.Info("user_removed", convention.Req("method", "GET", "method", "PUT")) // want `LC04 warning`
	log.Info("user_removed", slog.Group("req", "left", 1), slog.Int("left", 2))
	_ = log.With("user") // want `LC02 error`
	_ = slog.GroupAttrs("req", attrs...)
	var r slog.Record
	r.Add("user")                                                    // want `LC02 error`
	r.AddAttrs(slog.String("user", "bob"), convention.User("alice")) // want `LC04 warning`
}

func results() (string, string) { return "user_removed", "user" }

func generic[T any](t T) {
	slog.Info("user_removed", t, "user")
	slog.Info(results())
	slog.Info("user_removed", slog.String(results()))
	_ = slog.With(results())
	(*slog.Logger).Info(nil, "user_removed", "left", 1)
	type embedded struct{ *slog.Logger }
	embedded{}.Info("user_removed", "left") // want `LC02 error`
}

// Package rewritten has values that a fix must leave as they are written.
package rewritten

import (
	"log/slog"
	"time"

	"github.com/spilelog/spile/convention"
)

type key struct{ name string }

const status = "200"

func values(log *slog.Logger, tags map[key]string, d time.Duration, c chan time.Duration) {
	log.Info("user_removed", convention.What("user_removed"), "duration", (d))               // want `RC05`
	log.Info("user_removed", "duration", func() time.Duration { return d }())                // want `RC05`
	log.Info("user_removed", slog.Duration("duration", func() time.Duration { return d }())) // want `RC05`
	log.Info("user_removed", slog.Duration("duration", (d+1)), slog.Any("x", -d))            // want `RC05`
	log.Info("user_removed", slog.Duration("duration", <-c /* why */))                       // want `RC05`
	log.Info("user_removed", slog.Duration("duration", d+1))                                 // want `RC05`
	log.Info("user_removed", "tags", tags[key{"a"}])                                         // want `RC05`
	log.Info("user_removed", slog.String("tags", tags[key{name: "a"}]))                      // want `RC05`
	log.Info("user_removed", "code", "0200", "port", "080")                                  // want `RC05` `RC05`
	log.Info("user_removed", slog.String("code", "99999999999999999999"))                    // want `RC05`
	log.Info("user_removed", "code", status)                                                 // want `RC05`
}

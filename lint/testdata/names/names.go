// Package names breaks the rules of names.
package names

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spilelog/spile/convention"
)

const (
	good      = "user_removed"
	bad       = "removal_error"
	timeLimit = time.Second
)

func messages(ctx context.Context, log *slog.Logger, name string, level slog.Level) {
	log.Info("user_removed")
	log.Info(good)
	log.Info(("user_" + "removed"))
	slog.Error("user_removal_error", "reason", "why")     // want `EV03 warning: .*suggestion: user_removal_failed`
	log.ErrorContext(ctx, `User removed`)                 // want `EV02 error: .*suggestion: user_removed`
	log.Log(ctx, level, "unable_to_remove_user")          // want `EV05 warning: .*suggestion: remove_user_failed`
	log.LogAttrs(ctx, slog.LevelInfo, "names_read_again") // want `EV07 warning: .*complete module name names`
	slog.Warn(bad, "reason", "why")                       // want `EV03 warning`
	slog.Info("")                                         // want `EV01 error`
	slog.Info(name)                                       // want `LC01 error: the name of the event is not a constant`
	slog.Debug(fmt.Sprintf("user_%s_removed", name))      // want `LC01 error`
	slog.Info("mod_mam_cannot_start")                     // want `EV05` `EV06 warning`
	_ = slog.NewRecord(time.Time{}, level, "Bad name", 0) // want `EV02 error`
	_ = slog.NewRecord(time.Time{}, level, name, 0)       // as bridges do
	slog.Info("anything at all", "what", "user_removed")
	slog.Info("anything at all", convention.What("user_removal_error")) // want `EV03 warning`
	slog.Info("anything at all", "what", name)                          // want `LC01 error`
}

func helpers(name string) []slog.Attr {
	_ = convention.Exception("load_plugin", convention.ClassPanic, "why", convention.Stack())
	_ = convention.Exception(name, convention.ClassPanic, "why", convention.Stack()) // want `LC01 error`
	_, _ = convention.Recover(name, recover())                                       // want `LC01 error`
	_ = convention.Entry{What: "user_removed", Attrs: []slog.Attr{convention.User("alice")}}
	_ = convention.Entry{What: "UserRemoved"} // want `EV02 error: .*suggestion: user_removed`
	_ = convention.Entry{What: name}          // want `LC01 error`
	_ = convention.Entry{}
	return []slog.Attr{convention.What("removal_failure")} // want `EV04 warning`
}

type stranger struct{}

func (stranger) Info(string) {}

func others(s stranger) {
	s.Info("Not ours")
	_ = fmt.Sprint("Not ours", timeLimit)
}

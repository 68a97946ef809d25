// Package prose has messages for people.
package prose

import (
	"fmt"
	"log/slog"
)

func calls(name string) {
	slog.Info("The user was removed.", "user", name)
	slog.Info(fmt.Sprintf("The user %s was removed.", name), "what", "user_removed")
	slog.Info("The user was removed.", "what", "User removed") // want `EV02` `EV11`
	slog.Info("The user was removed.", "result", "gone")       // want `RC10 info: result explains what`
	slog.Info("The user was removed.", name, "gone")
}

//spile:ignore EV02 this file speaks like a stranger

package ignored

import "log/slog"

func stranger(name string) {
	slog.Info("Bad name")
	slog.Info("Worse name", name, 1) // want `LC03`
}

// Package configured has its settings in the folder above.
package configured

import "log/slog"

func calls() {
	slog.Info("configured_anew")
	slog.Info("Bad name")
	slog.Info("read_error")
	slog.Info("one_two_three_four_five_six_seven") // want `EV09 warning`
}

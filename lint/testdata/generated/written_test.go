package generated

import "log/slog"

func more() { slog.Info("Bad name") }

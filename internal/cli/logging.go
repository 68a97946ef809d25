package cli

import (
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// logFlags are the flags of our own log.
type logFlags struct {
	level  string
	format string
}

// add adds the flags.
func (l *logFlags) add(f *pflag.FlagSet) {
	f.StringVar(&l.level, "log-level", "info", "level of the own log: debug, info, warn or error")
	f.StringVar(&l.format, "log-format", outputText, "form of the own log: text or json")
	fromEnv(f, "log-level", "SPILE_LOG_LEVEL")
	fromEnv(f, "log-format", "SPILE_LOG_FORMAT")
}

// logger is the own log, written to w.
func (l *logFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	switch l.level {
	case "debug", "info", "warn", "error":
		if err := level.UnmarshalText([]byte(l.level)); err != nil {
			return nil, err
		}
	default:
		return nil, usageError("", "--log-level: %q must be debug, info, warn or error", l.level)
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: renameMessage}
	switch l.format {
	case outputText:
		return slog.New(slog.NewTextHandler(w, options)), nil
	case outputJSON:
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, usageError("", "--log-format: %q must be text or json", l.format)
}

// renameMessage calls the message what, as our logs do everywhere.
func renameMessage(groups []string, attr slog.Attr) slog.Attr {
	if len(groups) == 0 && attr.Key == slog.MessageKey {
		attr.Key = "what"
	}
	return attr
}

// Package logrusspile joins github.com/sirupsen/logrus to Spile: a hook that gives logrus's records to a handler, and a
// logger's level as a dial that streams may lower.
//
// logrus has one level for hooks and output, so the dial is needed for debug records to reach a stream; [Output] keeps
// logrus's own output at the operator's level meanwhile:
//
//	leaser := tap.NewLeaser(logrusspile.Dial(logger))
//	logger.AddHook(logrusspile.NewHook(handler))
//	logger.SetFormatter(logrusspile.Output(logger.Formatter, leaser))
//
// While a stream of a tap with this leaser is open at debug, logger.IsLevelEnabled(logrus.DebugLevel) says yes, and the
// debug records reach the stream and not the output.
//
// # Levels
//
//	logrus  trace  debug  info  warning  error  fatal     panic
//	slog    -8     -4     0     4        8      10        14
//	Spile   trace  debug  info  warning  error  critical  emergency
//
// A level of slog between two of logrus's becomes the more severe one, so that a threshold there lets the same records
// through; logrus has no level above panic.
//
// # Records
//
// Time, message and context are kept, fields with their types and sorted by key, maps as groups. The caller is kept if
// logger.ReportCaller is set; without it the record has no namespace but that of the handler.
package logrusspile

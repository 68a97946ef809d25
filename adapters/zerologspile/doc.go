// Package zerologspile joins github.com/rs/zerolog to Spile: a writer that gives zerolog's records to a handler, and
// two dials that streams may lower.
//
// zerolog decides at the call, by the level that the logger's value holds and by the global one. So keep the loggers at
// trace, let one dial decide, and keep zerolog's own output at the operator's level by [Output]:
//
//	level := zerologspile.NewLevel(slog.LevelInfo)
//	leaser := tap.NewLeaser(level)
//	writer := zerolog.MultiLevelWriter(zerologspile.Output(os.Stderr, leaser), zerologspile.NewWriter(handler))
//	logger := zerolog.New(writer).Level(zerolog.TraceLevel).Sample(level).With().Timestamp().Caller().Logger()
//
// While a stream of a tap with this leaser is open at debug, debug calls pass, e := logger.Debug(); e.Enabled() says
// yes, and the record reaches the stream and not the output. [Level] serves the loggers that it was given to, and all
// derived from them; [Dial] is the global level, of all loggers of the program. [zerolog.DisableSampling] switches the
// first off.
//
// # Levels
//
//	zerolog  trace  debug  info  warn  error  fatal  panic  none  disabled
//	slog     -8     -4     0     4     8      10     14     16    18
//	Spile    trace  debug  info  warning error critical emergency
//
// Below trace each step of zerolog is four of slog. A level of slog between two of zerolog's becomes the more severe
// one, so that a threshold there lets the same records through. A record without a level is one of info.
//
// # Records
//
// zerolog gives a writer the finished JSON, which is read back, and only if the handler wants the level: members keep
// their order, numbers their kind, objects become groups. The members for time, level and message, under the names that
// zerolog has for them, become those of the record. zerolog writes time in whole seconds unless zerolog.TimeFieldFormat
// says otherwise; a record without a readable time has that of its arrival. The caller stays the text that zerolog
// writes, an attribute; so give the handler a namespace: handler.WithAttrs([]slog.Attr{spile.Namespace("shop")}).
// Programs built with the tag binary_log write no JSON; the writer then returns an error.
package zerologspile

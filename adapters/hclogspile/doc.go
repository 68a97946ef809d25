// Package hclogspile joins github.com/hashicorp/go-hclog to Spile: a sink that gives hclog's records to a handler, and
// a logger's level as a dial that streams may lower.
//
// An [hclog.InterceptLogger] gives its sinks every record, whatever its own level, so a registered [NewSink] is enough
// for debug records to reach a stream while hclog's own output stays at its level:
//
//	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Info})
//	logger.RegisterSink(hclogspile.NewSink(handler))
//
// But code behind a guard, if logger.IsDebug(), does not run, since guards look at the logger's level alone. [Dial]
// lets a leaser lower that level; then let the logger itself write nothing, and keep its output, as a sink, at the
// operator's level by [Output]:
//
//	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Info, Output: io.Discard})
//	leaser := tap.NewLeaser(hclogspile.Dial(logger))
//	own := hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr})
//	logger.RegisterSink(hclogspile.Output(own, leaser))
//	logger.RegisterSink(hclogspile.NewSink(handler))
//
// Named and derived loggers share the level unless IndependentLevels or SyncParentLevel is set. Deregister a sink once
// only: hclog v1.6 counts a second time too, and then stops calling the others.
//
// # Levels
//
//	hclog  trace  debug  info  warn     error  off
//	slog   -8     -4     0     4        8      10
//	Spile  trace  debug  info  warning  error
//
// A level of slog between two of hclog's becomes the more severe one, so that a threshold there lets the same records
// through; hclog's NoLevel is -12 as a threshold, and info as a record.
//
// # Records
//
// hclog gives its sinks no time and no place: the time is that of the call, and the place is found on the stack. Pairs
// keep their types, values of hclog.Fmt become text, and a value without a key is EXTRA_VALUE_AT_END as in hclog. The
// logger's name becomes the namespace.
package hclogspile

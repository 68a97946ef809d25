// Package zapspile joins go.uber.org/zap to Spile: a core that gives zap's records to a handler, and zap's
// [zap.AtomicLevel] as a dial that streams may lower.
//
// A [zapcore.NewTee] of zap's own core and [NewCore] is all that most programs need. Each core has its own level, and
// that of NewCore is asked anew in each call: as soon as somebody watches at debug, zap's debug calls reach the stream,
// and logger.Check and logger.Core().Enabled say yes, while zap's own output stays at its level. No level has to be
// lowered.
//
//	handler := spile.New(console)
//	level := zap.NewAtomicLevelAt(zap.InfoLevel)
//	own := zapcore.NewCore(encoder, output, level)
//	logger := zap.New(zapcore.NewTee(own, zapspile.NewCore(handler)), zap.AddCaller())
//
// [Dial] is for programs that ask the AtomicLevel itself, as in level.Enabled(zap.DebugLevel). A leaser then lowers the
// level while somebody watches; build zap's own core with [Enabler] of that leaser, and it stays at the operator's
// level all the same.
//
// # Levels
//
//	zap    debug  info  warn  error  dpanic  panic  fatal
//	slog   -4     0     4     8      10      12     14
//	Spile  debug  info  warning error critical alert emergency
//
// Below debug each step of zap is four of slog, so zap's -2 is trace; above fatal it is two. A level of slog between
// two of zap's becomes the more severe one, so that a threshold there lets the same records through.
//
// # Records
//
// Time, message, caller and fields keep their types; objects and namespaces become groups, a stack the attribute
// stacktrace. The logger's name becomes the namespace, and without one the caller does, so use zap.AddCaller.
package zapspile

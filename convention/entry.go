package convention

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"time"
)

// The names of records about requests that nobody expected.
const (
	unexpectedCall = "unexpected_call"
	unexpectedCast = "unexpected_cast"
	unexpectedInfo = "unexpected_info"
)

// The classes of an exception.
const (
	// ClassError is the class of a returned error.
	ClassError = "error"
	// ClassPanic is the class of a panic.
	ClassPanic = "panic"
)

// Entry is a record that is ready to be logged: its name is the message.
type Entry struct {
	// What is the name of the event.
	What string
	// Level is the level at which to log it.
	Level slog.Level
	// Attrs are the fields without what.
	Attrs []slog.Attr
}

// Log logs e with logger as if the caller of Log had called the logger. It is a no-op where the logger does not take
// the level. The error of a handler is dropped, as loggers do.
func (e Entry) Log(ctx context.Context, logger *slog.Logger) {
	if !logger.Enabled(ctx, e.Level) {
		return
	}
	var pcs [1]uintptr
	const skip = 2 // runtime.Callers and Log
	runtime.Callers(skip, pcs[:])
	r := slog.NewRecord(time.Now(), e.Level, e.What, pcs[0])
	r.AddAttrs(e.Attrs...)
	_ = logger.Handler().Handle(ctx, r)
}

// Fields is the record as [Checker.CheckRecord] takes it.
func (e Entry) Fields() map[string]any { return FieldsOfAttrs(e.What, e.Attrs) }

// UnexpectedCall is the record of a synchronous request that nobody expected, and of who made it. State is not logged.
func UnexpectedCall(msg any, from string) Entry {
	return Entry{What: unexpectedCall, Level: slog.LevelWarn, Attrs: []slog.Attr{Msg(msg), CallFrom(from)}}
}

// UnexpectedCast is the record of an asynchronous request that nobody expected.
func UnexpectedCast(msg any) Entry {
	return Entry{What: unexpectedCast, Level: slog.LevelWarn, Attrs: []slog.Attr{Msg(msg)}}
}

// UnexpectedInfo is the record of a message that nobody expected. Such messages should always be tolerated: they can be
// late answers to calls that timed out.
func UnexpectedInfo(msg any) Entry {
	return Entry{What: unexpectedInfo, Level: slog.LevelWarn, Attrs: []slog.Attr{Msg(msg)}}
}

// Exception is the record of an exception in an operation, at level error. The name is the operation in lower snake
// case with the suffix _exception, which takes the place of _failed and _error. The stack is text, as of [Stack]; the
// reason may be an error.
func Exception(operation, class string, reason any, stack string) Entry {
	return Entry{ //spile:ignore LC01 the analyzer holds the operation to be a constant where this is called
		What: exceptionName(operation), Level: slog.LevelError,
		Attrs: []slog.Attr{Class(class), Reason(reason), Stacktrace(stack)},
	}
}

// Recover is the record of a panic in an operation, and whether there was one. The caller calls recover in a deferred
// function and hands over its result, because recover works nowhere else:
//
//	defer func() {
//		if e, ok := convention.Recover("load_plugin", recover()); ok {
//			e.Log(ctx, logger)
//		}
//	}()
func Recover(operation string, recovered any) (Entry, bool) {
	if recovered == nil {
		return Entry{}, false
	}
	//spile:ignore LC01 handed on from the caller
	return Exception(operation, ClassPanic, recovered, stack(afterPanic)), true
}

// exceptionName is the operation with the suffix of exceptions.
func exceptionName(operation string) string {
	if strings.HasSuffix(operation, exceptionSuffix) {
		return operation
	}
	for _, outcome := range slices.Concat([]string{failed}, errorWords, failureWords) {
		if rest, ok := strings.CutSuffix(operation, "_"+outcome); ok {
			operation = rest
			break
		}
	}
	if operation == "" {
		return strings.TrimPrefix(exceptionSuffix, "_")
	}
	return operation + exceptionSuffix
}

// maxFrames bounds a stack.
const maxFrames = 64

// Stack is the caller's stack in one line, innermost frame first: "package.function:line package.function:line". It
// has at most 64 frames.
func Stack() string { return stack(whole) }

// whole takes a stack as it is.
func whole(frames []runtime.Frame) []runtime.Frame { return frames }

// afterPanic drops the frames of the deferred function and of the runtime, so that the first frame is what panicked.
func afterPanic(frames []runtime.Frame) []runtime.Frame {
	i := slices.IndexFunc(frames, func(f runtime.Frame) bool { return f.Function == "runtime.gopanic" })
	if i < 0 {
		return frames
	}
	for i < len(frames)-1 && strings.HasPrefix(frames[i].Function, "runtime.") {
		i++
	}
	return frames[i:]
}

// stack renders the stack of the caller's caller without what trim takes away.
func stack(trim func([]runtime.Frame) []runtime.Frame) string {
	var pcs [maxFrames]uintptr
	const skip = 3 // runtime.Callers, stack, and the exported function
	var frames []runtime.Frame
	if n := runtime.Callers(skip, pcs[:]); n > 0 {
		next := runtime.CallersFrames(pcs[:n])
		for more := true; more; {
			var f runtime.Frame
			f, more = next.Next()
			frames = append(frames, f)
		}
	}
	places := make([]string, 0, len(frames))
	for _, f := range trim(frames) {
		places = append(places, location(f))
	}
	return strings.Join(places, " ")
}

// location is a frame as package.function:line, without the folders of the package.
func location(f runtime.Frame) string {
	return fmt.Sprintf("%s:%d", f.Function[strings.LastIndexByte(f.Function, '/')+1:], f.Line)
}

// Package tap shows the live log of a running process over HTTP, at the level and with the filter of each viewer.
//
//	console := spile.NewConsole(spile.ConsoleOptions{})
//	handler := spile.New(console)
//	slog.SetDefault(slog.New(handler))
//
//	logs, err := tap.Handler(handler, tap.Options{Metadata: []string{"app_id", "uuid"}})
//	if err != nil {
//		return err
//	}
//	mux.Handle("GET /logs", logs)
//	server.RegisterOnShutdown(func() { logs.Close(ctx) })
//
// Then GET /logs?level=debug&scope=uuid:42 streams what the process logs from now on at debug and above with that uuid,
// in a browser or with curl, until the viewer leaves.
//
// # The query
//
//	level    lowest level that is shown, in any case and with the usual aliases; without it Options.DefaultLevel
//	scope    key:value, any number of times, all of which a record must have; split at the first separator
//	pattern  RE2 expression that must be found in the record's line, which is what is shown of it in logfmt
//	since    what the history still holds before live: a duration such as 5m, or a time in RFC 3339
//	format   html, text, json (one frame a line) or sse; without it the Accept header decides, and text if that is open
//
// Keys are those of Options.Metadata, whose fields are named with dots, and source, level and message. Values compare
// as text. A value without a text, such as a struct, matches nothing, nor does one whose method panics. If a record has
// a key twice, the first value decides, which is that of the logger before that of the call and that of the context. So
// a logger that carries the key with another value is passed over at once.
//
// Whatever the query says that cannot be is answered with 400 and a JSON body that names what is allowed. There is no
// request that opens a stream with less of a filter than it asked for.
//
// # Levels
//
// The tap is one backend of the handler, whose level is the lowest of the open streams: with none, a call that logs
// nothing costs what it costs without a tap. Other backends keep their level, so a stream at debug does not flood the
// console; nothing is overwritten and nothing needs to be put back. Leave the tap's own level alone where you set
// those of all backends: one that is set there holds, for all streams, until a stream begins or ends. A logger whose
// attributes rule out every open stream pays nothing for them. Options.Lower does the same to levels outside the
// handler; see [Leaser].
//
// # Loss
//
// A log call never waits for a viewer. What a viewer has not read yet is kept up to Options.Buffer bytes, once for all
// who ask for the same; then the oldest is dropped. Events are numbered before that, so that what a viewer missed is
// told as a gap with its exact number, at its place in the stream. Numbers and gaps together prove that nothing else is
// missing. A viewer that has not taken a write after Options.WriteTimeout is cut off.
//
// # The end
//
// A stream ends when its viewer leaves, after Options.MaxDuration, and by [Tap.Close]; 30 s before its time is over it
// says so, and at the end why. Its lease on the level ends at the same moment, even if the write to the viewer hangs.
//
// # Formats
//
// JSON and server-sent events carry the frames of Spile's server, by the same schema: log frames, and control frames
// session_started, gap, history_end, heartbeat, session_ending, session_ended and error. The agent in them is this tap,
// a new id in each process. HTML and text tell the same in words. A quiet stream is kept alive by heartbeats, except in
// text, which has no place for one: behind a proxy that cuts silent responses use another format.
//
// # Access
//
// A live log is not for everybody. Options.BasicAuth and Options.RequestFilter are asked, in this order, before the
// query is looked at; who passes both may watch. Without either the handler is as open as the mux that it is mounted
// in.
package tap

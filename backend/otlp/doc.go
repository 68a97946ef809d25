// Package otlp is a backend that sends records to a collector by OTLP/HTTP, the OpenTelemetry protocol for logs
// (https://opentelemetry.io/docs/specs/otlp/#otlphttp), in its binary form.
//
//	collector, err := otlp.New(otlp.Options{Endpoint: "https://collector.example:4318"})
//	if err != nil {
//		return err
//	}
//	handler := spile.New(collector)
//	defer handler.Close(ctx)
//
// # Delivery
//
// Log encodes the record into a bounded queue and never waits. The first record starts the one goroutine that sends;
// Close ends it and waits for it. A batch goes out when it is full, when its first record is [Options.Every] old, and
// at Flush and Close. Where trying again can help (429, 502, 503, 504 and connections that fail) it is tried again, as
// late as Retry-After asks, for at most [Options.RetryFor]; meanwhile the queue fills. The order of the records stays.
// A batch whose answer was lost on the way is sent again, so a collector may see it twice.
//
// # Loss
//
// Each record is counted once, see [Stats]: Logged = Sent + Pending + the three kinds of Dropped. A record that finds
// the queue full is lost at once and Log returns [ErrQueueFull], which the handler counts and tells. What is lost later
// is told to [Options.OnLoss].
//
// # Mapping
//
// The levels become these severity numbers, a number between two levels that of the lower one:
//
//	trace 1 · debug 5 · info 9 · notice 10 · warning 13 · error 17 · critical 18 · alert 19 · emergency 21
//
// The severity text is the level's word, warning, and the body is the message, or what the backend's formatter makes of
// the record, without its last line end. The record's time is left out if it has none; the observed time is that of
// the call. Metadata become attributes with their types: whole numbers, floating-point numbers, truths, texts, bytes,
// lists, and groups as lists of pairs; structures and maps as encoding/json sees them. Durations, times, errors and
// other values with a text of their own are that text, as in Spile's JSON; so are whole numbers above the largest
// int64, and what is nested more than 32 deep is its JSON. Of two attributes with one key the last counts, since OTLP
// allows no two. The namespace is the attribute namespace, the place of the call code.function.name and
// code.line.number, unless the record has attributes of these names. The metadata trace_id, span_id and trace_flags,
// in hexadecimal digits as W3C Trace Context has them, become the record's fields of that name. Invalid UTF-8 is
// replaced by U+FFFD.
package otlp

// Package spile routes the records of log/slog to named backends, each with a level, a formatter and levels for
// namespaces of its own.
//
//	console := spile.NewConsole(spile.ConsoleOptions{})
//	logger := slog.New(spile.New(console))
//
// # Levels
//
// [Handler.Enabled] compares with the lowest level that any backend could take: one atomic load decides a call that
// logs nothing. [Handler.Handle] asks each backend for itself, so a stream at debug does not flood the console.
//
// # Namespaces
//
// A record belongs to the namespace that [Namespace] sets, else to the package path and type of the caller:
// github.com/acme/shop/db.Pool. [Base.Bind] gives the namespaces of a pattern a level of their own, whatever the
// backend's level; the most specific pattern wins:
//
//	console.Bind("MyApp::Database::*", slog.LevelWarn)
//	console.Bind("MyApp::Database::QueryBuilder", slog.LevelDebug)
//
// # Metadata
//
// Metadata of a record is what the logger carries, what the call gives, and what the context carries by
// [WithMetadata]. Groups are addressed by dotted keys.
//
// # Order and failure
//
// Backends are called one after the other in the order in which they were added, in the goroutine that logs. One that
// fails or panics is counted, told to [Handler.OnError], and stops neither the others nor the caller.
package spile

// Package event is the one data model of Spile: a log record with time, level, source, message and ordered
// metadata, from the line in a file or the call in a program to the frame in a browser.
//
// # Levels
//
// There are nine levels with the numbers of log/slog, so that a slog.Level converts without a table. They are read
// in any case and with the usual aliases; an unknown word is an error that lists the valid ones.
//
// # Ownership
//
// An [Event] made from a line of a file does not copy: its strings may alias the buffer that holds the line, and are
// valid only as long as that buffer is. Whoever keeps an event longer calls [Event.Clone].
package event

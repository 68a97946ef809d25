// Package parse turns lines of log files into events: JSON, logfmt, the access and error logs of nginx and Apache,
// syslog of both kinds, klog, and plain text.
//
// # Level first
//
// The level of a line is always found by one byte scan, the same for [Parser.Level], [Parser.Parse] and [Counter], so
// that they cannot disagree. The first level key with a known value counts, at the top level of the line only. A line
// that turns out broken keeps the level that stood in the level position of its format.
//
// # Nothing is lost
//
// A line that does not parse is an event all the same: the line is its message. What a format does not use for time,
// level and message is metadata; of a key that occurs twice the last value stays.
package parse

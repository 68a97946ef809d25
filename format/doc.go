// Package format makes text of events: lines by a pattern, JSON, logfmt, HTML, or whatever a function makes.
//
//	p, err := format.NewPattern(format.PatternOptions{
//		Pattern: "$date $time [$level] $metadata$message\n",
//		Keys:    []string{"user_id", "request_id"},
//	})
//
// A [Formatter] appends to a slice and never fails: what it cannot print it leaves out and counts, and a value whose
// method panics costs one fallback line; see [Append].
//
// # Patterns
//
// A pattern is text with variables: $time $date $message $level $node $metadata, and the deprecated $levelpad. See
// [Compile] for the grammar and [Pattern] for what each of them prints.
//
// # Safe and exact text
//
// Text that a stranger sent may hold a line feed that forges a line, or an escape sequence that a terminal obeys. Such
// characters are therefore escaped, in messages, keys and values alike, and values that could be taken for several are
// quoted. [PatternOptions.Exact] switches that off for those who need the bytes as they are.
//
// # Numbers
//
// A pattern prints floating-point numbers in Erlang's notation, 1.0e3 and 100.0: the shortest digits that read back as
// the same number, always with a point. The other formatters print them as JSON does.
package format

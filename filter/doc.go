// Package filter turns the filters of a session into one compiled matcher, the same on an agent and wherever a viewer
// narrows a stream.
//
// # Order of questions
//
// A matcher is asked its cheap questions first: the source once per file, then [Matcher.Candidates] over whole blocks
// of bytes, [Matcher.Pattern] on the lines that survived, and [Matcher.Event] only on lines that were parsed. The
// early answers may accept too much and never too little; the later ones are exact.
//
// # Limits
//
// A pattern is an RE2 expression whose compiled size is bounded by wire.MaxPatternProgram, because the time for a line
// grows with instructions times bytes. Its size is estimated on the syntax tree before anything is compiled, so that
// refusing an expensive pattern is cheap.
package filter

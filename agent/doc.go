// Package agent is the member of the fleet that sits beside the logs. It reads them where they lie, counts them, and
// ships nothing but the counts until a session asks; then it evaluates the session's filter here, at the source, and
// sends what passes within the server's credit.
//
// An [Agent] has four parts, each a goroutine that [Agent.Run] owns: the file source follows the files, the link
// keeps the connection, the counter counts lines and levels, and the sessions, one goroutine each, read, match and
// send. Sessions share nothing but open files and the link's queue.
//
// The agent holds its own limits: it reads only what its globs name, keeps no session open longer than MaxSession and
// sends no faster than MaxRate, whatever a server asks for.
package agent

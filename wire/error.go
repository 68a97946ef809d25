package wire

import "fmt"

// Code is the machine-readable kind of an [Error]; one table gives its HTTP status and the CLI's exit status.
type Code string

// The codes.
const (
	CodeValidation       Code = "validation_error"
	CodeUnauthorized     Code = "unauthorized"
	CodeForbidden        Code = "forbidden"
	CodeNotFound         Code = "not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeNotAcceptable    Code = "not_acceptable"
	CodeConflict         Code = "conflict"
	CodeAgentOffline     Code = "agent_offline"
	CodeSessionEnded     Code = "session_ended"
	CodeTooLarge         Code = "too_large"
	CodeUnsupportedMedia Code = "unsupported_media_type"
	CodeRateLimited      Code = "rate_limited"
	CodeSlowViewer       Code = "slow_viewer"
	CodeInternal         Code = "internal_error"
	CodeStorage          Code = "storage_failed"
	CodeUnavailable      Code = "unavailable"
)

// Exit statuses of the command line.
const (
	ExitOK      = 0
	ExitFailed  = 1
	ExitUsage   = 2
	ExitRefused = 3
	// ExitLost says that what was printed cannot be trusted to be everything: the server was lost, or what it told
	// does not add up.
	ExitLost = 4
	// ExitUnmet says that the end came before what was waited for.
	ExitUnmet = 5
	// ExitMatched says that a line came that must not come.
	ExitMatched = 6
)

// codeRow says what a code means outside the body.
type codeRow struct {
	status int
	exit   int
}

// codeTable is the one table of codes.
var codeTable = map[Code]codeRow{
	CodeValidation:       {400, ExitUsage},
	CodeUnauthorized:     {401, ExitRefused},
	CodeForbidden:        {403, ExitRefused},
	CodeNotFound:         {404, ExitRefused},
	CodeMethodNotAllowed: {405, ExitRefused},
	CodeNotAcceptable:    {406, ExitRefused},
	CodeConflict:         {409, ExitRefused},
	CodeAgentOffline:     {409, ExitRefused},
	CodeSessionEnded:     {409, ExitRefused},
	CodeTooLarge:         {413, ExitUsage},
	CodeUnsupportedMedia: {415, ExitRefused},
	CodeRateLimited:      {429, ExitRefused},
	CodeSlowViewer:       {429, ExitLost},
	CodeInternal:         {500, ExitFailed},
	CodeStorage:          {507, ExitFailed},
	CodeUnavailable:      {503, ExitLost},
}

// Status is the HTTP status of c, 500 for an unknown code.
func (c Code) Status() int {
	if row, ok := codeTable[c]; ok {
		return row.status
	}
	return 500
}

// Exit is the exit status of a command that ended with c.
func (c Code) Exit() int {
	if row, ok := codeTable[c]; ok {
		return row.exit
	}
	return ExitFailed
}

// Codes lists every code with its HTTP status, for documents and for the tests of the clients.
func Codes() map[Code]int {
	out := make(map[Code]int, len(codeTable))
	for code, row := range codeTable {
		out[code] = row.status
	}
	return out
}

// Error is the body of every refusal, and the error that the Go code passes along.
type Error struct {
	// Code says what kind of refusal it is.
	Code Code `json:"error"`
	// Message is one sentence for people, without secrets.
	Message string `json:"message"`
	// Details says for each offending field what was wrong and what is allowed.
	Details map[string]string `json:"details,omitempty"`
}

// Error is the message, with the code before it.
func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Code, e.Message) }

// Errorf makes an error with a code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes a validation error about one field.
func Invalid(field, format string, args ...any) *Error {
	why := fmt.Sprintf(format, args...)
	return &Error{Code: CodeValidation, Message: field + ": " + why, Details: map[string]string{field: why}}
}

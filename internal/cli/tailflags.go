package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

// tailFlags are the flags of spile tail.
type tailFlags struct {
	connection
	filters  wire.Filters
	levels   []string
	sources  []string
	scopes   []string
	mode     string
	timeout  seconds
	duration seconds
	tail     int
	since    string
	output   string
	session  string
	reason   string
	columns  []string
	until    string
	failOn   string
	expect   uint64
	quiet    bool
	verify   bool
	// transports are the ways to the stream that are tried.
	transports transports
	// around is how many lines around those that pass the filter are wanted.
	around aroundFlags
}

// forMargin is by how much a session outlives --for, so that it is stopped and does not time out.
const forMargin = 10 * time.Second

// tailLong is the help of spile tail.
const tailLong = `Open a session on one or more agents and print what passes its filter until it ends.

Without AGENT the only agent that is online is taken. The session ends by itself after --timeout;
Ctrl-C ends it at once. Lines go to standard output, everything else to standard error.

Outputs:
  pretty   time, level, source, message, metadata without host, file, line and offsets; colours on a terminal
  text     the same with full times and all metadata, without colours
  json     the frames of the stream, one a line
  logfmt   pairs, time and level first
  csv      a head and a line an event; a text that a spreadsheet would run has a ' before it
  raw      each line's own bytes and nothing else, unsafe to look at on a terminal
  PATTERN  any text with $time $date $level $message $metadata $source $agent $node

--columns chooses what pretty, text and csv show, and which metadata $metadata prints: time, date, level, agent, node,
source, message, metadata, or the key of a metadata value (http.status reaches into objects).

-A, -B and -C also show the lines of the same file around each that passes the filter, as grep does: in pretty, text,
raw and patterns a -- stands where lines are left out; pretty shows them dim on a terminal, and json marks them with
"context": true.

For scripts: --until ends with the first line that matches, --expect with the Nth line, --fail-on with the first line
that must not come; --for bounds the wait. They look at lines as they were written (at the message in a session that
was joined and has no raw lines), and only at those that pass the filter themselves. -n counts those as well.

With --verify the stream is checked while it is printed: every event has a number, and each number must come
once, in order, or in a gap that is told; at the end seen, sent and delivered must add up on both sides. The verdict
goes to standard error.

Lengths of time are written 90s, 10m, 1h30m or as a number of seconds.`

// add adds the flags to cmd.
func (t *tailFlags) add(cmd *cobra.Command) {
	t.connection.add(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&t.levels, "level", nil, "exact set of levels, such as error,critical")
	f.StringVar(&t.filters.MinLevel, "min-level", "", "this level and everything more severe")
	f.StringArrayVar(&t.sources, "source", nil, "glob that a source's name must match (repeat for more)")
	f.StringVar(&t.filters.Pattern, "pattern", "", "regular expression (RE2) that a line must hold")
	f.StringArrayVar(&t.scopes, "scope", nil, "key:value that the metadata must hold (repeat: all of them)")
	f.StringVar(&t.mode, "mode", "", "live keeps up with now, complete loses nothing (default live)")
	f.Var(within{&t.timeout, 0, wire.MaxTimeout}, "timeout", "length of the session, at most 1h (default 5m)")
	f.Var(within{&t.duration, 0, wire.MaxTimeout}, "for", "stop after this long, at most 1h")
	f.VarP(whole[int]{&t.tail, wire.MaxHistory}, "lines", "n", "begin with the last so many matching lines")
	t.around.add(f)
	f.StringVar(&t.since, "since", "", "begin this long ago, or at a time such as 2024-01-15T10:00:00Z")
	f.StringVarP(&t.output, "output", "o", outputPretty, "pretty, json, logfmt, text, csv, raw or a pattern")
	f.StringSliceVar(&t.columns, "columns", nil, "what to show, such as time,level,message,user_id")
	f.StringVar(&t.until, "until", "", "stop after the first line that matches this expression (RE2)")
	f.StringVar(&t.failOn, "fail-on", "", "stop with status 6 after the first line that matches this expression (RE2)")
	f.Var(whole[uint64]{to: &t.expect}, "expect", "stop after this many lines; status 5 if fewer come")
	f.StringVar(&t.session, "session", "", "join this session and leave it open")
	f.StringVar(&t.reason, "reason", "", "why, for the record")
	f.BoolVarP(&t.quiet, "quiet", "q", false, "no notices but gaps and errors")
	f.BoolVar(&t.verify, "verify", false, "check that nothing is missing, doubled or miscounted; else exit with 4")
	f.Var(&t.transports, "transport", "ways to try: auto, or some of websocket, sse, poll")
	fromEnv(f, "output", "SPILE_OUTPUT")
	fromEnv(f, "transport", "SPILE_TRANSPORT")
	for name, complete := range map[string]cobra.CompletionFunc{
		"level": completeList(levelWords()), "columns": completeList(ownColumns()),
		"min-level": completeWord(levelWords()), "output": completeWord(outputNames()),
		"mode": completeWord([]string{string(wire.ModeLive), string(wire.ModeComplete)}),
	} {
		// The only error is that of a flag that does not exist.
		_ = cmd.RegisterFlagCompletionFunc(name, complete)
	}
	cmd.MarkFlagsMutuallyExclusive("level", "min-level")
	for _, name := range []string{
		"level", "min-level", "source", "pattern", "scope", "mode", "timeout", "lines",
		"since", "reason", "after-context", "before-context", "context",
	} {
		cmd.MarkFlagsMutuallyExclusive("session", name)
	}
}

// levelWords are the nine words.
func levelWords() []string {
	words := make([]string, event.NumLevels)
	for i := range words {
		words[i] = event.LevelAt(i).String()
	}
	return words
}

// request is the session that the flags ask for, without its agents. What only a server can judge is left to it.
func (t *tailFlags) request() (wire.StartRequest, error) {
	req := wire.StartRequest{
		Filters: t.filters, Mode: wire.Mode(t.mode), Tail: t.tail, Context: t.around.context(), Reason: t.reason,
	}
	if _, err := event.ParseSet(t.levels); err != nil {
		return req, usageError("", "--level: %w", err)
	}
	if word := t.filters.MinLevel; word != "" {
		if _, err := event.ParseLevel(word); err != nil {
			return req, usageError("", "--min-level: %w", err)
		}
	}
	req.Filters.Level, req.Filters.Source, req.Filters.Scope = t.levels, t.sources, t.scopes
	switch req.Mode {
	case "", wire.ModeLive, wire.ModeComplete:
	default:
		return req, usageError("", "--mode: %q must be live or complete", t.mode)
	}
	for _, scope := range t.scopes {
		if key, _, ok := strings.Cut(scope, ":"); !ok || key == "" {
			return req, usageError("", "--scope: %q must be key:value", scope)
		}
	}
	req.Raw = t.output == outputRaw || t.until != "" || t.failOn != ""
	if err := t.lengths(&req); err != nil {
		return req, err
	}
	return req, nil
}

// outlived is the length of --for if the session that the flags ask for is longer, else 0.
func (t *tailFlags) outlived() time.Duration {
	if t.session != "" || t.timeout > 0 && t.timeout <= t.duration {
		return 0
	}
	return time.Duration(t.duration)
}

// lengths fills in the request's lengths of time.
func (t *tailFlags) lengths(req *wire.StartRequest) error {
	timeout := time.Duration(t.timeout)
	if timeout == 0 && t.duration > 0 {
		timeout = min(time.Duration(t.duration)+forMargin, wire.MaxTimeout)
	}
	if timeout > 0 {
		whole := int((timeout + time.Second - 1) / time.Second)
		req.TimeoutSeconds = &whole
	}
	if t.since == "" {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, t.since); err == nil {
		req.Since = t.since
		return nil
	}
	back, err := parseSeconds(t.since)
	if err != nil {
		return usageError("or a time such as 2024-01-15T10:00:00Z", "--since: %w", err)
	}
	req.Since = back.String()
	return nil
}

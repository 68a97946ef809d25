package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/parse"
	"github.com/spilelog/spile/wire"
)

// lintMemory bounds what the decoder of a compressed file may take.
const lintMemory = 64 << 20

// lintFileHint says what to do about a file that cannot be read.
const lintFileHint = "name files that this user may read, or - for standard input"

// lintRun is one run of spile lint.
type lintRun struct {
	app         *app
	typed, text *convention.Checker
	severity    convention.Severity
	failOn      convention.Severity
	report      *lintReport

	parser parse.Parser
	event  event.Event
	// records are the lines that were judged, unparsed those in other formats, tooLong those over the limit.
	records, unparsed, tooLong int
	rules                      map[string]*lintRule
	stopped                    bool
}

// lintRule is what was found of one rule.
type lintRule struct {
	severity convention.Severity
	count    int
	first    lintFinding
}

// lintFinding is one finding and where it stands.
type lintFinding struct {
	File       string              `json:"file"`
	Line       int                 `json:"line"`
	Rule       string              `json:"rule"`
	Severity   convention.Severity `json:"severity"`
	Field      string              `json:"field"`
	Message    string              `json:"message"`
	Suggestion string              `json:"suggestion,omitempty"`
}

// newLintRun makes the run that the flags ask for.
func (a *app) newLintRun(flags *lintFlags) (*lintRun, error) {
	severity, failOn, err := flags.settle()
	if err != nil {
		return nil, err
	}
	typed, text, err := flags.checkers()
	if err != nil {
		return nil, err
	}
	return &lintRun{
		app: a, typed: typed, text: text, severity: severity, failOn: failOn, rules: map[string]*lintRule{},
		report: newLintReport(a.Stdout, flags),
	}, nil
}

// file checks one file, or standard input.
func (r *lintRun) file(ctx context.Context, path string) error {
	if path == "-" {
		return r.stream(ctx, "stdin", r.app.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return unreadable(path, err)
	}
	defer f.Close()
	switch {
	case strings.HasSuffix(path, ".gz"):
		z, err := gzip.NewReader(f)
		if err != nil {
			return unreadable(path, err)
		}
		return r.stream(ctx, path, z)
	case strings.HasSuffix(path, ".zst"):
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(lintMemory))
		if err != nil {
			return unreadable(path, err)
		}
		defer z.Close()
		return r.stream(ctx, path, z)
	}
	return r.stream(ctx, path, f)
}

// unreadable is the error of a file that cannot be read to its end.
func unreadable(path string, err error) error {
	if inner := (*fs.PathError)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	return &failure{exit: wire.ExitUsage, hint: lintFileHint, err: fmt.Errorf("read log: %s: %w", path, err)}
}

// stream checks the lines of in. It keeps no more than one line.
func (r *lintRun) stream(ctx context.Context, name string, in io.Reader) error {
	// A line of the longest kind, with a carriage return and a newline.
	lines := bufio.NewReaderSize(lintSource{ctx, in}, wire.MaxLine+2)
	for number := 1; ; number++ {
		line, err := lines.ReadSlice('\n')
		long := errors.Is(err, bufio.ErrBufferFull)
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = lines.ReadSlice('\n')
		}
		if r.stopped = err != nil && ctx.Err() != nil; r.stopped {
			return nil
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
		if long || len(line) > wire.MaxLine {
			// Half a record would be blamed for what stands in the other half.
			r.tooLong++
		} else if err := r.line(name, number, string(line)); err != nil {
			return err
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unreadable(name, err)
		}
	}
}

// lintSource is a log that ends when its run is told to, even within a line that never ends.
type lintSource struct {
	ctx context.Context // that of the one call that has it
	in  io.Reader
}

// Read reads on, unless the run was told to end.
func (l lintSource) Read(p []byte) (int, error) {
	if err := l.ctx.Err(); err != nil {
		return 0, err
	}
	return l.in.Read(p)
}

// line checks one line.
func (r *lintRun) line(name string, number int, line string) error {
	line = strings.TrimPrefix(line, "\ufeff")
	if strings.TrimSpace(line) == "" {
		return nil
	}
	checker := r.typed
	format := parse.Detect(line)
	if format == parse.Logfmt {
		checker = r.text
	} else if format != parse.JSON {
		r.unparsed++
		return nil
	}
	r.event.Reset()
	r.parser.Parse(line, time.Time{}, &r.event)
	if format == parse.JSON && len(r.event.Metadata) == 0 && r.event.Message == line && !json.Valid([]byte(line)) {
		r.unparsed++
		return nil
	}
	r.records++
	for _, f := range checker.CheckRecord(r.event.Level.String(), lintFields(&r.event, line)) {
		if f.Severity < r.severity {
			continue
		}
		one := lintFinding{name, number, f.Rule, f.Severity, f.Field, plainTypes(f), f.Suggestion}
		if err := r.found(one); err != nil {
			return err
		}
	}
	return nil
}

// lintFields are the fields of a record. Where it has no message, the parser gives the whole line for one, which is
// no name; where it has msg beside what, the parser takes msg for the message, although it is a field.
func lintFields(e *event.Event, line string) map[string]any {
	fields := convention.FieldsOfEvent(e)
	_, own := e.Metadata.Get(convention.KeyWhat)
	switch {
	case e.Message == line && !own:
		delete(fields, convention.KeyWhat)
	case e.Message != line && own && strings.Contains(line, convention.KeyMsg):
		fields[convention.KeyMsg] = e.Message
	}
	return fields
}

// plainTypes is the message of a finding with the types of the log in the place of those that hold them in Go.
func plainTypes(f convention.Finding) string {
	for _, t := range [...][2]string{
		{"json.Number", "number"},
		{"[]interface {}", "list"},
		{"map[string]interface {}", "object"},
		{"<nil>", "null"},
		{"bool", "truth"},
		{"string", "text"},
	} {
		if rest, ok := strings.CutPrefix(f.Message, f.Field+" is "+t[0]+" "); ok {
			return f.Field + " is " + t[1] + " " + rest
		}
	}
	return f.Message
}

// found counts a finding and prints it.
func (r *lintRun) found(f lintFinding) error {
	rule := r.rules[f.Rule]
	if rule == nil {
		rule = &lintRule{severity: f.Severity, first: f}
		r.rules[f.Rule] = rule
	}
	rule.count++
	return r.report.finding(f)
}

// close prints the summary, if all was read or as much as was asked for, and writes what is left.
func (r *lintRun) close(whole bool) error {
	if whole {
		if err := r.report.summarize(r); err != nil {
			return err
		}
	}
	if err := r.report.out.Flush(); err != nil {
		return err
	}
	if r.report.hidden {
		fmt.Fprintf(r.app.Stderr, "-- only %d findings are printed, all are counted; --max prints more\n", r.report.max)
	}
	if r.stopped {
		fmt.Fprintln(r.app.Stderr, "-- stopped; the summary is of what was read until then")
	}
	return nil
}

package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// The named outputs.
const (
	outputPretty = "pretty"
	outputJSON   = "json"
	outputLogfmt = "logfmt"
	outputText   = "text"
	outputCSV    = "csv"
	outputRaw    = "raw"
)

// outputNames are the named outputs of a stream; anything else with a $ is a pattern.
func outputNames() []string {
	return []string{outputPretty, outputJSON, outputLogfmt, outputText, outputCSV, outputRaw}
}

// Layouts of times for people.
const (
	clockLayout = "15:04:05.000"
	dateLayout  = "2006-01-02"
)

// outputOptions are the settings of an output.
type outputOptions struct {
	// text is the value of -o: a name or a pattern.
	text string
	// columns is the value of --columns.
	columns []string
	// colour says that the output goes to somebody who wants colours.
	colour bool
	// zone is that of pretty and of patterns.
	zone *time.Location
}

// view is whom and what a line is printed for.
type view struct {
	zone   *time.Location
	colour bool
	// names are the agents' names by id; a line tells its agent when there are several.
	names map[string]string
}

// agent is the name of the agent that sent a frame, or its id.
func (s *view) agent(log *wire.Log) string {
	if name := s.names[log.Agent]; name != "" {
		return name
	}
	return log.Agent
}

// node is the host on which a line was written, else the agent's name.
func (s *view) node(log *wire.Log) string {
	for _, f := range metadataFields(log.Metadata) {
		if f.key == fieldHost {
			return f.text()
		}
	}
	return s.agent(log)
}

// printer appends the line of one event without its end.
type printer interface {
	append(dst []byte, s *view, log *wire.Log) []byte
}

// output turns frames into lines.
type output struct {
	view
	kind    string
	printer printer
	// head is what stands before the first line.
	head []byte
	// groups says that lines come with others around them; last is where the last one lies, without a file if unknown.
	groups bool
	last   place
}

// newOutput reads the flags of an output.
func newOutput(o outputOptions) (*output, error) {
	out := &output{kind: o.text, view: view{zone: o.zone, colour: o.colour && o.text == outputPretty}}
	columns, err := parseColumns(o.columns)
	if err != nil {
		return nil, err
	}
	switch o.text {
	case outputPretty, outputText:
		out.printer = &linePrinter{pretty: o.text == outputPretty}
		if columns != nil {
			out.printer = newColumnPrinter(columns, o.text == outputPretty)
		}
		return out, nil
	case outputCSV:
		p := newCSVPrinter(columns)
		out.printer, out.head = p, p.head()
		return out, nil
	case outputJSON, outputLogfmt, outputRaw:
		if columns != nil {
			return nil, fmt.Errorf("--columns: -o %s has none; use pretty, text, csv or a pattern with $metadata", o.text)
		}
		out.printer = map[string]printer{outputLogfmt: &logfmtPrinter{}, outputRaw: rawPrinter{}}[o.text]
		return out, nil
	}
	if !strings.Contains(o.text, "$") {
		return nil, fmt.Errorf("-o: output %q must be one of %s, or a pattern with a field such as "+
			"'$time [$level] $message'", o.text, strings.Join(outputNames(), ", "))
	}
	out.kind = ""
	out.printer, err = newPatternPrinter(o.text, columns, o.zone)
	return out, err
}

// append appends the line of a frame, with its end, to dst; nothing for a frame that the output does not show.
func (o *output) append(dst []byte, f client.Frame) []byte {
	if o.kind == outputJSON {
		if f.Control != nil && (f.Control.Event == wire.EventHeartbeat || f.Control.Event == wire.EventStats) {
			return dst
		}
		return append(append(dst, f.Line...), '\n')
	}
	if f.Log == nil {
		return dst
	}
	if o.groups && o.separates() {
		dst = o.separated(dst, f.Log)
	}
	start := len(dst)
	dst = o.appendLine(dst, f.Log)
	// A pattern may bring its own line end; any other line ends here, an empty one too.
	if o.kind == "" && len(dst) > start && dst[len(dst)-1] == '\n' {
		return dst
	}
	return append(dst, '\n')
}

// appendLine appends a line without its end. One that stands around a match is dim, in no colour of its own.
func (o *output) appendLine(dst []byte, log *wire.Log) []byte {
	if !log.Context || !o.colour {
		return o.printer.append(dst, &o.view, log)
	}
	plain := o.view
	plain.colour = false
	dst = append(dst, styleDim...)
	dst = o.printer.append(dst, &plain, log)
	return append(dst, styleReset...)
}

// rawPrinter prints lines as they were written.
type rawPrinter struct{}

func (rawPrinter) append(dst []byte, _ *view, log *wire.Log) []byte { return appendRaw(dst, log) }

// appendRaw appends the line as it was written.
func appendRaw(dst []byte, log *wire.Log) []byte {
	if log.Raw != nil {
		return append(dst, *log.Raw...)
	}
	return append(dst, log.RawBase64...)
}

// linePrinter prints the layout of pretty and text: time, level, agent if there are several, source, message and
// metadata.
type linePrinter struct{ pretty bool }

func (p *linePrinter) append(dst []byte, s *view, log *wire.Log) []byte {
	dst = s.paint(dst, styleDim)
	dst = p.appendTime(dst, s, log)
	dst = append(s.paint(dst, styleReset), ' ')
	dst = s.paint(dst, levelStyle(log.Level))
	dst = append(appendPadded(dst, log.Level), s.style(styleReset)...)
	dst = append(dst, ' ')
	dst = s.paint(dst, styleSource)
	if len(s.names) > 1 {
		dst = append(appendNeutral(dst, s.agent(log)), ' ')
	}
	dst = appendNeutral(dst, log.Source)
	dst = append(s.paint(dst, styleReset), ' ')
	dst = appendNeutral(dst, log.Message)
	for _, f := range metadataFields(log.Metadata) {
		if p.pretty && isOrigin(f.key) {
			continue
		}
		dst = append(dst, ' ')
		dst = s.paint(dst, styleDim)
		dst = append(appendNeutral(dst, f.key), '=')
		dst = s.paint(dst, styleReset)
		dst = appendNeutral(dst, f.quoted())
	}
	return dst
}

// appendTime appends the time of day for people, or the whole time.
func (p *linePrinter) appendTime(dst []byte, s *view, log *wire.Log) []byte {
	if p.pretty {
		return log.Timestamp.In(s.zone).AppendFormat(dst, clockLayout)
	}
	return log.Timestamp.UTC().AppendFormat(dst, wire.TimeLayout)
}

// isOrigin says whether a field tells where a line lies, which pretty leaves out.
func isOrigin(key string) bool {
	return slices.Contains([]string{fieldHost, fieldFile, fieldLine, fieldOffset, fieldEndOffset}, key)
}

package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spilelog/spile/convention"
)

// Lengths, in characters, of what is quoted from a log: on the line of a finding, and in the table.
const (
	lintMessage = 240
	lintExample = 72
)

// lintReport prints findings and the summary.
type lintReport struct {
	out   *bufio.Writer
	json  *json.Encoder // nil for pretty
	max   int           // negative for all
	line  []byte
	shown int
	// hidden says that findings were not printed because there were too many.
	hidden bool
	quiet  bool
	// seen are the findings that were printed, and are not repeated; nil to repeat them.
	seen map[lintKind]bool
}

// lintKind is what findings have in common that are not repeated.
type lintKind struct{ rule, message string }

// maxLintKinds bounds the memory for findings that are not repeated; of more kinds, all are printed.
const maxLintKinds = 10_000

// newLintReport prints to w as the flags say.
func newLintReport(w io.Writer, flags *lintFlags) *lintReport {
	p := &lintReport{out: bufio.NewWriter(w), max: flags.max, quiet: flags.summary}
	if flags.max == 0 {
		p.max = -1
	}
	if !flags.repeats {
		p.seen = map[lintKind]bool{}
	}
	if flags.output == outputJSON {
		p.json = json.NewEncoder(p.out)
		p.json.SetEscapeHTML(false)
	}
	return p
}

// finding prints one finding, unless there were enough.
func (p *lintReport) finding(f lintFinding) error {
	if p.quiet {
		return nil
	}
	kind := lintKind{f.Rule, f.Message}
	if p.seen[kind] {
		return nil
	}
	if p.shown == p.max {
		p.hidden = true
		return nil
	}
	p.shown++
	if p.seen != nil && len(p.seen) < maxLintKinds {
		p.seen[kind] = true
	}
	if p.json != nil {
		return p.json.Encode(struct {
			Type string `json:"type"`
			lintFinding
		}{"finding", f})
	}
	text := convention.Finding{Rule: f.Rule, Severity: f.Severity, Message: cut(f.Message, lintMessage)}
	text.Suggestion = cut(f.Suggestion, lintMessage)
	p.line = appendNeutral(p.line[:0], fmt.Sprintf("%s:%d: %s", f.File, f.Line, text))
	_, err := p.out.Write(append(p.line, '\n'))
	return err
}

// lintSummary is the last object of JSON output.
type lintSummary struct {
	Type     string            `json:"type"`
	Records  int               `json:"records"`
	Unparsed int               `json:"unparsed"`
	TooLong  int               `json:"too_long"`
	Findings int               `json:"findings"`
	Rules    []lintRuleSummary `json:"rules"`
}

// lintRuleSummary is one rule of the summary.
type lintRuleSummary struct {
	Rule     string              `json:"rule"`
	Severity convention.Severity `json:"severity"`
	Title    string              `json:"title"`
	Count    int                 `json:"count"`
	First    lintFinding         `json:"first"`
}

// summarize prints the summary: a table by rule and a line of totals.
func (p *lintReport) summarize(r *lintRun) error {
	s := lintSummary{
		Type: "summary", Records: r.records, Unparsed: r.unparsed, TooLong: r.tooLong, Rules: []lintRuleSummary{},
	}
	rows := [][]string{{"RULE", "SEVERITY", "COUNT", "FIRST", "EXAMPLE"}}
	for _, rule := range convention.Rules() {
		found := r.rules[rule.ID]
		if found == nil {
			continue
		}
		s.Findings += found.count
		s.Rules = append(s.Rules, lintRuleSummary{rule.ID, found.severity, rule.Title, found.count, found.first})
		rows = append(rows, []string{
			rule.ID, found.severity.String(), fmt.Sprint(found.count), fmt.Sprintf("%s:%d", found.first.File, found.first.Line),
			cut(found.first.Message, lintExample),
		})
	}
	if p.json != nil {
		return p.json.Encode(s)
	}
	if s.Findings > 0 {
		if p.shown > 0 {
			fmt.Fprintln(p.out)
		}
		if err := table(p.out, rows); err != nil {
			return err
		}
		fmt.Fprintln(p.out)
	}
	totals := fmt.Sprintf("%d records, %d findings, %d lines of other formats", s.Records, s.Findings, s.Unparsed)
	if s.TooLong > 0 {
		totals += fmt.Sprintf(", %d lines too long to judge", s.TooLong)
	}
	_, err := fmt.Fprintln(p.out, totals)
	return err
}

// cut is text with at most n characters.
func cut(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i] + "…"
		}
		n--
	}
	return text
}

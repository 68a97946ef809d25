package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/wire"
)

// logfmtPrinter prints pairs in the order of the conventions.
type logfmtPrinter struct{ format format.Logfmt }

func (p *logfmtPrinter) append(dst []byte, s *view, log *wire.Log) []byte {
	e := eventOf(log)
	if _, ok := e.Metadata.Get(fieldAgent); !ok && len(s.names) > 1 {
		e.Metadata = append(e.Metadata, event.Field{Key: fieldAgent, Value: event.String(s.agent(log))})
	}
	return trimEnd(dst, format.Append(&p.format, dst, &e))
}

// trimEnd is out, of which dst is the beginning, without its line end.
func trimEnd(dst, out []byte) []byte {
	if len(out) > len(dst) && out[len(out)-1] == '\n' {
		return out[:len(out)-1]
	}
	return out
}

// patternPrinter prints a pattern of the library, with three fields more that only a stream has.
type patternPrinter struct{ parts []patternPart }

// patternPart is a piece of a pattern: one of ours, or what stands between them.
type patternPart struct {
	own    string
	format *format.Pattern
}

// ownFields finds what only we know in a pattern.
var ownFields = regexp.MustCompile(`\$(?:source|agent|node)\b`)

// newPatternPrinter reads a pattern. The columns are the metadata that $metadata prints; nil means all.
func newPatternPrinter(text string, columns []column, zone *time.Location) (*patternPrinter, error) {
	options := format.PatternOptions{
		JSON: true, UTC: zone == time.UTC, AllKeys: columns == nil, Truncate: format.Unlimited(),
	}
	for _, c := range columns {
		if c.kind != columnMetadata {
			return nil, fmt.Errorf("--columns: %s is no metadata; in a pattern they choose what $metadata prints", c.name)
		}
		options.Keys = append(options.Keys, c.name)
	}
	p := &patternPrinter{}
	add := func(between string) error {
		if between == "" {
			return nil
		}
		options.Pattern = between
		one, err := format.NewPattern(options)
		if err != nil {
			return patternError(err)
		}
		p.parts = append(p.parts, patternPart{format: one})
		return nil
	}
	from := 0
	for _, at := range ownFields.FindAllStringIndex(text, -1) {
		if err := add(text[from:at[0]]); err != nil {
			return nil, err
		}
		p.parts, from = append(p.parts, patternPart{own: text[at[0]:at[1]]}), at[1]
	}
	return p, add(text[from:])
}

// patternError says of a pattern that cannot be which words it may have.
func patternError(err error) error {
	wrong := (*format.PatternError)(nil)
	if !errors.As(err, &wrong) {
		return fmt.Errorf("-o: %w", err)
	}
	words := make([]string, 0, len(ownColumns()))
	for _, name := range ownColumns() {
		words = append(words, "$"+name)
	}
	return fmt.Errorf("-o: %q is no word of a pattern: must be one of %s", "$"+wrong.Name, strings.Join(words, ", "))
}

func (p *patternPrinter) append(dst []byte, s *view, log *wire.Log) []byte {
	e := eventOf(log)
	for i := range p.parts {
		part := &p.parts[i]
		switch part.own {
		case "$source":
			dst = appendNeutral(dst, log.Source)
		case "$agent":
			dst = appendNeutral(dst, s.agent(log))
		case "$node":
			dst = appendNeutral(dst, s.node(log))
		default:
			dst = format.Append(part.format, dst, &e)
		}
	}
	return dst
}

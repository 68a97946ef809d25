package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spilelog/spile/wire"
)

// The columns that are no metadata, and what they are called in frames too.
const (
	fieldTime     = "time"
	fieldDate     = "date"
	fieldLevel    = "level"
	fieldAgent    = "agent"
	fieldNode     = "node"
	fieldSource   = "source"
	fieldMessage  = "message"
	fieldMetadata = "metadata"
)

// maxColumns bounds the value of --columns; maxPadding is the width from which a column no longer pushes the next.
const (
	maxColumns = 64
	maxPadding = 40
)

// columnKind says where a column's value comes from.
type columnKind uint8

// The kinds of columns.
const (
	columnOwn      columnKind = iota // a part of the frame
	columnMetadata                   // the value of a metadata key
)

// column is one column of an output.
type column struct {
	name string
	kind columnKind
}

// parseColumns reads the value of --columns; nil for none.
func parseColumns(names []string) ([]column, error) {
	if len(names) > maxColumns {
		return nil, fmt.Errorf("--columns: %d columns, must be at most %d", len(names), maxColumns)
	}
	var columns []column
	for _, name := range names {
		if name = strings.TrimSpace(name); name == "" {
			return nil, errors.New("--columns: a column has no name")
		}
		c := column{name: name, kind: columnMetadata}
		if slices.Contains(ownColumns(), name) {
			c.kind = columnOwn
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// ownColumns are the columns that are no metadata.
func ownColumns() []string {
	return []string{
		fieldTime, fieldDate, fieldLevel, fieldAgent, fieldNode, fieldSource, fieldMessage, fieldMetadata,
	}
}

// columnEvent is an event with its metadata taken apart once for all columns.
type columnEvent struct {
	*wire.Log
	fields []field
}

// value is what a column shows of an event.
func (c *column) value(s *view, e *columnEvent, timeLayout string) string {
	log := e.Log
	if c.kind == columnMetadata {
		f, _ := lookup(e.fields, c.name)
		return f.text()
	}
	switch c.name {
	case fieldTime:
		if timeLayout == wire.TimeLayout {
			return log.Timestamp.UTC().Format(timeLayout)
		}
		return log.Timestamp.In(s.zone).Format(timeLayout)
	case fieldDate:
		return log.Timestamp.In(s.zone).Format(dateLayout)
	case fieldLevel:
		return log.Level
	case fieldAgent:
		return s.agent(log)
	case fieldNode:
		return s.node(log)
	case fieldSource:
		return log.Source
	case fieldMessage:
		return log.Message
	}
	return string(log.Metadata)
}

// columnPrinter prints chosen columns: aligned for people, between tabs for programs.
type columnPrinter struct {
	columns []column
	pretty  bool
	widths  []int // the widest so far, so that later lines stand in line with earlier ones
}

// newColumnPrinter makes a printer of the columns.
func newColumnPrinter(columns []column, pretty bool) *columnPrinter {
	p := &columnPrinter{columns: columns, pretty: pretty, widths: make([]int, len(columns))}
	for i, c := range columns {
		if c.kind == columnOwn && c.name == fieldLevel {
			p.widths[i] = levelWidth
		}
	}
	return p
}

func (p *columnPrinter) append(dst []byte, s *view, log *wire.Log) []byte {
	e := columnEvent{log, metadataFields(log.Metadata)}
	layout := wire.TimeLayout
	if p.pretty {
		layout = clockLayout
	}
	for i := range p.columns {
		c := &p.columns[i]
		if i > 0 && !p.pretty {
			dst = append(dst, '\t')
		} else if i > 0 {
			dst = append(dst, ' ')
		}
		value := appendNeutral(nil, c.value(s, &e, layout))
		if !p.pretty {
			// A tab ends a column.
			dst = append(dst, strings.ReplaceAll(string(value), "\t", `\t`)...)
			continue
		}
		style := p.styleOf(c, log)
		dst = append(append(s.paint(dst, style), value...), s.style(reset(style))...)
		if i < len(p.columns)-1 {
			dst = p.pad(dst, i, utf8.RuneCount(value))
		}
	}
	return dst
}

// pad fills the column at i, of which size are taken.
func (p *columnPrinter) pad(dst []byte, i, size int) []byte {
	p.widths[i] = max(p.widths[i], min(size, maxPadding))
	for ; size < p.widths[i]; size++ {
		dst = append(dst, ' ')
	}
	return dst
}

// styleOf is the colour of a column.
func (p *columnPrinter) styleOf(c *column, log *wire.Log) string {
	switch {
	case c.kind == columnMetadata:
		return ""
	case c.name == fieldLevel:
		return levelStyle(log.Level)
	case c.name == fieldTime || c.name == fieldDate:
		return styleDim
	case c.name == fieldSource || c.name == fieldAgent || c.name == fieldNode:
		return styleSource
	}
	return ""
}

// reset ends a style, if there is one.
func reset(style string) string {
	if style == "" {
		return ""
	}
	return styleReset
}

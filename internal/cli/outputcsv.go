package cli

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"strings"

	"github.com/spilelog/spile/wire"
)

// csvPrinter prints comma-separated values as RFC 4180 has them. A text that a spreadsheet would take for a formula
// has a ' before it, since anybody who can write a log line could command the spreadsheet of its reader.
type csvPrinter struct {
	columns []column
	row     []string
	buf     bytes.Buffer
	out     *csv.Writer
}

// newCSVPrinter makes a printer of the columns; nil means the frame's own.
func newCSVPrinter(columns []column) *csvPrinter {
	if columns == nil {
		for _, name := range []string{fieldTime, fieldLevel, fieldAgent, fieldSource, fieldMessage, fieldMetadata} {
			columns = append(columns, column{name: name, kind: columnOwn})
		}
	}
	p := &csvPrinter{columns: columns, row: make([]string, len(columns))}
	p.out = csv.NewWriter(&p.buf)
	return p
}

// head is the line with the columns' names.
func (p *csvPrinter) head() []byte {
	for i, c := range p.columns {
		p.row[i] = plainCell(c.name)
	}
	return append(p.line(nil), '\n')
}

func (p *csvPrinter) append(dst []byte, s *view, log *wire.Log) []byte {
	e := columnEvent{log, metadataFields(log.Metadata)}
	for i := range p.columns {
		p.row[i] = plainCell(p.columns[i].value(s, &e, wire.TimeLayout))
	}
	return p.line(dst)
}

// line appends the row without its end.
func (p *csvPrinter) line(dst []byte) []byte {
	p.buf.Reset()
	// A buffer takes everything.
	_ = p.out.Write(p.row)
	p.out.Flush()
	return append(dst, bytes.TrimSuffix(p.buf.Bytes(), []byte{'\n'})...)
}

// plainCell is text that neither a terminal nor a spreadsheet obeys.
func plainCell(text string) string {
	text = string(appendNeutral(nil, text))
	if text == "" || !strings.ContainsRune("=+-@\t", rune(text[0])) {
		return text
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text
	}
	return "'" + text
}

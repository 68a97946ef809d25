package main

import (
	"fmt"
	"io"
	"strings"
)

// outcome is what a follower made of a row.
type outcome struct {
	absent           bool
	missing, doubled int
	// readable counts the missing lines that are still in a file.
	readable int
	// holes are the bytes that were skipped because nothing was ever written there.
	holes int
	told  told
}

// told is what Spile says about loss.
type told struct {
	// bytes were announced as lost; atLeast says that there may have been more.
	bytes   uint64
	atLeast bool
	// holes are bytes that were announced as never written.
	holes uint64
	// events were announced as lost.
	events uint64
	// reasons are those of the announcements, each once.
	reasons []string
	// broken is what a check of the stream found wrong.
	broken []string
}

// cell is an outcome as it is printed.
func (o *outcome) cell() string {
	if o.absent {
		return "not installed"
	}
	return fmt.Sprintf("%d / %d", o.missing, o.doubled)
}

// String is what was told.
func (t *told) String() string {
	var parts []string
	switch {
	case t.bytes > 0 && t.atLeast:
		parts = append(parts, fmt.Sprintf("at least %d bytes", t.bytes))
	case t.bytes > 0:
		parts = append(parts, fmt.Sprintf("%d bytes", t.bytes))
	case t.atLeast:
		parts = append(parts, "bytes, number unknown")
	}
	if t.holes > 0 {
		parts = append(parts, fmt.Sprintf("%d bytes of holes", t.holes))
	}
	if t.events > 0 {
		parts = append(parts, fmt.Sprintf("%d events", t.events))
	}
	if len(parts) == 0 {
		return "-"
	}
	return strings.Join(parts, ", ") + " (" + strings.Join(t.reasons, ", ") + ")"
}

// faults is what Spile did wrong in a row.
func (o *outcome) faults(r *row) []string {
	var wrong []string
	add := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	lost := uint64(o.missing * lineBytes)
	add(o.missing > 0 && !r.destroys, "%d lines missing", o.missing)
	add(o.readable > 0, "%d lines missing that are in a file to this day", o.readable)
	add(o.doubled > 0, "%d lines doubled", o.doubled)
	add(lost > o.told.bytes && !o.told.atLeast, "%d bytes lost, %s announced", lost, &o.told)
	add(o.told.bytes > lost, "%d bytes announced, %d lost", o.told.bytes, lost)
	add(o.told.holes != uint64(o.holes), "%d bytes of holes announced, there are %d", o.told.holes, o.holes)
	add(o.told.events > 0, "%d events announced as lost", o.told.events)
	for _, b := range o.told.broken {
		add(true, "%s", b)
	}
	return wrong
}

// The widths of the columns.
const (
	nameWidth = 52
	toolWidth = 18
)

// table prints a row as soon as it is known.
type table struct {
	out   io.Writer
	tools []tool
}

// newTable prints the head.
func newTable(out io.Writer, s *settings) *table {
	t := &table{out: out}
	fmt.Fprintf(out, "lines missing / doubled, of 100,000 unless a row says otherwise\n")
	if s.scale > 1 {
		fmt.Fprintf(out, "a short run: all numbers of lines divided by %d\n", s.scale)
	}
	fmt.Fprintf(out, "%-*s", nameWidth, "row")
	for _, one := range tools() {
		if s.tools.MatchString(one.name) {
			t.tools = append(t.tools, one)
			fmt.Fprintf(out, " %-*s", toolWidth, one.name)
		}
	}
	fmt.Fprintln(out, " Spile announced")
	return t
}

// row prints one row. It is 1 if Spile failed, else 0.
func (t *table) row(r row, cells []outcome) int {
	fmt.Fprintf(t.out, "%-*s", nameWidth, r.name)
	announced, wrong := "", []string(nil)
	for i := range cells {
		fmt.Fprintf(t.out, " %-*s", toolWidth, cells[i].cell())
		if t.tools[i].name == nameSpile {
			announced, wrong = cells[i].told.String(), cells[i].faults(&r)
		}
	}
	fmt.Fprintf(t.out, " %s\n", announced)
	for _, w := range wrong {
		fmt.Fprintf(t.out, "    FAILED: %s\n", w)
	}
	return min(1, len(wrong))
}

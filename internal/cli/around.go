package cli

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"github.com/spilelog/spile/wire"
)

// lineCount is a number of lines around a match on the command line.
type lineCount struct {
	n     int
	given bool
}

// String is the number, empty for none, so that help prints no default.
func (c *lineCount) String() string {
	if !c.given {
		return ""
	}
	return strconv.Itoa(c.n)
}

// Set reads the number.
func (c *lineCount) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > wire.MaxContext {
		return fmt.Errorf("%q must be %s", text, c.allowed())
	}
	c.n, c.given = n, true
	return nil
}

// allowed says which values are.
func (c *lineCount) allowed() string {
	return fmt.Sprintf("a whole number from 0 to %d", wire.MaxContext)
}

// Type names the form in help texts.
func (c *lineCount) Type() string { return "lines" }

// aroundFlags are the flags that ask for the lines around a match, as grep has them.
type aroundFlags struct{ before, after, both lineCount }

// add adds the flags.
func (a *aroundFlags) add(f *pflag.FlagSet) {
	f.VarP(&a.after, "after-context", "A", "also so many lines after each that passes the filter")
	f.VarP(&a.before, "before-context", "B", "also so many lines before each that passes the filter")
	f.VarP(&a.both, "context", "C", "the same for both sides; -A and -B count before it")
}

// context is what a session is asked for.
func (a *aroundFlags) context() wire.Context {
	out := wire.Context{Before: a.both.n, After: a.both.n}
	if a.before.given {
		out.Before = a.before.n
	}
	if a.after.given {
		out.After = a.after.n
	}
	return out
}

// place is where a line lies in a file, from its first byte to the byte behind its end.
type place struct {
	agent, file string
	from, to    int64
}

// placeOf is the place of a line, from the agent's own part of the metadata; it is known in sessions with context.
func placeOf(log *wire.Log) (place, bool) {
	p, known := place{agent: log.Agent}, 0
	for _, f := range metadataFields(log.Metadata) {
		var err error
		switch f.key {
		case fieldFile:
			p.file = f.text()
			continue
		case fieldOffset:
			err = json.Unmarshal(f.value, &p.from)
		case fieldEndOffset:
			err = json.Unmarshal(f.value, &p.to)
		default:
			continue
		}
		if err == nil {
			known++
		}
	}
	return p, known == 2 && p.file != ""
}

// The keys under which the agent says where a line lies.
const (
	fieldFile      = "file"
	fieldLine      = "line"
	fieldHost      = "host"
	fieldOffset    = "offset"
	fieldEndOffset = "end_offset"
)

// separator is what stands between lines that do not follow on one another.
const separator = "--"

// separated appends the separator where the line of log does not follow directly on the one before it.
func (o *output) separated(dst []byte, log *wire.Log) []byte {
	at, known := placeOf(log)
	last := o.last
	o.last = at
	if !known || last.file == "" || last.agent == at.agent && last.file == at.file && last.to == at.from {
		return dst
	}
	dst = o.paint(dst, styleDim)
	dst = append(dst, separator...)
	return append(o.paint(dst, styleReset), '\n')
}

// separates says whether an output is read as grep's is: by people, who need to see where lines are left out.
func (o *output) separates() bool {
	switch o.kind {
	case outputPretty, outputText, outputRaw, "":
		return true
	}
	return false
}

package spile

import (
	"cmp"
	"context"
	"io"
	"os"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// consolePattern is one line for a record, as people read it.
const consolePattern = "$time $metadata[$level] $message\n"

// ConsoleOptions are the options of [NewConsole].
type ConsoleOptions struct {
	// BaseOptions: a nil Formatter prints time, metadata, level and message in one line, with quotes and escapes where
	// a value needs them. It, and a [format.Pattern] that does not say otherwise, has colours if the writer is a
	// terminal, NO_COLOR is empty and TERM is not dumb.
	BaseOptions
	// Name is the name of the backend; empty is console.
	Name string
	// Writer takes the records; nil is [os.Stderr], because what a program prints to its standard output is its result,
	// which somebody may pipe into another program.
	Writer io.Writer
}

// Console is a [Backend] for people who watch a program run. It writes each record at once, with one call of the
// writer; nothing is lost if the program ends without Close.
type Console struct {
	*Base
	lines   lines
	out     output
	colours bool
}

// NewConsole returns a backend that writes to o.Writer.
func NewConsole(o ConsoleOptions) *Console {
	if o.Writer == nil {
		o.Writer = os.Stderr
	}
	colours := colourful(o.Writer, os.Getenv)
	standard := consoleFormatter().WithColor(colours)
	if o.Formatter == nil {
		o.Formatter = standard
	}
	o.Formatter = forOutput(o.Formatter, colours)
	c := &Console{Base: NewBase(cmp.Or(o.Name, "console"), o.BaseOptions), colours: colours}
	c.lines.base, c.lines.standard = c.Base, standard
	c.out.w, c.out.every = o.Writer, flushEvery
	return c
}

// SetFormatter changes the formatter. A [format.Pattern] that leaves it to the output whether it has colours has them
// where the console shows them.
func (c *Console) SetFormatter(f format.Formatter) { c.Base.SetFormatter(forOutput(f, c.colours)) }

// Log writes e. An error says that the record is lost. Of one that the writer took a part of, the rest goes out before
// the next record, at the latest a second later.
func (c *Console) Log(_ context.Context, e *event.Event) error {
	line := c.lines.text(e)
	defer c.lines.free(line)
	return c.out.log(*line, e.Level)
}

// Flush writes the rest of a record of which the writer took a part, and leaves a writer that blocks when ctx is done.
func (c *Console) Flush(ctx context.Context) error { return until(ctx, c.out.flush) }

// Close ends the backend; the writer stays open. One that blocks is left when ctx is done.
func (c *Console) Close(ctx context.Context) error {
	return until(ctx, func() error { return c.out.close(c.Base) })
}

// colourful says whether w is a terminal whose user wants colours; see https://no-color.org.
func colourful(w io.Writer, getenv func(string) string) bool {
	file, ok := w.(*os.File)
	if !ok || getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// consoleFormatter is the default of [Console]. It panics if its own pattern cannot be compiled, which a test excludes.
func consoleFormatter() *format.Pattern {
	p, err := format.NewPattern(format.PatternOptions{Pattern: consolePattern, AllKeys: true, JSON: true})
	if err != nil {
		panic(err)
	}
	return p
}

// forOutput is f for an output that shows colours or not, where it leaves that to the output.
func forOutput(f format.Formatter, colours bool) format.Formatter {
	if p, ok := f.(*format.Pattern); ok {
		return p.WithColor(colours)
	}
	return f
}

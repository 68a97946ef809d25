package main

import (
	"io"
	"log/slog"
)

// The kinds of calls.
const (
	whatDisabled    = "disabled, message"
	whatDisabledTen = "disabled, 10 fields"
	whatMessage     = "message"
	whatTen         = "10 fields"
	whatCarried     = "With(10 fields), message"
)

// The loggers that others are compared with.
const (
	whoSlog    = "slog JSONHandler"
	whoSpile   = "Spile"
	whoZerolog = "zerolog"
	whoHclog   = "hclog, one JSON sink at debug"
)

// counter is a writer that counts: some libraries treat io.Discard as a wish for no work.
type counter struct{ bytes uint64 }

// Write counts.
func (c *counter) Write(p []byte) (int, error) {
	c.bytes += uint64(len(p))
	return len(p), nil
}

// behindSlog is a handler as a maker of calls.
func behindSlog(newHandler func(io.Writer) slog.Handler) func(io.Writer) calls {
	return func(w io.Writer) calls { return slogCalls(newHandler(w)) }
}

// loggers are the libraries, each with its level at info and JSON to a writer that counts.
var loggers = []struct {
	who  string
	make func(io.Writer) calls
}{
	{whoSlog, behindSlog(newSlog)},
	{whoSpile, behindSlog(newSpile)},
	{"slog → zerolog", behindSlog(newZerologHandler)},
	{"slog → phuslu/log", behindSlog(newPhusluHandler)},
	{"zap", zapCalls},
	{whoZerolog, zerologCalls},
	{"phuslu/log", phusluCalls},
	{"hclog", hclogPlain},
	{whoHclog, hclogWatched},
}

// kinds are the calls, with what Spile is to reach in each.
var kinds = []struct {
	what  string
	pick  func(*calls) func(n int)
	goals []goal
}{
	{whatDisabled, func(c *calls) func(int) { return c.disabled }, []goal{{who: whoSlog, most: 1.1, none: true}}},
	{whatDisabledTen, func(c *calls) func(int) { return c.disabledTen }, []goal{{who: whoSlog, most: 1.1, none: true}}},
	{whatMessage, func(c *calls) func(int) { return c.message }, []goal{{who: whoSlog}, {who: whoZerolog}}},
	{
		whatTen, func(c *calls) func(int) { return c.ten },
		[]goal{{who: whoSlog, most: 1, allocs: true}, {who: whoZerolog}},
	},
	{whatCarried, func(c *calls) func(int) { return c.carried }, []goal{{who: whoSlog}, {who: whoZerolog}}},
}

// measurements is the table of what is measured.
func measurements() []measurement {
	var all []measurement
	for _, kind := range kinds {
		for _, l := range loggers {
			m := measurement{what: kind.what, who: l.who, open: func() (*subject, error) {
				c := l.make(&counter{})
				return &subject{log: kind.pick(&c)}, nil
			}}
			if l.who == whoSpile {
				m.goals = kind.goals
			}
			all = append(all, m)
		}
	}
	return append(all, streams()...)
}

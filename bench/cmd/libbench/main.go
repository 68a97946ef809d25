// Command libbench measures what a log call costs, beside other logging libraries in the same run: calls that log
// nothing, JSON, and records that are watched live. It prints a table of processor time and allocations a call.
//
// The processor time is that of the whole process: what garbage collection, and the other end of a stream, cost counts.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"time"
)

// settings are what the command line says.
type settings struct {
	rounds int
	long   time.Duration
	// latencies is how many calls are timed one by one.
	latencies int
	only      *regexp.Regexp
}

// Defaults of the settings.
const (
	defaultRounds    = 5
	defaultLong      = 100 * time.Millisecond
	defaultLatencies = 1_000_000
)

func main() {
	s := settings{}
	flag.IntVar(&s.rounds, "rounds", defaultRounds, "how often everything is measured; the best round counts")
	flag.DurationVar(&s.long, "time", defaultLong, "about how long a round takes")
	flag.IntVar(&s.latencies, "latencies", defaultLatencies, "how many calls are timed one by one")
	only := flag.String("only", "", "measure only what matches this expression, as `what/who`; its peers must match too")
	strict := flag.Bool("strict", false, "end with 1 when a goal is missed")
	flag.Parse()
	missed, err := 0, error(nil)
	if s.only, err = regexp.Compile(*only); err == nil {
		missed, err = run(os.Stdout, &s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "libbench:", err)
		os.Exit(1)
	}
	if missed > 0 && *strict {
		os.Exit(1)
	}
}

// run measures everything in turn, several times, and prints the best of each. It says how many goals were missed.
func run(out io.Writer, s *settings) (int, error) {
	all := slices.DeleteFunc(measurements(), func(m measurement) bool {
		return !s.only.MatchString(m.what + "/" + m.who)
	})
	for range s.rounds {
		for i := range all {
			if err := all[i].measure(s.long); err != nil {
				return 0, fmt.Errorf("measure %s, %s: %w", all[i].what, all[i].who, err)
			}
		}
	}
	fmt.Fprintf(out, "a call, best of %d rounds\n", s.rounds)
	missed, err := printTable(out, all)
	if err != nil {
		return missed, err
	}
	late, err := printLatencies(out, s)
	return missed + late, err
}

// Command rotatebench measures what followers of a file lose, and what they tell twice, while the file is rotated in
// the ways that are usual: Spile, a real server and a real agent with a viewer in mode complete, beside coreutils'
// tail -F, nxadm/tail and rsyslog's imfile. One writer writes 64-byte numbered lines; each row is run anew for each
// follower, in a folder of its own.
//
//	cd bench && go run ./cmd/rotatebench -strict
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"
)

// settings are what the command line says.
type settings struct {
	// spile is the program to measure.
	spile string
	rows  *regexp.Regexp
	tools *regexp.Regexp
	scale int
	// quiet is how long a follower may say nothing before it counts as done.
	quiet time.Duration
}

// attempts is how often a follower may begin anew that does not deliver even the first line.
const attempts = 3

// defaultQuiet is beyond the poll of each follower and the pauses in which rsyslog looks for files again.
const defaultQuiet = 3 * time.Second

func main() {
	if path := os.Getenv(followEnv); path != "" {
		if err := follow(path); err != nil {
			fmt.Fprintln(os.Stderr, "rotatebench:", err)
			os.Exit(1)
		}
		return
	}
	var s settings
	flag.StringVar(&s.spile, "spile", "", "the program to measure; empty builds it from the module above")
	flag.IntVar(&s.scale, "scale", 1, "divides the lines of each row, for a short run")
	flag.DurationVar(&s.quiet, "quiet", defaultQuiet, "how long a follower may say nothing before it counts as done")
	rows := flag.String("rows", "", "run only the rows that match this expression")
	tools := flag.String("tools", "", "run only the followers that match this expression")
	strict := flag.Bool("strict", false, "end with 1 when Spile misses what exists, doubles, or is silent about a loss")
	flag.Parse()
	var err error
	if s.rows, err = regexp.Compile(*rows); err == nil {
		s.tools, err = regexp.Compile(*tools)
	}
	failed := 0
	if err == nil {
		failed, err = measure(os.Stdout, &s)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "rotatebench:", err)
		os.Exit(1)
	}
	if failed > 0 && *strict {
		os.Exit(1)
	}
}

// measure builds the program if need be, runs every row with every follower and prints the table. It says how many
// rows Spile failed.
func measure(out io.Writer, s *settings) (int, error) {
	if s.spile == "" {
		dir, err := os.MkdirTemp("", "rotatebench-")
		if err != nil {
			return 0, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		if s.spile, err = build(dir); err != nil {
			return 0, err
		}
	}
	t := newTable(out, s)
	failed := 0
	for _, r := range rows() {
		if !s.rows.MatchString(r.name) {
			continue
		}
		r.shrink(s.scale)
		var cells []outcome
		for _, tool := range t.tools {
			o, err := try(tool, r, s)
			for again := 1; errors.Is(err, errNotReady) && again < attempts; again++ {
				o, err = try(tool, r, s)
			}
			if err != nil && !errors.Is(err, errNotInstalled) {
				return failed, fmt.Errorf("%s, %s: %w", r.name, tool.name, err)
			}
			cells = append(cells, o)
		}
		failed += t.row(r, cells)
	}
	return failed, nil
}

// try runs one row with one follower.
func try(tool tool, r row, s *settings) (outcome, error) {
	dir, err := os.MkdirTemp("", "rotatebench-")
	if err != nil {
		return outcome{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	w, err := newWriter(dir, r.stale)
	if err != nil {
		return outcome{}, err
	}
	defer w.close()
	seen := newTally(r.lines)
	f, err := tool.start(&place{dir: dir, log: w.path, seen: seen, spile: s.spile})
	if errors.Is(err, errNotInstalled) {
		return outcome{absent: true}, err
	}
	if err != nil {
		return outcome{}, err
	}
	defer f.close()
	if err := ready(w, seen); err != nil {
		return outcome{}, err
	}
	if err := r.play(w); err != nil {
		return outcome{}, err
	}
	seen.settle(s.quiet)
	o := outcome{holes: w.holes}
	if o.told, err = f.end(); err != nil {
		return outcome{}, err
	}
	onDisk, err := w.onDisk()
	if err != nil {
		return outcome{}, err
	}
	o.missing, o.doubled, o.readable = seen.compare(onDisk)
	return o, nil
}

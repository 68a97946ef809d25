// Command scanbench measures how fast the agent's scan reads and filters a mixed log on one core, beside the standard
// library and two other programs' tailers in the same run, and prints a table of rates and ratios.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spilelog/spile/bench/mixedlog"
)

// measurement is one thing to measure: run reads the whole file and says how many lines it found.
type measurement struct {
	name string
	path string
	run  func(ctx context.Context, path string) (lines int, err error)
	// goal is the rate in MB/s to reach, 0 for a peer or a bound.
	goal float64
	// against, if not empty, names the measurements of which this one must be ratio times the rate.
	against []string
	ratio   float64
	best    result
}

// result is the outcome of one run.
type result struct {
	lines     int
	rate      float64
	wall, cpu time.Duration
}

// Defaults of the sizes, in MB; peers read a smaller file, since they take a hundred times as long.
const (
	defaultSize     = 1000
	defaultPeerSize = 100
	rounds          = 3
	megabyte        = 1_000_000
)

func main() {
	size := flag.Int64("size", defaultSize, "size of the mixed log in MB")
	peerSize := flag.Int64("peer-size", defaultPeerSize, "size of the log that the peers read in MB")
	strict := flag.Bool("strict", false, "end with 1 when a goal is missed")
	flag.Parse()
	missed, err := run(os.Stdout, *size, *peerSize)
	if err != nil {
		fmt.Fprintln(os.Stderr, "scanbench:", err)
		os.Exit(1)
	}
	if missed > 0 && *strict {
		os.Exit(1)
	}
}

// run measures everything in turn, several times, and prints the best of each. It says how many goals were missed.
func run(out io.Writer, size, peerSize int64) (int, error) {
	runtime.GOMAXPROCS(1)
	path, err := mixedlog.File(size * megabyte)
	if err != nil {
		return 0, err
	}
	peerPath, err := mixedlog.File(peerSize * megabyte)
	if err != nil {
		return 0, err
	}
	all, err := measurements(path, peerPath)
	if err != nil {
		return 0, err
	}
	for range rounds {
		for i := range all {
			if err := all[i].measure(context.Background()); err != nil {
				return 0, fmt.Errorf("measure %s: %w", all[i].name, err)
			}
		}
	}
	fmt.Fprintf(out, "mixed log of %d MB, peers %d MB, one core, best of %d\n", size, peerSize, rounds)
	return printTable(out, all)
}

// measure runs m once and keeps the result if it is the best so far.
func (m *measurement) measure(ctx context.Context) error {
	info, err := os.Stat(m.path)
	if err != nil {
		return err
	}
	runtime.GC()
	cpu, start := cpuTime(), time.Now()
	lines, err := m.run(ctx, m.path)
	if err != nil {
		return err
	}
	r := result{lines: lines, wall: time.Since(start), cpu: cpuTime() - cpu}
	r.rate = float64(info.Size()) / megabyte / r.wall.Seconds()
	if r.rate > m.best.rate {
		m.best = r
	}
	return nil
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// printTable prints a row for each measurement, and says how many goals were missed.
func printTable(out io.Writer, all []measurement) (int, error) {
	rates := map[string]float64{}
	for i := range all {
		rates[all[i].name] = all[i].best.rate
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tMB/s\twall ms\tcpu ms\tlines\tgoal\t")
	missed := 0
	for i := range all {
		m := &all[i]
		verdict := ""
		if m.goal > 0 {
			verdict = fmt.Sprintf("≥ %.0f MB/s: %s", m.goal, word(m.best.rate >= m.goal, &missed))
		}
		for _, peer := range m.against {
			ratio := m.best.rate / rates[peer]
			verdict += fmt.Sprintf("; %.1f × %s", ratio, peer)
			if m.ratio > 0 {
				verdict += fmt.Sprintf(" (≥ %.0f: %s)", m.ratio, word(ratio >= m.ratio, &missed))
			}
		}
		fmt.Fprintf(table, "%s\t%.0f\t%d\t%d\t%d\t%s\t\n", m.name, m.best.rate, m.best.wall.Milliseconds(),
			m.best.cpu.Milliseconds(), m.best.lines, verdict)
	}
	return missed, table.Flush()
}

// word says whether a goal was reached, and counts it if not.
func word(reached bool, missed *int) string {
	if reached {
		return "reached"
	}
	*missed++
	return "MISSED"
}

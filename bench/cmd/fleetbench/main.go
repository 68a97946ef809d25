// Command fleetbench measures a whole fleet of one server, one agent and one viewer, each a process of its own, on the
// loopback: the time from a write to a viewer's socket, and the lines a second that pass without loss.
//
//	cd bench && go run ./cmd/fleetbench
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

// settings are the flags.
type settings struct {
	spile   string
	seconds int
	rate    int
}

func main() {
	var s settings
	flag.StringVar(&s.spile, "spile", "", "the program to measure; empty builds it from the module above")
	flag.IntVar(&s.seconds, "seconds", 10, "how long each run writes")
	flag.IntVar(&s.rate, "rate", 100_000, "lines a second of the throughput runs")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "fleetbench:", err)
		os.Exit(1)
	}
}

// run makes the fleet and prints the table.
func run(s settings) error {
	f, err := newFollower(s.spile)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Printf("%-44s %s\n", "run", "result")
	latency, err := f.latency(1000, time.Duration(s.seconds)*time.Second)
	if err != nil {
		return err
	}
	fmt.Printf("%-44s p50 %.2f ms, p99 %.2f ms, max %.1f ms\n", "write to viewer at 1,000 lines/s, spile",
		ms(latency.at(0.5)), ms(latency.at(0.99)), ms(latency.at(1)))
	peer, err := f.tailLatency(1000, time.Duration(s.seconds)*time.Second)
	if err != nil {
		return err
	}
	fmt.Printf("%-44s p50 %.2f ms, p99 %.2f ms, max %.1f ms\n", "write to reader at 1,000 lines/s, tail -F",
		ms(peer.at(0.5)), ms(peer.at(0.99)), ms(peer.at(1)))
	for _, mode := range []string{"complete", "live"} {
		r, err := f.throughput(mode, s.rate, s.seconds)
		if err != nil {
			return err
		}
		fmt.Printf("%-44s %d of %d lines, %d in gaps, %d unannounced; %.0f lines/s\n",
			fmt.Sprintf("%d lines/s, mode %s, ?batch=1", s.rate, mode), r.lines, r.written, r.gapped,
			r.written-r.lines-r.gapped, float64(r.lines)/r.took.Seconds())
	}
	r, err := f.backlog(2_000_000)
	if err != nil {
		return err
	}
	fmt.Printf("%-44s %d of %d lines, %d in gaps; %.0f lines/s, %.0f MB/s of the file\n",
		"2,000,000 lines at once, mode complete", r.lines, r.written, r.gapped, float64(r.lines)/r.took.Seconds(),
		float64(r.bytes)/1e6/r.took.Seconds())
	return nil
}

// ms is d in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

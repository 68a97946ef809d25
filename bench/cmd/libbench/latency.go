package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"text/tabwriter"
	"time"
)

// mostLate is what 99 of 100 calls may take at most while a viewer reads nothing.
const mostLate = 5 * time.Microsecond

// latency is how long single calls took.
type latency struct{ p50, p99, p999, max time.Duration }

// printLatencies times calls one by one, with a viewer that reads and one that does not, and prints the best rounds.
func printLatencies(out io.Writer, s *settings) (missed int, err error) {
	var healthy, stalled latency
	for range s.rounds {
		if err := keepBest(&healthy, s.latencies, true); err != nil {
			return 0, fmt.Errorf("time calls with a healthy viewer: %w", err)
		}
		if err := keepBest(&stalled, s.latencies, false); err != nil {
			return 0, fmt.Errorf("time calls with a stalled viewer: %w", err)
		}
	}
	fmt.Fprintf(out, "\n%d single calls, 10 fields at debug, one stream over loopback\n", s.latencies)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "viewer\tp50\tp99\tp99.9\tlongest\tgoal\t")
	fmt.Fprintf(table, "reads\t%v\t%v\t%v\t%v\t\t\n", healthy.p50, healthy.p99, healthy.p999, healthy.max)
	verdict := fmt.Sprintf("p99 ≤ %v: %s; p99 %.2f × of one that reads", mostLate,
		word(stalled.p99 <= mostLate, &missed), float64(stalled.p99)/float64(healthy.p99))
	fmt.Fprintf(table, "stopped reading\t%v\t%v\t%v\t%v\t%s\t\n",
		stalled.p50, stalled.p99, stalled.p999, stalled.max, verdict)
	return missed, table.Flush()
}

// keepBest times n calls, and keeps the figures if their p99 is the best so far.
func keepBest(best *latency, n int, reads bool) error {
	l, err := newLoopback()
	if err != nil {
		return err
	}
	var reading sync.WaitGroup
	if reads {
		reading.Go(func() { _, _ = io.CopyBuffer(&tail{}, onlyReader{l.body}, make([]byte, readBytes)) })
	}
	defer reading.Wait()
	defer l.close()
	got := timeCalls(l.logger, n)
	if l.tap.Streams() != 1 {
		return errors.New("the stream has ended before the calls")
	}
	if best.p99 == 0 || got.p99 < best.p99 {
		*best = got
	}
	return nil
}

// timeCalls times n calls one by one.
func timeCalls(l *slog.Logger, n int) latency {
	times := make([]time.Duration, n)
	ctx := context.Background()
	for i := range times {
		start := time.Now()
		l.LogAttrs(ctx, slog.LevelDebug, message,
			slog.String("method", method), slog.String("path", path), slog.String("host", host),
			slog.String("user_agent", userAgent), slog.Int("status", status), slog.Int64("bytes", size),
			slog.Float64("ratio", ratio), slog.Bool("cached", cached), slog.Duration("took", took),
			slog.Any("error", errReset))
		times[i] = time.Since(start)
	}
	slices.Sort(times)
	return latency{p50: times[n/2], p99: times[n*99/100], p999: times[n*999/1000], max: times[n-1]}
}

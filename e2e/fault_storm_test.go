//go:build soak

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// faultLogStorm floods one file as fast as the disk takes it, beside 20 quiet ones: what the quiet ones log comes
// within a second, what cannot be sent of the flood is counted and told, and the writers are never held up.
func faultLogStorm(t *testing.T) {
	for _, mode := range []wire.Mode{wire.ModeLive, wire.ModeComplete} {
		t.Run(string(mode), func(t *testing.T) { flooded(t, mode) })
	}
}

// flooded floods a session in one mode.
func flooded(t *testing.T, mode wire.Mode) {
	const quiet = 20
	lasts := time.Duration(times(3, 10)) * time.Second
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	write(t, filepath.Join(dir, "flood.log"), "before\n")
	for n := range quiet {
		write(t, filepath.Join(dir, fmt.Sprintf("quiet-%d.log", n)), "before\n")
	}
	agent := f.startAgent("edge-1", filepath.Join(dir, "*.log"))
	ctx, id, stream := f.begin(wire.StartRequest{Mode: mode})
	flooding, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	flooded := make(chan int, 1)
	go func() { flooded <- flood(flooding, t, filepath.Join(dir, "flood.log")) }()
	wrote := make(chan int, 1)
	go func() { wrote <- murmur(flooding, t, dir, quiet) }()
	var took []time.Duration
	var silence time.Duration // the longest between two quiet lines
	last := time.Now()
	var events, gapped, bytes uint64
	for done := false; !done; {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if c := frame.Control; c != nil && c.Event == wire.EventGap {
			if c.Unit == wire.UnitEvents {
				gapped += c.Count
			} else {
				bytes += c.Count
			}
		}
		if frame.Log == nil {
			done = flooding.Err() != nil && mode == wire.ModeLive
			continue
		}
		events++
		var file int
		var nano int64
		if _, err := fmt.Sscanf(frame.Log.Message, "quiet %d at %d", &file, &nano); err == nil {
			took = append(took, time.Since(time.Unix(0, nano)))
			silence, last = max(silence, time.Since(last)), time.Now()
		}
		done = done || flooding.Err() != nil
	}
	lines, expected := <-flooded, <-wrote
	stopped, err := f.client.Stop(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("flood of %d lines a second; %d events came, %d and %d bytes were announced; %d of %d quiet lines came, %v apart at most",
		lines/int(lasts.Seconds()), events, gapped, bytes, len(took), expected, silence.Round(time.Millisecond))
	if len(took) == 0 {
		t.Fatal("no quiet line came")
	}
	p99 := percentile(took, 99)
	within(t, "the quiet lines came (p99)", p99, time.Second)
	// In live mode what finds no credit is dropped, but not of those who have little to say. What they wrote in the last
	// second may still be on its way.
	expected -= int(float64(expected) / lasts.Seconds())
	if len(took) < expected*8/10 {
		t.Errorf("of %d quiet lines came %d", expected, len(took))
	}
	if most := rss(t, agent, "VmHWM"); most > 96<<20 {
		t.Errorf("the agent took %d MiB", most>>20)
	}
	for name, a := range stopped.Accounts.Agents {
		if !a.Closes() {
			t.Errorf("agent %s: %+v does not close", name, a)
		}
	}
}

// flood writes lines as fast as it can until ctx ends, and returns how many.
func flood(ctx context.Context, t *testing.T, path string) int {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer file.Close()
	block := bytes.Repeat([]byte(lineText(0)), 1000)
	// A million lines a second, which is more than anybody reads.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n += 1000 {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
		}
		if _, err := file.Write(block); err != nil {
			t.Error(err)
			return n
		}
	}
}

// murmur writes a line to each quiet file from time to time until ctx ends, and returns how many.
func murmur(ctx context.Context, t *testing.T, dir string, files int) int {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return n
		case <-tick.C:
		}
		path := filepath.Join(dir, fmt.Sprintf("quiet-%d.log", n%files))
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Error(err)
			return n
		}
		_, err = fmt.Fprintf(file, "quiet %d at %d\n", n%files, time.Now().UnixNano())
		_ = file.Close()
		if err != nil {
			t.Error(err)
			return n
		}
	}
}

// TestSoakLogStorm wants a machine to itself, since it measures time.
func TestSoakLogStorm(t *testing.T) { faultLogStorm(t) }

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// The limits of an agent that follows 100,000 files and has nothing to do.
const (
	manyMemory      = 150 << 20
	manyShare       = 0.05 // of a core
	manyDescriptors = 1024
)

// TestSoakManyFiles has an agent follow very many files in one folder, and so many events at once that the kernel drops
// them: what was written while events were lost is found nevertheless. While nothing happens the agent costs little.
func TestSoakManyFiles(t *testing.T) {
	const perFolder = 10_000
	files := soak(20_000, 100_000)
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	name := func(n int) string {
		return filepath.Join(dir, fmt.Sprint(n/perFolder), fmt.Sprintf("app-%06d.log", n))
	}
	for n := range files {
		if n%perFolder == 0 {
			if err := os.MkdirAll(filepath.Dir(name(n)), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name(n), []byte("before\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	agent := f.startAgent("edge-1", "app="+filepath.Join(dir, "*", "*.log"))
	f.until("the agent follows all files", func() bool {
		edge, err := f.client.Agent(t.Context(), "edge-1")
		return err == nil && len(edge.Sources) == 1 && edge.Sources[0].Files == files
	})
	if soaking() {
		<-time.After(20 * time.Second) // what is done once, at the start
	}
	idles := soak(time.Second, time.Minute)
	began, before := time.Now(), processorTime(t, agent)
	<-time.After(idles)
	share := (processorTime(t, agent) - before).Seconds() / time.Since(began).Seconds()
	memory, open := rss(t, agent, "VmRSS"), openFiles(t, agent, ".log")
	t.Logf("%d files: %.1f %% of a core, %d MiB resident and %d files open in %v without work", files, 100*share,
		memory>>20, open, idles)
	if soaking() && share > manyShare {
		t.Errorf("the agent took %.1f %% of a core, want %.0f %% at most", 100*share, 100*manyShare)
	}
	if memory > manyMemory || open > manyDescriptors {
		t.Errorf("the agent took %d MiB and held %d files open, want %d MiB and %d at most", memory>>20, open,
			manyMemory>>20, manyDescriptors)
	}
	f.overflow(agent, name, files)
}

// overflow writes a line to each file while the agent stands still, twice as many as the kernel keeps events for.
func (f *fleet) overflow(agent *process, name func(int) string, files int) {
	t := f.t
	t.Helper()
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	keeps, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	rounds := 2*keeps/files + 1
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	led := newLedger(t, 1+rounds*files)
	led.seen[0] = 1
	if err := agent.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for line := 1; line < len(led.seen); line++ {
		file, err := os.OpenFile(name(line%files), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteString(lineText(line)); err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
	}
	if err := agent.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	began, came := time.Now(), 0
	for came < rounds*files {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("of %d lines %d came: %v", rounds*files, came, err)
		}
		if led.take(frame); frame.Log != nil {
			came++
		}
	}
	t.Logf("%d lines, while the kernel kept %d events, came within %v", came, keeps, time.Since(began).Round(time.Millisecond))
	led.finish(ctx, f, stream, id)
	led.swapped = 0 // Order is kept within a file.
	led.whole()
}

// clockTicks is in how many parts Linux shows a second of processor time.
const clockTicks = 100

// processorTime is what a process has used so far.
func processorTime(t *testing.T, p *process) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var sum time.Duration
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, at := range []int{11, 12} { // utime and stime, counted from the state on
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(n) * time.Second / clockTicks
	}
	return sum
}

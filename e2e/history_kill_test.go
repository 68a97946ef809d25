package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// agentMemory is what an agent may need while it replays compressed history, in KiB.
const agentMemory = 64 << 10

// TestKillInHistory kills the agent while it replays a history of plain and compressed files of two families, which
// rotate meanwhile, and wants every line once, each family in its order, and one end of history.
func TestKillInHistory(t *testing.T) {
	const (
		lines = 600_000
		kills = 5
	)
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	writeHistory(t, dir, lines)
	agent := f.startAgent("edge-1", filepath.Join(dir, "*.log"))
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	id := f.session(wire.StartRequest{AgentID: "edge-1", Mode: wire.ModeComplete, Since: "24h"})
	stream, err := f.client.Stream(ctx, id, client.StreamOptions{AllEvents: true, MaxOffline: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	seen := make([]int, lines)
	last := map[string]int{}
	read, ends, killed, swapped, peak := 0, 0, 0, 0, 0
	for read < lines || ends == 0 {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("after %d lines: %v", read, err)
		}
		if c := frame.Control; c != nil {
			switch c.Event {
			case wire.EventHistoryEnd:
				ends++
			case wire.EventGap:
				t.Errorf("gap %+v", c)
			}
			continue
		}
		n := timedNumber(frame.Log.Message)
		if n < 0 || n >= lines {
			t.Fatalf("strange line %q of %s after %d lines, %s", frame.Log.Message, frame.Log.Source, read, frame.Log.Metadata)
		}
		seen[n]++
		if n < last[frame.Log.Source] {
			swapped++
		}
		last[frame.Log.Source] = n
		if read++; read == (killed+1)*lines/(kills+2) && killed < kills {
			peak = max(peak, peakMemory(t, agent))
			agent.kill()
			rotateHistory(t, dir, killed)
			agent = f.startAgent("edge-1", filepath.Join(dir, "*.log"))
			killed++
		}
	}
	peak = max(peak, peakMemory(t, agent))
	var missing, doubled int
	for _, times := range seen {
		if times == 0 {
			missing++
		} else if times > 1 {
			doubled++
		}
	}
	t.Logf("%d lines, %d kills: %d missing, %d doubled, %d out of order, %d ends of history; agent at most %d KiB",
		lines, killed, missing, doubled, swapped, ends, peak)
	if missing > 0 || doubled > 0 || swapped > 0 || ends != 1 {
		t.Errorf("%d missing, %d doubled, %d out of order, %d ends of history", missing, doubled, swapped, ends)
	}
	if peak > agentMemory {
		t.Errorf("the agent needed %d KiB, want at most %d", peak, agentMemory)
	}
}

// writeHistory writes numbered lines, a tenth of a second apart up to now, in turn to two families of six files each.
func writeHistory(t *testing.T, dir string, lines int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Duration(lines) * 100 * time.Millisecond)
	const parts = 6
	for part := range parts {
		for i, name := range [...]string{"a.log", "b.log"} {
			path := filepath.Join(dir, name)
			if part < parts-1 {
				path += fmt.Sprintf(".%d", parts-1-part)
			}
			file, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			out := bufio.NewWriter(file)
			for n := part * lines / parts; n < (part+1)*lines/parts; n++ {
				if n%2 == i {
					at := began.Add(time.Duration(n) * 100 * time.Millisecond).UTC().Format("2006-01-02T15:04:05.000Z07:00")
					fmt.Fprintf(out, "%s line %08d of the test, padded to a usual length\n", at, n)
				}
			}
			if err := out.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
			switch part {
			case 0, 2:
				compressWith(t, "gzip", path)
			case 1:
				compressWith(t, "zstd", "-q", "-19", "--rm", path)
			}
		}
	}
}

func compressWith(t *testing.T, command string, args ...string) {
	t.Helper()
	if out, err := exec.Command(command, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", command, err, out)
	}
}

// rotateHistory renames all of a family, and compresses what was plain, one more file each time.
func rotateHistory(t *testing.T, dir string, round int) {
	t.Helper()
	for _, name := range [...]string{"a.log", "b.log"} {
		path := filepath.Join(dir, name)
		for n := 20; n > 0; n-- {
			for _, end := range [...]string{"", ".gz", ".zst"} {
				_ = os.Rename(fmt.Sprintf("%s.%d%s", path, n, end), fmt.Sprintf("%s.%d%s", path, n+1, end))
			}
		}
		if round == 0 {
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		plain, err := filepath.Glob(path + ".*")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range plain {
			if !strings.HasSuffix(file, ".gz") && !strings.HasSuffix(file, ".zst") {
				compressWith(t, "gzip", file)
				break
			}
		}
	}
}

// peakMemory is the most that a process had in memory, in KiB.
func peakMemory(t *testing.T, p *process) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var n int
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &n); err == nil {
			return n
		}
	}
	t.Fatal("no peak of memory is told")
	return 0
}

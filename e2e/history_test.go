package e2e

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// TestHistoryOverLogrotate asks for the history of a file that is written at 20,000 lines a second while the real
// logrotate rotates and compresses it, and wants every line once: the old ones, the compressed ones and what comes.
func TestHistoryOverLogrotate(t *testing.T) {
	for name, how := range map[string]string{
		"create-delaycompress":         "create 0644 root root\n\tcompress\n\tdelaycompress",
		"create-nodelaycompress":       "create 0644 root root\n\tcompress\n\tnodelaycompress",
		"create-dateext":               "create 0644 root root\n\tcompress\n\tdateext\n\tdateformat -%Y%m%d%H%M%S",
		"create-zstd":                  "create 0644 root root\n\tcompress\n\tcompresscmd /usr/bin/zstd\n\tcompressext .zst",
		"copytruncate-delaycompress":   "copytruncate\n\tcompress\n\tdelaycompress",
		"copytruncate-nodelaycompress": "copytruncate\n\tcompress\n\tnodelaycompress",
	} {
		t.Run(name, func(t *testing.T) { historyUnderLoad(t, how) })
	}
}

func historyUnderLoad(t *testing.T, how string) {
	const (
		lines     = 120_000
		perSecond = 20_000
		history   = 3 // rotated files at the session's start
	)
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "app.log")
	if err := os.WriteFile(log, []byte(timedLine(0)), 0o644); err != nil {
		t.Fatal(err)
	}
	f.startAgent("edge-1", "app="+log)
	config := filepath.Join(f.dir, "logrotate.conf")
	text := fmt.Sprintf("%s {\n\tsize 1\n\trotate 50\n\tsu root root\n\t%s\n}\n", log, how)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	writer := startTimedWriter(t, log, lines, perSecond)
	rotated := make(chan error, 1)
	go func() { rotated <- rotateOften(writer, config, strings.Contains(how, "dateext")) }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	f.until("there is a history", func() bool {
		names, err := filepath.Glob(filepath.Join(dir, "app.log?*"))
		return err == nil && len(names) >= history
	})
	id := f.session(wire.StartRequest{AgentID: "edge-1", Mode: wire.ModeComplete, Since: "1h"})
	stream, err := f.client.Stream(ctx, id, client.StreamOptions{AllEvents: true, MaxOffline: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	seen := make([]int, lines)
	top, ends, historic, swapped, gaps := -1, 0, 0, 0, 0
	copied := strings.Contains(how, "copytruncate")
	for top < lines-1 {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("at line %d: %v", top, err)
		}
		switch {
		case frame.Log != nil:
			n := timedNumber(frame.Log.Message)
			if n < 0 || n >= lines {
				t.Fatalf("strange line %q", frame.Log.Message)
			}
			seen[n]++
			if n < top {
				swapped++
			}
			top = max(top, n)
		case frame.Control.Event == wire.EventHistoryEnd:
			ends, historic = ends+1, top
		case frame.Control.Event == wire.EventGap && (frame.Control.Unit != wire.UnitBytes || !copied):
			t.Errorf("gap %+v", frame.Control)
		case frame.Control.Event == wire.EventGap: // what was written between the copy and the truncation
			gaps++
		}
	}
	if err := <-rotated; err != nil {
		t.Fatal(err)
	}
	onDisk := timedOnDisk(t, dir)
	var missing, destroyed, doubled int
	for n, times := range seen {
		switch {
		case times == 0 && onDisk[n]:
			missing++
		case times == 0:
			destroyed++
		case times > 1:
			doubled++
		}
	}
	t.Logf("of %d lines %d missing though on disk, %d destroyed unread, %d doubled, %d out of order; history to %d",
		lines, missing, destroyed, doubled, swapped, historic)
	if missing > 0 || doubled > 0 || swapped > 0 || ends != 1 {
		t.Errorf("%d missing, %d doubled, %d out of order, %d ends of history", missing, doubled, swapped, ends)
	}
	if destroyed > 0 && (gaps == 0 || !copied) {
		t.Errorf("%d lines destroyed, %d gaps say so", destroyed, gaps)
	}
	if historic < perSecond/2 || historic > lines*9/10 {
		t.Errorf("history ended at line %d: the test has no seam", historic)
	}
}

// rotateOften runs logrotate while the writer runs; dated names need a second each.
func rotateOften(writer *process, config string, dated bool) error {
	pause := 400 * time.Millisecond
	if dated {
		pause = 1200 * time.Millisecond
	}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-writer.done:
			return nil
		case <-tick.C:
		}
		cmd := exec.Command("logrotate", "--force", "--state", config+".state", config)
		if out, err := cmd.CombinedOutput(); err != nil && !strings.Contains(string(out), "already exists, skipping") {
			return fmt.Errorf("logrotate: %w: %s", err, out)
		}
	}
}

// timedLine is line n with a time of its own.
func timedLine(n int) string {
	return fmt.Sprintf("%s line %08d of the test, padded to a usual length\n",
		time.Now().UTC().Format("2006-01-02T15:04:05.000000Z07:00"), n)
}

// timedNumber is the number of a line, -1 where it has none.
func timedNumber(message string) int {
	_, rest, ok := strings.Cut(message, "line ")
	if !ok || len(rest) < 8 {
		return -1
	}
	n, err := strconv.Atoi(rest[:8])
	if err != nil {
		return -1
	}
	return n
}

// startTimedWriter is like startWriter, with a time in each line.
func startTimedWriter(t *testing.T, path string, lines, perSecond int) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperTimedWriter$")
	cmd.Env = append(os.Environ(),
		"SPILE_E2E_TIMED="+path, "SPILE_E2E_LINES="+itoa(lines), "SPILE_E2E_RATE="+itoa(perSecond))
	return launch(t, "writer", cmd)
}

// TestHelperTimedWriter is the writer process of TestHistoryOverLogrotate.
func TestHelperTimedWriter(t *testing.T) {
	path := os.Getenv("SPILE_E2E_TIMED")
	if path == "" {
		return
	}
	lines, _ := strconv.Atoi(os.Getenv("SPILE_E2E_LINES"))
	rate, _ := strconv.Atoi(os.Getenv("SPILE_E2E_RATE"))
	const burst = 20
	tick := time.NewTicker(time.Second / time.Duration(rate/burst))
	defer tick.Stop()
	for n := 1; n < lines; n += burst {
		<-tick.C
		// Not created: logrotate would take what it did not make itself out of the way, and the next time destroy it.
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		for os.IsNotExist(err) {
			<-tick.C
			file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := n; i < min(n+burst, lines); i++ {
			if _, err := file.WriteString(timedLine(i)); err != nil {
				t.Fatal(err)
			}
		}
		_ = file.Close()
	}
}

// timedOnDisk lists the numbered lines in all files of a folder, compressed ones included.
func timedOnDisk(t *testing.T, dir string) map[int]bool {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]bool{}
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		var in io.Reader = file
		switch filepath.Ext(name) {
		case ".gz":
			if in, err = gzip.NewReader(file); err != nil {
				t.Fatal(err)
			}
		case ".zst":
			data, err := exec.Command("zstd", "-dc", name).Output()
			if err != nil {
				t.Fatal(err)
			}
			in = strings.NewReader(string(data))
		}
		scan := bufio.NewScanner(in)
		for scan.Scan() {
			if n := timedNumber(scan.Text()); n >= 0 {
				out[n] = true
			}
		}
		_ = file.Close()
	}
	return out
}

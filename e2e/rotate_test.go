package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/spilelog/spile/wire"
)

// itoa is n in decimal.
func itoa(n int) string { return strconv.Itoa(n) }

// TestLogrotate follows a file written at 20,000 lines a second while the real logrotate rotates it.
func TestLogrotate(t *testing.T) {
	for _, how := range []string{"create", "copytruncate"} {
		t.Run(how, func(t *testing.T) { rotateUnderLoad(t, how) })
	}
}

// rotateUnderLoad writes, rotates and compares.
func rotateUnderLoad(t *testing.T, how string) {
	const (
		lines     = 100_000
		perSecond = 20_000
		rotations = 10
	)
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	log := filepath.Join(dir, "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	id := f.session(wire.StartRequest{AgentID: "edge-1", Mode: wire.ModeComplete})
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	stream := f.watch(ctx, id)
	writer := startWriter(t, log, lines, perSecond)
	rotateConfig := writeRotateConfig(t, f.dir, log, how)
	rotated := make(chan error, 1)
	go func() { rotated <- rotateWhile(writer, rotateConfig, rotations) }()
	led := newLedger(t, lines)
	led.seen[0] = 1
	for led.order < lines-1 {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("at line %d: %v", led.order, err)
		}
		led.take(frame)
	}
	if err := <-rotated; err != nil {
		t.Fatal(err)
	}
	led.finish(ctx, f, stream, id)
	onDisk := linesOnDisk(t, dir)
	var lost, destroyed int
	for _, n := range led.missing() {
		if onDisk[n] {
			lost++
		} else {
			destroyed++
		}
	}
	t.Logf("%s: of %d lines %d missing though on disk, %d destroyed unread, %d doubled; announced %d bytes, %d blind gaps",
		how, lines, lost, destroyed, led.doubled, led.bytes, led.blind)
	if lost > 0 || led.doubled > 0 || led.gapped > 0 {
		t.Errorf("%d lines missing though on disk, %d doubled, %d events in gaps; want none", lost, led.doubled, led.gapped)
	}
	if how == "create" && destroyed > 0 {
		t.Errorf("%d lines destroyed, rename destroys none", destroyed)
	}
	if destroyed > 0 && led.blind == 0 && led.bytes == 0 {
		t.Errorf("%d lines destroyed unread and no gap says so", destroyed)
	}
}

// startWriter writes lines at a steady pace in a process of its own, reopening the file by name for each burst as a
// program does that was told to, and returns the process.
func startWriter(t *testing.T, path string, lines, perSecond int) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperWriter$")
	cmd.Env = append(os.Environ(),
		"SPILE_E2E_WRITER="+path, "SPILE_E2E_LINES="+itoa(lines), "SPILE_E2E_RATE="+itoa(perSecond))
	return launch(t, "writer", cmd)
}

// TestHelperWriter is the writer process of other tests.
func TestHelperWriter(t *testing.T) {
	path := os.Getenv("SPILE_E2E_WRITER")
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
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		for i := n; i < min(n+burst, lines); i++ {
			if _, err := file.WriteString(lineText(i)); err != nil {
				t.Fatal(err)
			}
		}
		_ = file.Close()
	}
}

// writeRotateConfig writes a configuration for logrotate.
func writeRotateConfig(t *testing.T, dir, log, how string) string {
	t.Helper()
	path := filepath.Join(dir, "logrotate.conf")
	if how == "create" {
		// The writer makes the new file; where logrotate does too, the two may meet.
		how = "nocreate"
	}
	text := fmt.Sprintf("%s {\n\tsize 1\n\trotate 50\n\tsu root root\n\t%s\n}\n", log, how)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// rotateWhile runs logrotate from time to time while the writer runs.
func rotateWhile(writer *process, config string, times int) error {
	for range times {
		select {
		case <-writer.done:
			return nil
		case <-time.After(400 * time.Millisecond):
		}
		cmd := exec.Command("logrotate", "--force", "--state", config+".state", config)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("logrotate: %w: %s", err, out)
		}
	}
	return nil
}

// linesOnDisk lists the numbered lines in all files of a folder.
func linesOnDisk(t *testing.T, dir string) map[int]bool {
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
		scan := bufio.NewScanner(file)
		for scan.Scan() {
			var n int
			if _, err := fmt.Sscanf(scan.Text(), "line %d", &n); err == nil {
				out[n] = true
			}
		}
		_ = file.Close()
	}
	return out
}

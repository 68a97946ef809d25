package shop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logfmt/logfmt"
)

var (
	accessRE = regexp.MustCompile(
		`^203\.0\.113\.\d+ - - \[[^\]]+\] "(GET|POST) /\S* HTTP/1\.1" \d{3} \d+ "[^"]*" "[^"]*"$`)
	errorRE = regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(error|warn)\] \d+#\d+: \*\d+ .*host: "shop.example"$`)
)

// readLines is the lines of the file and its rotated sibling.
func readLines(t *testing.T, path string) [][]byte {
	t.Helper()
	var lines [][]byte
	for _, name := range []string{path + rotatedSuffix, path} {
		data, err := os.ReadFile(name)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			lines = append(lines, bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	return lines
}

func newShop(t *testing.T, cfg Config) *Shop {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestLinesHaveTheirFormats(t *testing.T) {
	dir := t.TempDir()
	s := newShop(t, Config{Dir: dir, MaxBytes: 1 << 20, Seed: 7})
	for range 1500 {
		if err := s.Visit(context.Background(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range readLines(t, filepath.Join(dir, "nginx", "access.log")) {
		if !accessRE.Match(line) {
			t.Errorf("access line %q does not have the combined format", line)
		}
	}
	for _, line := range readLines(t, filepath.Join(dir, "nginx", "error.log")) {
		if !errorRE.Match(line) {
			t.Errorf("error line %q does not have nginx's format", line)
		}
	}
	levels := map[string]int{}
	for _, line := range readLines(t, filepath.Join(dir, "orders", "orders.log")) {
		var rec struct{ Level, Msg string }
		if err := json.Unmarshal(line, &rec); err != nil || rec.Msg == "" {
			t.Errorf("order line %q: %v", line, err)
		}
		levels[rec.Level]++
	}
	for _, want := range []string{"DEBUG", "INFO", "WARN", "ERROR"} {
		if levels[want] == 0 {
			t.Errorf("no order line at %s in %v", want, levels)
		}
	}
	for _, line := range readLines(t, filepath.Join(dir, "worker", "worker.log")) {
		d := logfmt.NewDecoder(bufio.NewReader(bytes.NewReader(line)))
		for d.ScanRecord() {
			for d.ScanKeyval() {
				continue
			}
		}
		if d.Err() != nil {
			t.Errorf("worker line %q: %v", line, d.Err())
		}
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	s := newShop(t, Config{Dir: dir, MaxBytes: 8 << 10, Seed: 3})
	orders := filepath.Join(dir, "orders", "orders.log")
	before, err := os.Stat(orders)
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if err := s.Visit(context.Background(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"nginx/access.log", "orders/orders.log"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		for _, p := range []string{path, path + rotatedSuffix} {
			info, err := os.Stat(p)
			if err != nil {
				t.Fatal(err)
			}
			if info.Size() > 8<<10 {
				t.Errorf("%s has %d bytes, want at most %d", p, info.Size(), 8<<10)
			}
		}
	}
	after, err := os.Stat(orders)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) {
		t.Error("orders.log became another file, want it truncated in place")
	}
}

func TestRunKeepsThePace(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Dir: dir, Seed: 5})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Fatal(err)
		}
	})
	var lines int
	for _, name := range []string{"nginx/access.log", "nginx/error.log", "orders/orders.log", "worker/worker.log"} {
		lines += len(readLines(t, filepath.Join(dir, filepath.FromSlash(name))))
	}
	if lines < 5*60 || lines > 20*60 {
		t.Errorf("%d lines in a minute, want 5 to 20 a second", lines)
	}
}

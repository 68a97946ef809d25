// Package mixedlog generates the mixed log that the benchmarks read: access log, JSON and logfmt lines with fixed
// shares and lengths, the same bytes for the same size.
package mixedlog

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Sentinel is the last line of every log, without its line feed, so that a follower can tell that it reached the end.
const Sentinel = `time=2024-01-15T11:00:00.000Z level=ERROR source=payments msg="SENTINEL" user_id=12345 ` +
	`err="timed out"`

// version is part of a cached file's name; it changes when the generator does.
const version = 1

// File makes a log of at least size bytes in the folder of temporary files, or finds the one made before, and returns
// its path.
func File(size int64) (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("spile-bench-mixed-v%d-%d.log", version, size))
	if info, err := os.Stat(path); err == nil && info.Size() >= size {
		return path, nil
	}
	f, err := os.CreateTemp(os.TempDir(), "spile-bench-*")
	if err != nil {
		return "", fmt.Errorf("create log: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	if err = Write(f, size); err != nil {
		_ = f.Close()
		return "", fmt.Errorf("write log: %w", err)
	}
	if err = f.Close(); err != nil {
		return "", fmt.Errorf("close log: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return "", fmt.Errorf("keep log: %w", err)
	}
	return path, nil
}

// Write writes lines until size bytes are reached, and the sentinel.
func Write(w io.Writer, size int64) error {
	out := bufio.NewWriterSize(w, 1<<20)
	g := generator{
		random: rand.New(rand.NewPCG(20240115, 3)),
		now:    time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC),
	}
	var line []byte
	for written := int64(len(Sentinel) + 1); written < size; written += int64(len(line)) {
		line = g.appendLine(line[:0])
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if _, err := out.WriteString(Sentinel + "\n"); err != nil {
		return err
	}
	return out.Flush()
}

// generator draws one line after the other.
type generator struct {
	random *rand.Rand
	now    time.Time
}

// meanStep is the mean time between two lines in nanoseconds.
const meanStep = 400e3

// appendLine appends the next line with its line feed.
func (g *generator) appendLine(dst []byte) []byte {
	g.now = g.now.Add(time.Duration(g.random.ExpFloat64() * meanStep))
	switch kind := g.random.IntN(100); {
	case kind < 40:
		return g.appendAccess(dst)
	case kind < 75:
		return g.appendJSON(dst)
	default:
		return g.appendLogfmt(dst)
	}
}

// pick is one of the list at random.
func pick[T any](g *generator, list []T) T { return list[g.random.IntN(len(list))] }

// level draws a level with the shares of a common service.
func (g *generator) level() string {
	switch n := g.random.IntN(1000); {
	case n < 15:
		return "ERROR"
	case n < 65:
		return "WARN"
	case n < 265:
		return "DEBUG"
	}
	return "INFO"
}

// failed says whether lines of the level carry an error.
func failed(level string) bool { return level == "ERROR" || level == "WARN" }

// appendAccess appends a line of an access log.
func (g *generator) appendAccess(dst []byte) []byte {
	r := g.random
	path := pick(g, paths)
	if r.IntN(3) == 0 {
		path = fmt.Sprintf("%s?user_id=%d&page=%d", path, r.IntN(100000), r.IntN(50))
	}
	return fmt.Appendf(dst, "10.%d.%d.%d - - [%s] \"%s %s HTTP/1.1\" %d %d \"%s\" \"%s\" rt=%.3f\n",
		r.IntN(8), r.IntN(256), r.IntN(256), g.now.Format("02/Jan/2006:15:04:05 -0700"), pick(g, methods), path,
		pick(g, statuses), r.IntN(60000), pick(g, referers), pick(g, agents), r.ExpFloat64()*0.08)
}

// appendJSON appends a JSON line.
func (g *generator) appendJSON(dst []byte) []byte {
	r, level := g.random, g.level()
	dst = fmt.Appendf(dst, `{"timestamp":"%s","level":"%s","service":"%s","msg":"%s","trace_id":"%016x%016x",`+
		`"user_id":%d,`,
		g.now.Format("2006-01-02T15:04:05.000000Z"), level, pick(g, services), pick(g, messages), r.Uint64(), r.Uint64(),
		r.IntN(100000))
	dst = fmt.Appendf(dst, `"duration_ms":%.3f,"http":{"method":"%s","path":"%s","status":%d},"region":"%s",`+
		`"tags":["web","v2.%d"]`,
		r.ExpFloat64()*40, pick(g, methods), pick(g, paths), pick(g, statuses), pick(g, regions), r.IntN(30))
	if failed(level) {
		dst = fmt.Appendf(dst, `,"error":"%s"`, pick(g, failures))
	}
	return append(dst, '}', '\n')
}

// appendLogfmt appends a logfmt line.
func (g *generator) appendLogfmt(dst []byte) []byte {
	r, level := g.random, g.level()
	dst = fmt.Appendf(dst, `time=%s level=%s source=%s msg="%s" user_id=%d request_id=%016x addr=10.%d.%d.%d:%d `+
		`elapsed=%.3fms attempt=%d`,
		g.now.Format("2006-01-02T15:04:05.000Z"), level, pick(g, services), pick(g, messages), r.IntN(100000), r.Uint64(),
		r.IntN(8), r.IntN(256), r.IntN(256), 1024+r.IntN(60000), r.ExpFloat64()*12, 1+r.IntN(4))
	if failed(level) {
		dst = fmt.Appendf(dst, ` err="%s"`, pick(g, failures))
	}
	return append(dst, '\n')
}

package backendtest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/backendtest"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// TestBuiltin holds the backends of package spile to the contract, with the formatters that can be read back.
func TestBuiltin(t *testing.T) {
	formatters := map[string]struct {
		f    func(t *testing.T) format.Formatter
		read func(line string) (event.Event, error)
	}{
		"json":    {func(*testing.T) format.Formatter { return nil }, readJSON},
		"pattern": {newPattern, readPattern},
	}
	for name, f := range formatters {
		base := spile.BaseOptions{Formatter: f.f(t)}
		t.Run(name, func(t *testing.T) {
			t.Run("console", func(t *testing.T) {
				base := base
				if base.Formatter == nil {
					base.Formatter = &format.JSON{}
				}
				runWriter(t, f.read, func(w io.Writer) spile.Backend {
					return spile.NewConsole(spile.ConsoleOptions{BaseOptions: base, Writer: w})
				})
			})
			t.Run("writer", func(t *testing.T) {
				runWriter(t, f.read, func(w io.Writer) spile.Backend {
					return spile.NewWriter(spile.WriterOptions{BaseOptions: base, Writer: w})
				})
			})
			t.Run("writer-buffered", func(t *testing.T) {
				runWriter(t, f.read, func(w io.Writer) spile.Backend {
					return spile.NewWriter(spile.WriterOptions{BaseOptions: base, Writer: w, BufferSize: 1000, FlushEvery: time.Millisecond})
				})
			})
			t.Run("file", func(t *testing.T) { runFile(t, f.read, spile.FileOptions{BaseOptions: base}) })
			t.Run("file-rotating", func(t *testing.T) {
				runFile(t, f.read, spile.FileOptions{BaseOptions: base, MaxSize: 1 << 12, Compress: true, FlushEvery: time.Millisecond})
			})
		})
	}
	t.Run("memory", func(t *testing.T) {
		backendtest.Run(t, backendtest.Options{
			New:     func(*testing.T) spile.Backend { return spile.NewMemory(spile.MemoryOptions{}) },
			Records: func(b spile.Backend) ([]event.Event, error) { return b.(*spile.Memory).Events(), nil },
		})
	})
	t.Run("null", func(t *testing.T) {
		backendtest.Run(t, backendtest.Options{
			New: func(*testing.T) spile.Backend { return spile.NewNull() }, Endless: true,
		})
	})
}

// runWriter checks a backend that writes to w.
func runWriter(t *testing.T, read func(string) (event.Event, error), open func(w io.Writer) spile.Backend) {
	var outputs sync.Map // of *output by backend
	backendtest.Run(t, backendtest.Options{
		New: func(*testing.T) spile.Backend {
			w := &output{}
			b := open(w)
			outputs.Store(b, w)
			return b
		},
		Records: func(b spile.Backend) ([]event.Event, error) {
			w, _ := outputs.Load(b)
			return readLines(w.(*output).text(), read)
		},
	})
}

// output is memory that may be read while it is written.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// runFile checks a file.
func runFile(t *testing.T, read func(string) (event.Event, error), o spile.FileOptions) {
	backendtest.Run(t, backendtest.Options{
		New: func(t *testing.T) spile.Backend {
			o := o
			o.Path = filepath.Join(t.TempDir(), "app.log")
			f, err := spile.OpenFile(o)
			if err != nil {
				t.Fatal(err)
			}
			return f
		},
		Records: func(b spile.Backend) ([]event.Event, error) {
			text, err := readFiles(b.(*spile.File).Path())
			if err != nil {
				return nil, err
			}
			return readLines(text, read)
		},
	})
}

// readFiles is what the files of a path hold, oldest first. While one is compressed it is there under two names, and
// under a third as a draft: one of the two that are whole counts.
func readFiles(path string) (string, error) {
	found, err := filepath.Glob(path + ".*Z*")
	if err != nil {
		return "", err
	}
	var out strings.Builder
	slices.Sort(found)
	for _, name := range slices.Compact(trimEnds(found)) {
		text, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			text, err = readZip(name + ".gz")
		}
		if err != nil {
			return "", err
		}
		out.Write(text)
	}
	text, err := os.ReadFile(path)
	out.Write(text)
	return out.String(), err
}

// trimEnds cuts the names after the time.
func trimEnds(names []string) []string {
	for i := range names {
		names[i] = strings.TrimSuffix(strings.TrimSuffix(names[i], ".tmp"), ".gz")
	}
	return names
}

// readZip reads a compressed file.
func readZip(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zip)
}

// readLines reads a line each.
func readLines(text string, read func(string) (event.Event, error)) ([]event.Event, error) {
	var out []event.Event
	for line := range strings.Lines(text) {
		if !strings.HasSuffix(line, "\n") {
			return nil, fmt.Errorf("a line without an end: %q", line)
		}
		e, err := read(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("%w in %q", err, line)
		}
		out = append(out, e)
	}
	return out, nil
}

// readJSON reads a line of the formatter JSON.
func readJSON(line string) (event.Event, error) {
	var e event.Event
	var object map[string]any
	if err := json.Unmarshal([]byte(line), &object); err != nil {
		return e, err
	}
	if text, ok := object["timestamp"].(string); ok {
		var err error
		if e.Time, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return e, err
		}
	}
	var err error
	e.Level, err = event.ParseLevel(fmt.Sprint(object["level"]))
	e.Message = fmt.Sprint(object["message"])
	for _, key := range []string{"timestamp", "level", "source", "message"} {
		delete(object, key)
	}
	e.Metadata = fields(object)
	return e, err
}

// fields are the members of an object.
func fields(object map[string]any) event.Metadata {
	var m event.Metadata
	for key, v := range object {
		switch v := v.(type) {
		case map[string]any:
			group := fields(v)
			m = append(m, event.Field{Key: key, Value: event.Group(&group)})
		default:
			m = append(m, event.Field{Key: key, Value: event.String(fmt.Sprint(v))})
		}
	}
	return m
}

// newPattern is the pattern of the console, with the date.
func newPattern(t *testing.T) format.Formatter {
	p, err := format.NewPattern(format.PatternOptions{
		Pattern: "$date $time $metadata[$level] $message\n", AllKeys: true, JSON: true, UTC: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The parts of a line of that pattern.
var (
	patternLine = regexp.MustCompile(`^(\S*) (\S*) ((?:[^ ="]+=(?:"(?:[^"\\]|\\.)*"|[^ "]*) )*)\[(\w+)\] (.*)$`)
	patternPair = regexp.MustCompile(`([^ ="]+)=("(?:[^"\\]|\\.)*"|[^ "]*) `)
)

// readPattern reads a line of that pattern, or the fallback line in its place, which is logfmt.
func readPattern(line string) (event.Event, error) {
	var e event.Event
	m := patternLine.FindStringSubmatch(line)
	if m == nil {
		if strings.Contains(line, "what=log_format_failed ") {
			e.Level, e.Message, e.Metadata = event.Error, "log_format_failed", pairs(line+" ")
			return e, nil
		}
		return e, fmt.Errorf("no line of the pattern")
	}
	if m[1] != "" {
		var err error
		if e.Time, err = time.Parse(time.DateOnly+" 15:04:05.000", m[1]+" "+m[2]); err != nil {
			return e, err
		}
	}
	var err error
	e.Level, err = event.ParseLevel(m[4])
	e.Message, e.Metadata = m[5], pairs(m[3])
	return e, err
}

// pairs reads metadata.
func pairs(text string) event.Metadata {
	var out event.Metadata
	for _, pair := range patternPair.FindAllStringSubmatch(text, -1) {
		value := pair[2]
		if plain, err := strconv.Unquote(value); err == nil {
			value = plain
		}
		out = append(out, event.Field{Key: pair[1], Value: event.String(value)})
	}
	return out
}

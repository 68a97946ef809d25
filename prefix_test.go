package spile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// twin is a backend that formats each record twice, with and without what it has in common with others, and tells of a
// difference.
type twin struct {
	*Base
	formatters []format.Formatter
	report     func(f format.Formatter, with, without []byte)
}

func newTwin(report func(f format.Formatter, with, without []byte), formatters ...format.Formatter) *twin {
	return &twin{Base: NewBase("twin", BaseOptions{Level: slog.LevelDebug}), formatters: formatters, report: report}
}

func (w *twin) Log(_ context.Context, e *event.Event) error {
	for _, f := range w.formatters {
		with := format.Append(f, []byte("> "), e)
		alone := *e
		alone.Prefix = nil
		if without := format.Append(f, []byte("> "), &alone); !bytes.Equal(with, without) {
			w.report(f, with, without)
		}
	}
	return nil
}

// everyForm is formatters of each kind that knows of prefixes, and others.
func everyForm(t testing.TB) []format.Formatter {
	t.Helper()
	pattern, err := format.NewPattern(format.PatternOptions{Pattern: "$metadata$message\n", AllKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	return []format.Formatter{
		&format.JSON{}, &format.JSON{At: true}, &format.JSON{MessageKey: "msg", TimeKey: "ts"}, &format.JSON{LevelKey: "a"},
		format.Func(event.AppendMembers), &format.Logfmt{}, pattern,
	}
}

// mutable is a value whose text changes from record to record: the number of the record. It panics at every fifth.
type mutable struct{ record *int }

func (m *mutable) Error() string {
	if *m.record%5 == 0 {
		panic("a fifth")
	}
	return fmt.Sprint("record ", *m.record)
}

// drawAttr draws an attribute of any kind.
func drawAttr(t *rapid.T, record *int, depth int) slog.Attr {
	key := rapid.SampledFrom([]string{
		"a", "b", "", "time", "timestamp", "ts", "level", "source", "message", "msg", "at", "what", "text", "reason",
		"user", "class", "k\n=", "attr_level", "dotted.key",
	}).Draw(t, "key")
	text := rapid.SampledFrom([]string{"", "x", "a longer text", "a\n\"b\"", "ü\xff\u2028", "two_words"}).Draw(t, "text")
	n := rapid.Int64().Draw(t, "n")
	kinds := 13
	if depth > 2 {
		kinds--
	}
	switch rapid.IntRange(1, kinds).Draw(t, "kind") {
	case 1, 2, 3:
		return slog.String(key, text)
	case 4:
		return slog.Int64(key, n)
	case 5:
		return slog.Uint64(key, uint64(n))
	case 6:
		return slog.Float64(key, rapid.Float64().Draw(t, "f"))
	case 7:
		return slog.Duration(key, time.Duration(n))
	case 8:
		return slog.Time(key, time.Unix(n%1e12, n%1e9).In(time.FixedZone("", int(n%43200))))
	case 9:
		return slog.Bool(key, n > 0)
	case 10:
		return slog.Any(key, nil)
	case 11:
		return slog.Any(key, rapid.SampledFrom([]any{
			errors.New(text), []string{text}, map[string]int{"n": 1}, &mutable{record}, struct{ A int }{1},
		}).Draw(t, "any"))
	case 12:
		return slog.Any(key, resolves{slog.StringValue(text)})
	}
	return slog.Attr{Key: key, Value: slog.GroupValue(drawAttrs(t, record, depth+1)...)}
}

// drawAttrs draws a few.
func drawAttrs(t *rapid.T, record *int, depth int) []slog.Attr {
	attrs := make([]slog.Attr, rapid.IntRange(0, 4).Draw(t, "attrs"))
	for i := range attrs {
		attrs[i] = drawAttr(t, record, depth)
	}
	return attrs
}

// TestPrefixMakesNoDifference logs through loggers derived in any way, and compares what formatters make of records that
// have something in common with others and of the same ones alone.
func TestPrefixMakesNoDifference(t *testing.T) {
	formatters := everyForm(t)
	rapid.Check(t, func(t *rapid.T) {
		h := New(newTwin(func(f format.Formatter, with, without []byte) {
			t.Fatalf("%T: got %q\nalone %q", f, with, without)
		}, formatters...))
		record, loggers := 0, []slog.Handler{h}
		for range rapid.IntRange(1, 5).Draw(t, "derived") {
			from := rapid.SampledFrom(loggers).Draw(t, "from")
			if rapid.IntRange(0, 3).Draw(t, "group") == 0 {
				from = from.WithGroup("g")
			} else {
				from = from.WithAttrs(drawAttrs(t, &record, 0))
			}
			loggers = append(loggers, from)
		}
		ctx := WithMetadata(t.Context(), drawAttrs(t, &record, 1)...)
		for range rapid.IntRange(firstRecords, 5*firstRecords).Draw(t, "records") {
			record++
			by := rapid.SampledFrom(loggers).Draw(t, "by")
			slog.New(by).LogAttrs(ctx, slog.LevelInfo, "m", drawAttrs(t, &record, 1)...)
		}
	})
}

// TestPrefixIsOnlyForLoggersUsedOften checks what the records of a logger have.
func TestPrefixIsOnlyForLoggersUsedOften(t *testing.T) {
	var last *event.Prefix
	h := New(newSeen(func(e *event.Event) { last = e.Prefix }))
	plain := slog.New(h)
	carrying := plain.With("a", 1)
	prefixes := map[*event.Prefix]bool{}
	for i := range 3 * firstRecords {
		plain.Info("m")
		if last != nil {
			t.Errorf("record %d of a logger that carries nothing has a prefix", i)
		}
		carrying.With("b", 1).Info("m")
		if last != nil {
			t.Errorf("the only record of logger %d has a prefix", i)
		}
		carrying.Info("m")
		if wanted := i >= firstRecords; (last != nil) != wanted {
			t.Errorf("record %d has a prefix: %t, want %t", i, last != nil, wanted)
		}
		prefixes[last] = true
	}
	if len(prefixes) != 2 { // None, and one.
		t.Errorf("the prefix of a logger changed: %v", prefixes)
	}
}

// TestPrefixWithAnotherFormatter checks that no formatter gets what another has made.
func TestPrefixWithAnotherFormatter(t *testing.T) {
	var out strings.Builder
	w := NewWriter(WriterOptions{Writer: &out, FlushEvery: -1})
	logger := slog.New(New(w)).With("level", "x", "msg", "y", "at", "z")
	want := `"attr_level":"x","msg":"y","at":"z"}`
	check := func() {
		t.Helper()
		for range 2 * firstRecords {
			out.Reset()
			logger.Info("m")
			if got := strings.TrimSpace(out.String()); !strings.HasSuffix(got, want) {
				t.Errorf("got %s, want …%s", got, want)
			}
		}
	}
	check()
	w.SetFormatter(&format.JSON{LevelKey: "lvl", MessageKey: "msg"})
	want = `"level":"x","attr_msg":"y","at":"z"}`
	check()
	w.SetFormatter(&format.JSON{LevelKey: "lvl", MessageKey: "msg", At: true})
	want = `"level":"x","attr_msg":"y","attr_at":"z"}`
	check()
	w.SetFormatter(&format.JSON{})
	want = `"attr_level":"x","msg":"y","at":"z"}`
	check()
}

// TestPrefixOfChangedMetadata is a backend before another that hides a value, in a copy as it should or in place.
func TestPrefixOfChangedMetadata(t *testing.T) {
	hide := map[string]func(e event.Event) *event.Event{
		"in-a-copy": func(e event.Event) *event.Event {
			e.Metadata = append(event.Metadata(nil), e.Metadata...)
			e.Metadata[1].Value = event.String("***")
			return &e
		},
		"in-place": func(e event.Event) *event.Event {
			e.Metadata.Set("password", event.String("***"))
			return &e
		},
		"left-out": func(e event.Event) *event.Event {
			e.Metadata = append(event.Metadata{{Key: "password", Value: event.String("***")}}, e.Metadata[2:]...)
			return &e
		},
	}
	for name, change := range hide {
		t.Run(name, func(t *testing.T) {
			var lines []string
			f := &format.JSON{}
			logger := slog.New(New(newSeen(func(e *event.Event) {
				lines = append(lines, string(format.Append(f, nil, e))) // So that there is something to remember.
				lines = append(lines, string(format.Append(f, nil, change(*e))))
			}))).With("user", "alice", "password", "secret", "n", 1)
			for range 2 * firstRecords {
				logger.Info("m")
			}
			for i, line := range lines {
				if got := strings.Contains(line, "secret"); got != (i%2 == 0) || !strings.Contains(line, `"n":1`) {
					t.Errorf("line %d: %s", i, line)
				}
			}
		})
	}
}

// TestPrefixOfMutableValues checks that values are looked at anew that may have changed.
func TestPrefixOfMutableValues(t *testing.T) {
	var out strings.Builder
	counts, list := map[string]int{"n": 0}, []int{0}
	logger := slog.New(New(jsonWriter(&out))).With("a", 1, "counts", counts, "list", list, slog.Group("g", "counts", counts))
	for i := range 2 * firstRecords {
		counts["n"], list[0] = i, i
		out.Reset()
		logger.Info("m")
		want := fmt.Sprintf(`"a":1,"counts":{"n":%d},"list":[%[1]d],"g":{"counts":{"n":%[1]d}}}`, i)
		if got := out.String(); !strings.HasSuffix(got, want+"\n") {
			t.Errorf("got %s, want …%s", got, want)
		}
	}
}

// TestPrefixLength checks how much of the metadata is the same in all records.
func TestPrefixLength(t *testing.T) {
	lazy := slog.Any("lazy", resolves{slog.IntValue(1)})
	tests := []struct {
		name string
		make func(*slog.Logger) *slog.Logger
		want int
	}{
		{"all", func(l *slog.Logger) *slog.Logger { return l.With("a", 1, "b", 2).With("c", 3) }, 3},
		{"up-to-a-valuer", func(l *slog.Logger) *slog.Logger { return l.With("a", 1, "b", 2).With(lazy).With("c", 3) }, 2},
		{"a-valuer-first", func(l *slog.Logger) *slog.Logger { return l.With(lazy).With("a", 1) }, 0},
		{"up-to-a-group-with-one", func(l *slog.Logger) *slog.Logger { return l.With("a", 1, slog.Group("g", lazy)) }, 1},
		{"up-to-an-error", func(l *slog.Logger) *slog.Logger { return l.With("a", 1, "error", errBench, "b", 2) }, 1},
		{"before-open-groups", func(l *slog.Logger) *slog.Logger { return l.With("a", 1).WithGroup("g").With("b", 2) }, 1},
		{"in-a-group", func(l *slog.Logger) *slog.Logger { return l.WithGroup("g").With("a", 1) }, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := 0
			logger := tt.make(slog.New(New(newSeen(func(e *event.Event) {
				_, rest := event.AppendPrefix(nil, e, &event.Form{}, event.AppendMetadata)
				got = len(e.Metadata) - len(rest)
			}))))
			for i := range firstRecords + 2 {
				logger.Info("m", "call", i)
				want := 0
				if i >= firstRecords {
					want = tt.want
				}
				if got != want {
					t.Errorf("record %d: %d fields, want %d", i, got, want)
				}
			}
		})
	}
}

// TestPrefixHandlerHammer logs from many goroutines through loggers that were not used before, while the formatter
// changes.
func TestPrefixHandlerHammer(t *testing.T) {
	h := New(newTwin(func(f format.Formatter, with, without []byte) {
		t.Errorf("%T: got %q\nalone %q", f, with, without)
	}, &format.JSON{}, &format.JSON{At: true}, format.Func(event.AppendMembers)), jsonWriter(&counter{}))
	w := h.Backend("writer")
	for range 50 {
		logger := slog.New(h).With("a", "x", "level", 1, slog.Group("g", "b", true), "error", errBench)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				for i := range 20 {
					if i%5 == g {
						w.Settings().SetFormatter(&format.JSON{At: i%2 == 0})
					}
					logger.Info("m", "n", i)
					logger.With("more", i).Info("m", "n", i)
				}
			})
		}
		wg.Wait()
	}
}

package hclogspile_test

import (
	"bytes"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/hclogspile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ tap.Dial = hclogspile.Logger{}

// messages are those that a memory holds.
func messages(m *spile.Memory) []string {
	out := []string{}
	for _, e := range m.Events() {
		out = append(out, e.Message)
	}
	return out
}

// watched is a logger at warn whose output is own, and a memory at debug in place of a stream.
func watched(own io.Writer) (hclog.InterceptLogger, *spile.Memory) {
	m := spile.NewMemory(spile.MemoryOptions{BaseOptions: spile.BaseOptions{Level: slog.LevelDebug}, Max: 1000})
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Warn, Output: own})
	logger.RegisterSink(hclogspile.NewSink(spile.New(m)))
	return logger, m
}

func TestLevels(t *testing.T) {
	table := map[hclog.Level]slog.Level{
		hclog.NoLevel: -12, hclog.Trace: -8, hclog.Debug: -4, hclog.Info: 0, hclog.Warn: 4, hclog.Error: 8, hclog.Off: 10,
	}
	for level, want := range table {
		if got := hclogspile.ToSlog(level); got != want {
			t.Errorf("%v became %d, want %d", level, got, want)
		}
		if got := hclogspile.FromSlog(want); got != level {
			t.Errorf("%d became %v, want %v", want, got, level)
		}
	}
	for level, want := range map[slog.Level]hclog.Level{2: hclog.Warn, 14: hclog.Off, spile.LevelOff: hclog.Off, math.MinInt32: hclog.NoLevel} {
		if got := hclogspile.FromSlog(level); got != want {
			t.Errorf("%d became %v, want %v", level, got, want)
		}
	}
}

func TestRecords(t *testing.T) {
	logger, memory := watched(io.Discard)
	before := time.Now()
	logger.With("carried", "c").Info("hello", "yes", true, "int", -5, "fmt", hclog.Fmt("%d%%", 7), "took", time.Second, "hex", hclog.Hex(255),
		"octal", hclog.Octal(8), "binary", hclog.Binary(2), "quote", hclog.Quote("a b"), 1, "number", "map", map[string]any{"k": "v"},
		"empty", hclog.Format{}, "plain", hclog.Format{1}, "list", []string{"a"}, "odd")
	e := memory.Events()[0]
	want := `{"carried":"c","yes":true,"int":-5,"fmt":"7%","took":"1s","hex":"0xff","octal":"010","binary":"0b10",` +
		`"quote":"\"a b\"","1":"number","map":{"k":"v"},"empty":"","plain":"1","list":["a"],"EXTRA_VALUE_AT_END":"odd"}`
	if diff := cmp.Diff(want, string(event.AppendMetadata(nil, e.Metadata))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e.Level != event.Info || e.Time.Before(before) || e.Message != "hello" || e.Source != "github.com/spilelog/spile/adapters/hclogspile_test" {
		t.Errorf("got %+v", e)
	}
	logger.Named("raft").Named("log").Log(hclog.NoLevel, "named")
	if e := memory.Events()[1]; e.Source != "raft.log" || e.Level != event.Info {
		t.Errorf("got %+v", e)
	}
}

// TestSinkNeedsNoLease has somebody watch at debug: hclog's debug records arrive and its output stays as it was.
func TestSinkNeedsNoLease(t *testing.T) {
	own := &bytes.Buffer{}
	logger, memory := watched(own)
	logger.Named("made-before").Debug("debug")
	if diff := cmp.Diff([]string{"debug"}, messages(memory)); diff != "" || own.Len() > 0 || logger.IsDebug() {
		t.Errorf("the output has %q, IsDebug %v (-want +got)\n%s", own, logger.IsDebug(), diff)
	}
}

// TestLease lets guarded code run too.
func TestLease(t *testing.T) {
	own := &bytes.Buffer{}
	logger, memory := watched(io.Discard)
	leaser := tap.NewLeaser(hclogspile.Dial(logger))
	sink := hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: hclog.Trace, Output: own})
	logger.RegisterSink(hclogspile.Output(sink, leaser))
	named := logger.Named("made-before")
	guarded := func(text string) {
		if named.IsDebug() {
			named.Debug(text)
		}
	}
	guarded("before")
	release := leaser.Lease(slog.LevelDebug)
	guarded("while")
	logger.SetLevel(hclog.Error) // The operator.
	other := leaser.Lease(slog.LevelDebug)
	guarded("while still")
	logger.Warn("below the operator's new level")
	other()
	release()
	guarded("after")
	if got := logger.GetLevel(); got != hclog.Error {
		t.Errorf("the level is %v after, not the operator's", got)
	}
	want := []string{"while", "while still", "below the operator's new level"}
	if diff := cmp.Diff(want, messages(memory)); diff != "" || own.Len() > 0 {
		t.Errorf("the output has %q (-want +got)\n%s", own, diff)
	}
	logger.Error("own")
	if !strings.Contains(own.String(), "own") {
		t.Errorf("the output has %q", own)
	}
}

func TestCallerBehindOutput(t *testing.T) {
	memory := spile.NewMemory(spile.MemoryOptions{})
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard})
	logger.RegisterSink(hclogspile.Output(hclogspile.NewSink(spile.New(memory)), slog.LevelInfo))
	logger.Info("hello")
	if got := memory.Events()[0].Source; got != "github.com/spilelog/spile/adapters/hclogspile_test" {
		t.Errorf("namespace %q", got)
	}
}

func TestHammer(t *testing.T) {
	logger, memory := watched(io.Discard)
	leaser := tap.NewLeaser(hclogspile.Dial(logger))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 300 {
				release := leaser.Lease(slog.LevelDebug)
				logger.With("i", i).Debug("debug")
				release()
				logger.Info("info")
			}
		})
	}
	wg.Wait()
	if got := logger.GetLevel(); got != hclog.Warn || memory.Len() != 1000 {
		t.Errorf("the level is %v after; %d records kept", got, memory.Len())
	}
}

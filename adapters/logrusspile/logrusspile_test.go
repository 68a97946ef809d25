package logrusspile_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/logrusspile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ tap.Dial = logrusspile.Logger{}

// messages are those that a memory holds.
func messages(m *spile.Memory) []string {
	out := []string{}
	for _, e := range m.Events() {
		out = append(out, e.Message)
	}
	return out
}

// watched is a logger, and a memory at debug in place of a stream.
func watched(own io.Writer) (*logrus.Logger, *spile.Memory) {
	m := spile.NewMemory(spile.MemoryOptions{BaseOptions: spile.BaseOptions{Level: slog.LevelDebug}, Max: 1000})
	logger := logrus.New()
	logger.SetOutput(own)
	logger.AddHook(logrusspile.NewHook(spile.New(m)))
	return logger, m
}

func TestLevels(t *testing.T) {
	table := map[logrus.Level]slog.Level{
		logrus.TraceLevel: -8, logrus.DebugLevel: -4, logrus.InfoLevel: 0, logrus.WarnLevel: 4, logrus.ErrorLevel: 8,
		logrus.FatalLevel: 10, logrus.PanicLevel: 14,
	}
	for level, want := range table {
		if got := logrusspile.ToSlog(level); got != want {
			t.Errorf("%v became %d, want %d", level, got, want)
		}
	}
	for _, level := range []logrus.Level{0, 1, 2, 3, 4, 5, 6, 7, 1000, math.MaxUint32} {
		if got := logrusspile.FromSlog(logrusspile.ToSlog(level)); got != level {
			t.Errorf("level %d came back as %d", level, got)
		}
	}
	for level, want := range map[slog.Level]logrus.Level{2: logrus.WarnLevel, spile.LevelOff: logrus.PanicLevel, 12: logrus.PanicLevel} {
		if got := logrusspile.FromSlog(level); got != want {
			t.Errorf("%d became %v, want %v", level, got, want)
		}
	}
}

func TestRecords(t *testing.T) {
	logger, memory := watched(io.Discard)
	logger.SetReportCaller(true)
	at := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	ctx := spile.WithMetadata(context.Background(), slog.String("request", "r1"))
	logger.WithContext(ctx).WithTime(at).WithError(errors.New("no")).
		WithFields(logrus.Fields{"yes": true, "int": -5, "took": time.Second, "map": map[string]any{"k": "v"}, "nil": nil}).Warn("hello")
	e := memory.Events()[0]
	want := `{"error":"no","int":-5,"map":{"k":"v"},"nil":null,"took":"1s","yes":true,"request":"r1"}`
	if diff := cmp.Diff(want, string(event.AppendMetadata(nil, e.Metadata))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e.Level != event.Warning || !e.Time.Equal(at) || e.Message != "hello" || e.Source != "github.com/spilelog/spile/adapters/logrusspile_test" {
		t.Errorf("got %+v", e)
	}
}

func TestLease(t *testing.T) {
	own := &bytes.Buffer{}
	logger, memory := watched(own)
	logger.SetLevel(logrus.WarnLevel)
	leaser := tap.NewLeaser(logrusspile.Dial(logger))
	logger.SetFormatter(logrusspile.Output(logger.Formatter, leaser))
	guarded := func(text string) {
		if logger.IsLevelEnabled(logrus.DebugLevel) {
			logger.Debug(text)
		}
	}
	guarded("before")
	release := leaser.Lease(slog.LevelDebug)
	guarded("while")
	logger.SetLevel(logrus.ErrorLevel) // The operator.
	other := leaser.Lease(slog.LevelDebug)
	guarded("while still")
	logger.Warn("below the operator's new level")
	other()
	release()
	guarded("after")
	if got := logger.GetLevel(); got != logrus.ErrorLevel {
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

// flushed is a backend that counts its flushes.
type flushed struct {
	*spile.Base
	n int
}

func (f *flushed) Log(context.Context, *event.Event) error { return nil }

func (f *flushed) Flush(context.Context) error {
	f.n++
	return nil
}

func TestFatalIsFlushed(t *testing.T) {
	logger, memory := watched(io.Discard)
	backend := &flushed{Base: spile.NewBase("flushed", spile.BaseOptions{})}
	logger.AddHook(logrusspile.NewHook(spile.New(backend)))
	atExit := 0
	logger.ExitFunc = func(int) { atExit = backend.n }
	logger.Error("goes on")
	end := logger.Fatal // By this name linters do not take what follows for unreachable.
	end("the end")
	if atExit != 1 || backend.n != 1 || memory.Events()[1].Level != event.Critical {
		t.Errorf("%d flushes before the end, %d in all: %v", atExit, backend.n, memory.Events())
	}
}

func TestHammer(t *testing.T) {
	logger, memory := watched(io.Discard)
	leaser := tap.NewLeaser(logrusspile.Dial(logger))
	logger.SetFormatter(logrusspile.Output(logger.Formatter, leaser))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 300 {
				release := leaser.Lease(slog.LevelDebug)
				logger.WithField("i", i).Debug("debug")
				release()
				logger.Info("info")
			}
		})
	}
	wg.Wait()
	if got := logger.GetLevel(); got != logrus.InfoLevel || memory.Len() != 1000 {
		t.Errorf("the level is %v after; %d records kept", got, memory.Len())
	}
}

package zapspile_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/zapspile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ tap.Dial = zapspile.Level{}

// output is the text that a program's own output holds.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) Sync() error { return nil }

func (o *output) has(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.buf.String(), text)
}

// messages are those that a memory holds.
func messages(m *spile.Memory) []string {
	out := []string{}
	for _, e := range m.Events() {
		out = append(out, e.Message)
	}
	return out
}

func encoder() zapcore.Encoder {
	return zapcore.NewConsoleEncoder(zap.NewProductionEncoderConfig())
}

func TestLevels(t *testing.T) {
	table := map[zapcore.Level]slog.Level{
		-2: -8, zap.DebugLevel: -4, zap.InfoLevel: 0, zap.WarnLevel: 4, zap.ErrorLevel: 8, zap.DPanicLevel: 10, zap.PanicLevel: 12,
		zap.FatalLevel: 14,
	}
	for level, want := range table {
		if got := zapspile.ToSlog(level); got != want {
			t.Errorf("%v became %d, want %d", level, got, want)
		}
	}
	for level := math.MinInt8; level <= math.MaxInt8; level++ {
		if got := zapspile.FromSlog(zapspile.ToSlog(zapcore.Level(level))); int(got) != level {
			t.Errorf("level %d came back as %d", level, got)
		}
	}
	for level, want := range map[slog.Level]zapcore.Level{2: zap.WarnLevel, 1: zap.WarnLevel, -5: zap.DebugLevel, spile.LevelOff: math.MaxInt8, math.MinInt32: math.MinInt8} {
		if got := zapspile.FromSlog(level); got != want {
			t.Errorf("%d became %v, want %v", level, got, want)
		}
	}
}

type point struct{ x, y int }

func (p point) MarshalLogObject(e zapcore.ObjectEncoder) error {
	e.AddInt("x", p.x)
	e.OpenNamespace("more")
	e.AddInt("y", p.y)
	return nil
}

func TestRecords(t *testing.T) {
	memory := spile.NewMemory(spile.MemoryOptions{})
	at := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	core := zapspile.NewCore(spile.New(memory)).With([]zapcore.Field{zap.String("carried", "c"), zap.Namespace("ns"), zap.Int("in", 1)})
	entry := zapcore.Entry{Level: zap.WarnLevel, Time: at, Message: "hello", LoggerName: "shop.db", Stack: "main.main()"}
	err := core.Write(entry, []zapcore.Field{
		zap.Bool("yes", true), zap.Int64("int", -5), zap.Uint64("uint", math.MaxUint64), zap.Float64("float", 1.5), zap.Float32("float32", 0.5),
		zap.Duration("took", time.Second), zap.Time("when", at), zap.Error(errors.New("no")), zap.Binary("raw", []byte("a")),
		zap.ByteString("text", []byte("b")), zap.Complex128("complex", 1+2i), zap.Ints("list", []int{1, 2}), zap.Object("point", point{1, 2}),
		zap.Inline(point{3, 4}), zap.Any("map", map[string]any{"k": "v"}), zap.Stringer("stringer", time.Minute), zap.Skip(), zap.Uint8("small", 7),
	})
	if err != nil {
		t.Fatal(err)
	}
	e := memory.Events()[0]
	got := string(event.AppendMetadata(nil, e.Metadata))
	want := `{"carried":"c","ns":{"in":1,"yes":true,"int":-5,"uint":18446744073709551615,"float":1.5,"float32":0.5,` +
		`"took":"1s","when":"2024-01-15T10:00:00Z","error":"no","raw":"YQ==","text":"b","complex":"(1+2i)","list":[1,2],` +
		`"point":{"x":1,"more":{"y":2}},"x":3,"more":{"y":4,"map":{"k":"v"},"stringer":"1m0s","small":7},"stacktrace":"main.main()"}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e.Level != event.Warning || !e.Time.Equal(at) || e.Message != "hello" || e.Source != "shop.db" {
		t.Errorf("got %+v", e)
	}
}

func TestCallerIsKept(t *testing.T) {
	memory := spile.NewMemory(spile.MemoryOptions{})
	zap.New(zapspile.NewCore(spile.New(memory)), zap.AddCaller()).Info("hello")
	if got := memory.Events()[0].Source; got != "github.com/spilelog/spile/adapters/zapspile_test" {
		t.Errorf("namespace %q", got)
	}
}

// TestTeeNeedsNoLease has somebody watch at debug: zap's debug records arrive and zap's own output stays as it was.
func TestTeeNeedsNoLease(t *testing.T) {
	own, handler := &output{}, spile.New()
	core := zapcore.NewTee(zapcore.NewCore(encoder(), own, zap.InfoLevel), zapspile.NewCore(handler))
	logger := zap.New(core).Named("made-before").With(zap.Int("n", 1))
	guarded := func(text string) {
		if checked := logger.Check(zap.DebugLevel, text); checked != nil {
			checked.Write()
		}
	}
	guarded("before")
	stream := spile.NewMemory(spile.MemoryOptions{BaseOptions: spile.BaseOptions{Level: slog.LevelDebug}})
	if err := handler.Add(stream); err != nil {
		t.Fatal(err)
	}
	if logger.Level() != zap.DebugLevel {
		t.Errorf("the logger's level is %v while somebody watches", logger.Level())
	}
	guarded("while")
	handler.Remove("memory")
	guarded("after")
	if diff := cmp.Diff([]string{"while"}, messages(stream)); diff != "" || own.has("while") {
		t.Errorf("the output has %q (-want +got)\n%s", own.buf.String(), diff)
	}
	if logger.Level() != zap.InfoLevel {
		t.Errorf("the logger's level is %v after", logger.Level())
	}
}

// TestLease lowers the AtomicLevel, for programs that ask it.
func TestLease(t *testing.T) {
	level := zap.NewAtomicLevelAt(zap.WarnLevel)
	leaser := tap.NewLeaser(zapspile.Dial(level))
	own := &output{}
	memory := spile.NewMemory(spile.MemoryOptions{BaseOptions: spile.BaseOptions{Level: slog.LevelDebug}})
	logger := zap.New(zapcore.NewTee(
		zapcore.NewCore(encoder(), own, zapspile.Enabler(leaser)), zapspile.NewCore(spile.New(memory)),
	))
	guarded := func(text string) {
		if level.Enabled(zap.DebugLevel) {
			logger.Debug(text)
		}
	}
	guarded("before")
	release := leaser.Lease(slog.LevelDebug)
	guarded("while")
	level.SetLevel(zap.ErrorLevel) // The operator.
	other := leaser.Lease(slog.LevelDebug)
	guarded("while still")
	logger.Warn("below the operator's new level")
	other()
	release()
	guarded("after")
	if got := level.Level(); got != zap.ErrorLevel {
		t.Errorf("the level is %v after, not the operator's", got)
	}
	want := []string{"while", "while still", "below the operator's new level"}
	if diff := cmp.Diff(want, messages(memory)); diff != "" || own.buf.Len() > 0 {
		t.Errorf("the output has %q (-want +got)\n%s", own.buf.String(), diff)
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

func TestSyncFlushes(t *testing.T) {
	backend := &flushed{Base: spile.NewBase("flushed", spile.BaseOptions{})}
	logger := zap.New(zapspile.NewCore(spile.New(backend))).With(zap.Namespace("n"), zap.Int("i", 1))
	if err := logger.Sync(); err != nil || backend.n != 1 {
		t.Errorf("Sync: %v, %d flushes", err, backend.n)
	}
	logger.Error("goes on")
	logger.DPanic("may end the program")
	if backend.n != 2 {
		t.Errorf("%d flushes", backend.n)
	}
}

func TestHammer(t *testing.T) {
	level := zap.NewAtomicLevel()
	leaser := tap.NewLeaser(zapspile.Dial(level))
	handler := spile.New(spile.NewMemory(spile.MemoryOptions{Max: 100}))
	logger := zap.New(zapcore.NewTee(zapcore.NewCore(encoder(), &output{}, zapspile.Enabler(leaser)), zapspile.NewCore(handler)))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 300 {
				release := leaser.Lease(slog.LevelDebug)
				logger.With(zap.Int("i", i), zap.Namespace("n")).Debug("debug", zap.Object("p", point{i, i}))
				release()
				logger.Info("info")
			}
		})
	}
	wg.Wait()
	if err := logger.Sync(); err != nil {
		t.Error(err)
	}
	if got := level.Level(); got != zap.InfoLevel {
		t.Errorf("the level is %v after", got)
	}
}

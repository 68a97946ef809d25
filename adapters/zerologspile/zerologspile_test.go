package zerologspile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/zerologspile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/tap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	_ tap.Dial = zerologspile.Global{}
	_ tap.Dial = (*zerologspile.Level)(nil)
)

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

// messages are those that a memory holds.
func messages(m *spile.Memory) []string {
	out := []string{}
	for _, e := range m.Events() {
		out = append(out, e.Message)
	}
	return out
}

// watched is a memory at debug, in place of a stream, and a writer to it.
func watched() (*spile.Memory, zerolog.LevelWriter) {
	m := spile.NewMemory(spile.MemoryOptions{BaseOptions: spile.BaseOptions{Level: slog.LevelDebug}, Max: 1000})
	return m, zerologspile.NewWriter(spile.New(m))
}

func TestLevels(t *testing.T) {
	table := map[zerolog.Level]slog.Level{
		zerolog.TraceLevel: -8, zerolog.DebugLevel: -4, zerolog.InfoLevel: 0, zerolog.WarnLevel: 4, zerolog.ErrorLevel: 8,
		zerolog.FatalLevel: 10, zerolog.PanicLevel: 14, zerolog.NoLevel: 16, zerolog.Disabled: 18,
	}
	for level, want := range table {
		if got := zerologspile.ToSlog(level); got != want {
			t.Errorf("%v became %d, want %d", level, got, want)
		}
	}
	for level := math.MinInt8; level <= int(zerolog.Disabled); level++ {
		if got := zerologspile.FromSlog(zerologspile.ToSlog(zerolog.Level(level))); int(got) != level {
			t.Errorf("level %d came back as %d", level, got)
		}
	}
	for level, want := range map[slog.Level]zerolog.Level{2: zerolog.WarnLevel, spile.LevelOff: zerolog.Disabled, math.MinInt32: math.MinInt8} {
		if got := zerologspile.FromSlog(level); got != want {
			t.Errorf("%d became %v, want %v", level, got, want)
		}
	}
}

func TestRecords(t *testing.T) {
	memory, writer := watched()
	at := time.Date(2024, 1, 15, 10, 0, 0, 0, time.UTC)
	logger := zerolog.New(writer).With().Str("carried", "c").Logger()
	logger.Warn().Time("time", at).Bool("yes", true).Int("int", -5).Uint64("uint", math.MaxUint64).Float64("float", 1.5).
		Err(errors.New("no")).Ints("list", []int{1, 2}).Dict("dict", zerolog.Dict().Str("k", "v").Int("n", 1)).
		Interface("nil", nil).Caller().Msg("hello")
	e := memory.Events()[0]
	caller, _ := e.Metadata.Get("caller")
	if !strings.Contains(caller.Text(), "zerologspile_test.go:") {
		t.Errorf("caller %q", caller.Text())
	}
	e.Metadata.Set("caller", event.Nil())
	want := `{"carried":"c","yes":true,"int":-5,"uint":18446744073709551615,"float":1.5,"error":"no","list":[1,2],` +
		`"dict":{"k":"v","n":1},"nil":null,"caller":null}`
	if diff := cmp.Diff(want, string(event.AppendMetadata(nil, e.Metadata))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if e.Level != event.Warning || !e.Time.Equal(at) || e.Message != "hello" {
		t.Errorf("got %+v", e)
	}
	before := time.Now()
	logger.Log().Msg("no level, no time")
	if e := memory.Events()[1]; e.Level != event.Info || e.Time.Before(before) {
		t.Errorf("got %+v", e)
	}
}

func TestWrite(t *testing.T) {
	tests := []struct {
		name, line, want, wrong string
	}{
		{"level-in-the-line", `{"level":"error","message":"m","a":1}`, `"ERROR","source":"","message":"m","metadata":{"a":1}`, ""},
		{"names-that-mean-nothing", `{"level":"loud","time":"noon","message":"m"}`, `"INFO","source":"","message":"m","metadata":{"level":"loud","time":"noon"}`, ""},
		{"no-object", `[1]`, "", "read a record of zerolog: got [, want an object"},
		{"no-json", "\xd9\xd9\xf7", "", "read a record of zerolog: invalid character 'Ù' looking for beginning of value"},
		{"cut", `{"a":`, "", "read a record of zerolog: EOF"},
		{"deep", `{"a":` + strings.Repeat("[", 100), "", "read a record of zerolog: nested too deep"},
		{"exponent", `{"a":1e3,"b":1e999}`, `"INFO","source":"","message":"","metadata":{"a":1000,"b":"1e999"}`, ""},
		{"object-in-a-list", `{"a":[{"b":1}]}`, `"INFO","source":"","message":"","metadata":{"a":[{"b":1}]}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			memory, writer := watched()
			_, err := writer.Write([]byte(tt.line))
			if tt.wrong != "" {
				if err == nil || err.Error() != tt.wrong {
					t.Errorf("got %v, want %s", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			e := memory.Events()[0]
			if got := string(event.AppendMembers(nil, &e)); !strings.HasSuffix(got, `"level":`+tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLease(t *testing.T) {
	for _, kind := range []string{"level", "global"} {
		t.Run(kind, func(t *testing.T) {
			memory, writer := watched()
			var dial tap.Dial = zerologspile.Dial()
			logger := zerolog.New(nil).Level(zerolog.TraceLevel)
			if kind == "level" {
				level := zerologspile.NewLevel(slog.LevelWarn)
				dial, logger = level, logger.Sample(level)
			} else {
				global := zerolog.GlobalLevel()
				defer zerolog.SetGlobalLevel(global)
				zerolog.SetGlobalLevel(zerolog.WarnLevel)
			}
			leaser := tap.NewLeaser(dial)
			own := &output{}
			logger = logger.Output(zerolog.MultiLevelWriter(zerologspile.Output(own, leaser), writer)).With().Int("n", 1).Logger()
			guarded := func(text string) {
				if e := logger.Debug(); e.Enabled() {
					e.Msg(text)
				}
			}
			guarded("before")
			release := leaser.Lease(slog.LevelDebug)
			guarded("while")
			dial.SetLevel(slog.LevelError) // The operator.
			other := leaser.Lease(slog.LevelDebug)
			guarded("while still")
			logger.Warn().Msg("below the operator's new level")
			other()
			release()
			guarded("after")
			if dial.Level() != slog.LevelError {
				t.Errorf("the level is %v after, not the operator's", dial.Level())
			}
			want := []string{"while", "while still", "below the operator's new level"}
			if diff := cmp.Diff(want, messages(memory)); diff != "" || own.buf.Len() > 0 {
				t.Errorf("the output has %q (-want +got)\n%s", own.buf.String(), diff)
			}
			logger.Error().Msg("own")
			logger.Log().Msg("no level")
			if text := own.buf.String(); !strings.Contains(text, "own") {
				t.Errorf("the output has %q", text)
			}
		})
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

func TestPanicIsFlushed(t *testing.T) {
	backend := &flushed{Base: spile.NewBase("flushed", spile.BaseOptions{})}
	logger := zerolog.New(zerologspile.NewWriter(spile.New(backend)))
	logger.Error().Msg("goes on")
	func() {
		defer func() { _ = recover() }()
		logger.Panic().Msg("the end")
	}()
	if backend.n != 1 {
		t.Errorf("%d flushes", backend.n)
	}
}

func TestTimes(t *testing.T) {
	format := zerolog.TimeFieldFormat
	defer func() { zerolog.TimeFieldFormat = format }()
	at := time.Date(2024, 1, 15, 10, 0, 0, 123456789, time.UTC)
	for format, unit := range map[string]time.Duration{
		time.RFC3339: time.Second, time.RFC3339Nano: 1, time.StampMicro: 0, zerolog.TimeFormatUnix: time.Second,
		zerolog.TimeFormatUnixMs: time.Millisecond, zerolog.TimeFormatUnixMicro: time.Microsecond, zerolog.TimeFormatUnixNano: 1,
	} {
		zerolog.TimeFieldFormat = format
		memory, writer := watched()
		logger := zerolog.New(writer)
		logger.Info().Time(zerolog.TimestampFieldName, at).Msg("m")
		want := at.Truncate(unit)
		if unit == 0 { // It has no year.
			want = time.Date(0, 1, 15, 10, 0, 0, 123456000, time.UTC)
		}
		if got := memory.Events()[0].Time; !got.Equal(want) {
			t.Errorf("%q: got %v, want %v", format, got, want)
		}
	}
}

func TestHammer(t *testing.T) {
	memory, writer := watched()
	level := zerologspile.NewLevel(slog.LevelInfo)
	leaser := tap.NewLeaser(level)
	logger := zerolog.New(zerolog.MultiLevelWriter(zerologspile.Output(&output{}, leaser), writer)).Sample(level).With().Timestamp().Logger()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 300 {
				release := leaser.Lease(slog.LevelDebug)
				derived := logger.With().Int("i", i).Logger()
				derived.Debug().Msg("debug")
				release()
				logger.Info().Msg("info")
			}
		})
	}
	wg.Wait()
	if level.Level() != slog.LevelInfo || memory.Len() != 1000 {
		t.Errorf("the level is %v after; %d records kept", level.Level(), memory.Len())
	}
}

// FuzzWrite holds that any line is either refused or becomes one record, and that no object is refused.
func FuzzWrite(f *testing.F) {
	for _, line := range []string{`{"level":"info","message":"m","n":1}`, `{"a":{"b":[1,{"c":null}]}}`, `{`, `{"a":1}{"b":2}`, "\xff"} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		memory := spile.NewMemory(spile.MemoryOptions{BaseOptions: spile.BaseOptions{Level: slog.Level(math.MinInt32)}})
		_, err := zerologspile.NewWriter(spile.New(memory)).Write(line)
		if taken := memory.Len() == 1; taken != (err == nil) {
			t.Errorf("%v, but %d records", err, memory.Len())
		}
		if json.Valid(line) && bytes.HasPrefix(bytes.TrimSpace(line), []byte("{")) && err != nil && !strings.Contains(err.Error(), "too deep") {
			t.Errorf("refused an object: %v", err)
		}
	})
}

package zapspile_test

import (
	"fmt"
	"log/slog"
	"os"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/zapspile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/tap"
)

// show prints what reaches Spile.
func show(level slog.Level) *spile.Writer {
	line := format.Func(func(dst []byte, e *event.Event) []byte {
		dst = append(dst, "stream: "+e.Source+" "+e.Level.String()+" "+e.Message+" "...)
		return append(event.AppendMetadata(dst, e.Metadata), '\n')
	})
	return spile.NewWriter(spile.WriterOptions{
		BaseOptions: spile.BaseOptions{Level: level, Formatter: line}, Writer: os.Stdout,
	})
}

// The output stays at info while a backend at debug, as a stream is one, gets zap's debug records.
func Example() {
	handler := spile.New()
	config := zapcore.EncoderConfig{MessageKey: "message", LevelKey: "level", EncodeLevel: zapcore.LowercaseLevelEncoder}
	own := zapcore.NewCore(zapcore.NewJSONEncoder(config), os.Stdout, zap.InfoLevel)
	logger := zap.New(zapcore.NewTee(own, zapspile.NewCore(handler))).Named("shop")

	logger.Debug("nobody sees this")
	if err := handler.Add(show(slog.LevelDebug)); err != nil {
		panic(err)
	}
	logger.Debug("cart loaded", zap.Int("items", 3))
	logger.Info("order placed")
	// Output:
	// stream: shop debug cart loaded {"items":3}
	// {"level":"info","message":"order placed"}
	// stream: shop info order placed {}
}

// A lease lowers the level for code that asks the AtomicLevel, and puts it back.
func ExampleDial() {
	level := zap.NewAtomicLevel()
	leaser := tap.NewLeaser(zapspile.Dial(level)) // Goes into tap.Options.Lower.

	release := leaser.Lease(slog.LevelDebug) // A stream does this.
	fmt.Fprintln(os.Stdout, level)
	release()
	fmt.Fprintln(os.Stdout, level)
	// Output:
	// debug
	// info
}

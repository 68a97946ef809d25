package hclogspile_test

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/hashicorp/go-hclog"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/hclogspile"
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

// A sink gets the debug records while the output stays at info.
func ExampleNewSink() {
	handler := spile.New(show(slog.LevelDebug))
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Info, Output: os.Stdout, DisableTime: true})
	logger.RegisterSink(hclogspile.NewSink(handler))

	shop := logger.Named("shop")
	shop.Debug("cart loaded", "items", 3)
	shop.Info("order placed")
	// Output:
	// stream: shop debug cart loaded {"items":3}
	// [INFO]  shop: order placed
	// stream: shop info order placed {}
}

// While a lease is open code behind a guard runs.
func ExampleDial() {
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Info})
	leaser := tap.NewLeaser(hclogspile.Dial(logger)) // Goes into tap.Options.Lower.

	release := leaser.Lease(slog.LevelDebug) // A stream does this.
	if logger.IsDebug() {
		fmt.Fprintln(os.Stdout, "looking closer")
	}
	release()
	if logger.IsDebug() {
		fmt.Fprintln(os.Stdout, "not any more")
	}
	// Output: looking closer
}

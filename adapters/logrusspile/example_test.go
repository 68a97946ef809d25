package logrusspile_test

import (
	"log/slog"
	"os"

	"github.com/sirupsen/logrus"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/logrusspile"
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

// While a lease is open debug records reach Spile; the output stays at the operator's level.
func Example() {
	handler := spile.New(show(slog.LevelDebug)).WithAttrs([]slog.Attr{spile.Namespace("shop")})
	logger := logrus.New()
	leaser := tap.NewLeaser(logrusspile.Dial(logger)) // Goes into tap.Options.Lower.
	logger.SetOutput(os.Stdout)
	logger.SetFormatter(logrusspile.Output(&logrus.JSONFormatter{DisableTimestamp: true}, leaser))
	logger.AddHook(logrusspile.NewHook(handler))

	logger.Debug("nobody sees this")
	release := leaser.Lease(slog.LevelDebug) // A stream does this.
	logger.WithField("items", 3).Debug("cart loaded")
	logger.Info("order placed")
	release()
	logger.Debug("nor this")
	// Output:
	// stream: shop debug cart loaded {"items":3}
	// stream: shop info order placed {}
	// {"level":"info","msg":"order placed"}
}

package zerologspile_test

import (
	"log/slog"
	"os"

	"github.com/rs/zerolog"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/zerologspile"
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
	level := zerologspile.NewLevel(slog.LevelInfo)
	leaser := tap.NewLeaser(level) // Goes into tap.Options.Lower.
	writer := zerolog.MultiLevelWriter(zerologspile.Output(os.Stdout, leaser), zerologspile.NewWriter(handler))
	logger := zerolog.New(writer).Sample(level)

	logger.Debug().Msg("nobody sees this")
	release := leaser.Lease(slog.LevelDebug) // A stream does this.
	logger.Debug().Int("items", 3).Msg("cart loaded")
	logger.Info().Msg("order placed")
	release()
	logger.Debug().Msg("nor this")
	// Output:
	// stream: shop debug cart loaded {"items":3}
	// {"level":"info","message":"order placed"}
	// stream: shop info order placed {}
}

package spile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// plain prints namespace, level, message and metadata, so that the examples print the same every time.
var plain = format.Func(func(dst []byte, e *event.Event) []byte {
	if e.Source != "" {
		dst = append(append(dst, e.Source...), ' ')
	}
	dst = append(append(dst, e.Level.String()...), ' ')
	dst = append(append(dst, e.Message...), ' ')
	return append(event.AppendMetadata(dst, e.Metadata), '\n')
})

// stdout is a backend that prints at once what it gets.
func stdout(name string, level slog.Leveler) *spile.Writer {
	return spile.NewWriter(spile.WriterOptions{
		Name: name, Writer: os.Stdout, BaseOptions: spile.BaseOptions{Level: level, Formatter: plain},
	})
}

func ExampleNew() {
	all, severe := stdout("all", slog.LevelDebug), stdout("severe", slog.LevelError)
	handler := spile.New(all, severe)
	logger := slog.New(handler).With(spile.Namespace("shop"))

	logger.Debug("cart opened", "cart", 7)
	logger.Error("payment failed", "cart", 7)

	handler.Remove("all")
	logger.Debug("nobody takes this")
	// Output:
	// shop debug cart opened {"cart":7}
	// shop error payment failed {"cart":7}
	// shop error payment failed {"cart":7}
}

func ExampleBase_Bind() {
	out := stdout("out", nil)
	for _, b := range []spile.Binding{
		{Pattern: "MyApp::Database::*", Level: slog.LevelWarn},
		{Pattern: "MyApp::Database::QueryBuilder", Level: slog.LevelDebug},
	} {
		if err := out.Bind(b.Pattern, b.Level); err != nil {
			fmt.Println(err)
		}
	}
	logger := slog.New(spile.New(out))

	logger.Debug("built", spile.Namespace("MyApp::Database::QueryBuilder"))
	logger.Info("opened", spile.Namespace("MyApp::Database::Pool"))
	logger.Warn("exhausted", spile.Namespace("MyApp::Database::Pool"))
	logger.Info("started", spile.Namespace("MyApp::Database"))
	// Output:
	// MyApp::Database::QueryBuilder debug built {}
	// MyApp::Database::Pool warning exhausted {}
	// MyApp::Database info started {}
}

func ExampleWithMetadata() {
	logger := slog.New(spile.New(stdout("out", nil)))
	handle := func(ctx context.Context) { logger.InfoContext(ctx, "request_served", "status", 200) }

	ctx := spile.WithMetadata(context.Background(), slog.String("request_id", "r-1"), slog.String("user", "ann"))
	handle(ctx)
	handle(spile.WithMetadata(ctx, slog.String("user", "bob"), slog.Any("request_id", nil)))
	// Output:
	// github.com/spilelog/spile_test info request_served {"status":200,"request_id":"r-1","user":"ann"}
	// github.com/spilelog/spile_test info request_served {"status":200,"user":"bob"}
}

func ExampleLazy() {
	logger := slog.New(spile.New(stdout("one", nil), stdout("two", nil))).With(spile.Namespace("cache"))
	dump := spile.Lazy(func() slog.Value {
		fmt.Println("(dumping)")
		return slog.GroupValue(slog.Int("entries", 3), slog.Bool("full", false))
	})

	logger.Debug("nobody takes this", "state", dump)
	logger.Info("cache_stats", "state", dump)
	// Output:
	// (dumping)
	// cache info cache_stats {"state":{"entries":3,"full":false}}
	// cache info cache_stats {"state":{"entries":3,"full":false}}
}

func ExampleNamespace() {
	logger := slog.New(spile.New(stdout("out", nil)))

	logger.Info("from the caller")
	logger = logger.With(spile.Namespace("billing.invoices"))
	logger.Info("carried")
	logger.Info("for one call", spile.Namespace("billing.taxes"))
	// Output:
	// github.com/spilelog/spile_test info from the caller {}
	// billing.invoices info carried {}
	// billing.taxes info for one call {}
}

// full is a backend that loses everything.
type full struct{ *spile.Base }

func (full) Log(context.Context, *event.Event) error { return errors.New("disk full") }

func ExampleHandler_OnError() {
	broken := full{spile.NewBase("broken", spile.BaseOptions{})}
	handler := spile.New(broken, stdout("out", nil))
	handler.OnError(func(backend string, err error) { fmt.Println(backend, "lost a record:", err) })

	slog.New(handler).Info("goes on", spile.Namespace("shop"))
	fmt.Println(broken.Failed(), "lost")
	// Output:
	// broken lost a record: log to broken: disk full
	// shop info goes on {}
	// 1 lost
}

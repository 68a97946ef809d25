// Command quickstart logs to the console and to a file, each at its own levels, in the names of the conventions.
//
//	go run ./quickstart
//	cat quickstart.log
//	spile lint quickstart.log
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/convention"
)

func main() {
	if err := run(context.Background(), os.Stderr, "quickstart.log"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run logs some records to w, for people, and to the file at path, for programs.
func run(ctx context.Context, w io.Writer, path string) error {
	console := spile.NewConsole(spile.ConsoleOptions{Writer: w})
	file, err := spile.OpenFile(spile.FileOptions{
		BaseOptions: spile.BaseOptions{Level: slog.LevelDebug},
		Path:        path, MaxSize: 10 << 20, MaxFiles: 3, Compress: true,
	})
	if err != nil {
		return err
	}
	handler := spile.New(console, file)
	logger := slog.New(handler)

	// The console shows warnings of the database, and everything that its query builder says.
	err = errors.Join(
		console.Bind("shop::db::*", slog.LevelWarn),
		console.Bind("shop::db::Query", slog.LevelDebug),
	)
	pool := logger.With(spile.Namespace("shop::db::Pool"))
	query := logger.With(spile.Namespace("shop::db::Query"))

	pool.InfoContext(ctx, "pool_started", "size", 4)
	query.DebugContext(ctx, "query_built", "table", "orders")
	work(spile.WithMetadata(ctx, convention.User("alice")), logger, nil)
	return errors.Join(err, handler.Close(ctx))
}

// work is an operation that fails, and that panics if there is no map of orders.
func work(ctx context.Context, logger *slog.Logger, orders map[string]int) {
	defer func() {
		if e, ok := convention.Recover("import_orders", recover()); ok {
			e.Log(ctx, logger)
		}
	}()
	logger.LogAttrs(ctx, slog.LevelWarn, "orders_fetch_failed",
		convention.Reason(errors.New("connection refused")), convention.Duration(1500*time.Millisecond))
	orders["first"]++
}

// Command fiber mounts the live log of a program in a fiber application.
//
//	go run ./fiber
//	curl -N 'http://127.0.0.1:8080/logs?level=debug&scope=user:alice'
//	curl 'http://127.0.0.1:8080/hello?user=alice'
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"time"

	"github.com/gofiber/fiber/v3"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/tap"
)

// address is where the program listens.
const address = "127.0.0.1:8080"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err == nil {
		err = run(ctx, listener, spile.New(spile.NewConsole(spile.ConsoleOptions{})))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until ctx is done.
func run(ctx context.Context, listener net.Listener, handler *spile.Handler) error {
	logger := slog.New(handler)
	logs, err := tap.Handler(handler, tap.Options{Metadata: []string{"user"}})
	if err != nil {
		return err
	}
	bridge := newBridge(logs)
	app := fiber.New()
	app.Get("/logs", bridge.serve)
	app.Get("/hello", func(c fiber.Ctx) error {
		logger.DebugContext(c.Context(), "greeting_sent", "user", c.Query("user"))
		return c.SendString("hello\n")
	})

	ended := make(chan error, 1)
	go func() { ended <- app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	select {
	case err := <-ended:
		return errors.Join(err, logs.Close(ctx), bridge.close(ctx))
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(logs.Close(ctx), bridge.close(ctx), app.ShutdownWithContext(ctx))
}

// Command echo mounts the live log of a program in an echo router.
//
//	go run ./echo
//	curl -N 'http://127.0.0.1:8080/logs?level=debug&scope=user:alice'
//	curl 'http://127.0.0.1:8080/hello?user=alice'
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/labstack/echo/v4"

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
	router := echo.New()
	router.GET("/logs", echo.WrapHandler(logs))
	router.GET("/hello", func(c echo.Context) error {
		logger.DebugContext(c.Request().Context(), "greeting_sent", "user", c.QueryParam("user"))
		return c.String(http.StatusOK, "hello\n")
	})

	server := &http.Server{Handler: router, ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return errors.Join(err, logs.Close(ctx))
	case <-ctx.Done():
	}
	// The tap first: Shutdown waits for requests, and a stream is one that lasts.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return errors.Join(logs.Close(ctx), server.Shutdown(ctx))
}

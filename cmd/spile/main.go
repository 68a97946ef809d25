// Command spile is the server, the agent and the tools of a Spile fleet in one binary.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spilelog/spile/internal/cli"
)

func main() { os.Exit(run()) }

// run is main with an exit status, so that deferred calls run.
func run() int {
	// A reader that closes our output is an error of the write, so that a session is stopped and not orphaned.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	return cli.Main(ctx, os.Args[1:], cli.Surroundings{})
}

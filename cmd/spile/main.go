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
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	// A terminal that closes ends what runs in it, unless it was started to outlive it.
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	context.AfterFunc(ctx, func() {
		// A closing terminal tells twice, by itself and by its shell: that must not cut the clean end short.
		signal.Ignore(syscall.SIGHUP)
		// Any other second signal ends the process at once.
		stop()
	})
	return cli.Main(ctx, os.Args[1:], cli.Surroundings{})
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/internal/canary"
	"github.com/spilelog/spile/wire"
)

// Limits and defaults of spile canary.
const (
	canaryRate       = 10
	canaryMaxRate    = 100_000
	canaryReport     = 10 * time.Second
	canarySettle     = 15 * time.Second
	canaryTimeout    = 10 * time.Minute
	canaryMinTimeout = 4 * time.Second
)

// canaryFlags are the flags of spile canary.
type canaryFlags struct {
	connection
	agent    string
	file     string
	rate     float64
	listen   string
	report   seconds
	settle   seconds
	timeout  seconds
	duration seconds
	quiet    bool
}

// canaryLong is the help of spile canary.
const canaryLong = `Write numbered lines into a file that an agent follows, watch them through the server, and compare.

It runs until --for is over or Ctrl-C, over rotations of the file (rename it as logrotate does; the canary opens it
anew) and restarts of the agent and the server. Each --report a line of JSON with the counts goes to standard output,
everything else to standard error; --listen serves the same counts and the latencies to Prometheus at /metrics.

The exit status is 4 if a line was missing, doubled, out of order or changed and nothing announced it, or if the
numbers and accounts of a session did not add up.`

// canaryCommand is spile canary.
func (a *app) canaryCommand() *cobra.Command {
	flags := &canaryFlags{
		rate:   canaryRate,
		report: seconds(canaryReport), settle: seconds(canarySettle), timeout: seconds(canaryTimeout),
	}
	cmd := &cobra.Command{
		Use:     "canary --file FILE",
		Short:   "Check without end that no line is lost between a file and its viewer",
		Long:    canaryLong,
		Example: "  spile canary --agent web-1 --file /var/log/canary.log --rate 100 --listen 127.0.0.1:9111",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			return a.canary(cmd, flags)
		},
	}
	flags.add(cmd)
	return cmd
}

// add adds the flags to cmd.
func (c *canaryFlags) add(cmd *cobra.Command) {
	c.connection.add(cmd)
	f := cmd.Flags()
	f.StringVar(&c.agent, "agent", "", "agent that follows the file (default the only one that is online)")
	f.StringVar(&c.file, "file", "", "file to write, which the agent must follow")
	f.Var(rate{&c.rate, canaryMaxRate}, "rate", "lines a second")
	f.StringVar(&c.listen, "listen", "", "address to serve /metrics at (default none)")
	f.Var(&c.report, "report", "how often to print the counts")
	f.Var(&c.settle, "settle", "how long the last lines may take")
	f.Var(within{&c.timeout, canaryMinTimeout, wire.MaxTimeout}, "timeout",
		"length of a session, at most 1h; the next one begins at half of it")
	f.Var(&c.duration, "for", "stop after this long")
	f.BoolVarP(&c.quiet, "quiet", "q", false, "no notices but errors")
}

// check refuses what cannot work before anything is asked of the server.
func (c *canaryFlags) check() error {
	if c.file == "" {
		return usageError("for example --file /var/log/canary.log", "--file: name the file to write")
	}
	return nil
}

// canary runs a canary and judges what it found.
func (a *app) canary(cmd *cobra.Command, flags *canaryFlags) error {
	ctx := cmd.Context()
	c, err := a.client(cmd, &flags.connection)
	if err != nil {
		return err
	}
	notices := &notices{out: a.Stderr, colour: a.colours(a.Stderr), quiet: flags.quiet, zone: time.Local}
	cfg := canary.Config{
		Client: c, Agent: flags.agent, File: flags.file, Rate: flags.rate, For: time.Duration(flags.duration),
		Timeout: time.Duration(flags.timeout), Report: time.Duration(flags.report), Settle: time.Duration(flags.settle),
		Out: a.Stdout, Notice: notices.say,
	}
	if cfg.Agent == "" {
		only, err := onlyOnline(ctx, c)
		if err != nil {
			return err
		}
		cfg.Agent = only.ID
	}
	if flags.listen != "" {
		if cfg.Listener, err = listen(ctx, flags.listen); err != nil {
			return err
		}
		defer func() { _ = cfg.Listener.Close() }()
		notices.say("metrics at http://%s/metrics", cfg.Listener.Addr())
	}
	counts, err := canary.Run(ctx, cfg)
	if err != nil {
		return err
	}
	if !counts.Bad() {
		notices.say("%d lines written, %d received, %d announced as lost", counts.Written, counts.Received,
			counts.AnnouncedLost)
		return nil
	}
	return &failure{exit: wire.ExitLost, err: fmt.Errorf(
		"of %d lines %d missing, %d doubled, %d out of order, %d unexpected; %d sessions did not add up",
		counts.Written, counts.Missing, counts.Doubled, counts.OutOfOrder, counts.Unexpected, counts.VerifyFailures)}
}

// listen opens a listener for /metrics.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, usageError("name a free address such as 127.0.0.1:9111", "--listen: %w", errors.Unwrap(err))
	}
	return l, nil
}

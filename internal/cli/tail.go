package cli

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// outputBuffer is how many bytes of output are gathered while the stream does not run dry.
const outputBuffer = 64 << 10

// tailCommand is spile tail.
func (a *app) tailCommand() *cobra.Command {
	flags := &tailFlags{}
	cmd := &cobra.Command{
		Use:   "tail [AGENT...]",
		Short: "Watch logs while they are written",
		Long:  tailLong,
		Example: "  spile tail web-1 --min-level warning\n" +
			"  spile tail web-1 --source 'nginx*' --pattern 'status=5..' -n 20\n" +
			"  spile tail web-1 --pattern panic -B 5 -A 20 --since 1h\n" +
			"  spile tail web-1 -o '$time [$level] $message' --for 30s\n" +
			"  spile tail web-1 --until 'ready to serve' --fail-on panic --for 2m && deploy-next",
		ValidArgsFunction: a.completeAgents(&flags.connection),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd, &flags.connection)
			if err != nil {
				return err
			}
			return a.tail(cmd.Context(), c, flags, args)
		},
	}
	flags.add(cmd)
	// The only error is that of a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("session", a.completeSessions(&flags.connection))
	return cmd
}

// tailing is one run of spile tail.
type tailing struct {
	app     *app
	client  *client.Client
	flags   *tailFlags
	output  *output
	notices *notices
	session *wire.Session
	// own says that this run opened the session and has to stop it.
	own    bool
	out    *bufio.Writer
	line   []byte
	stream *client.Stream
	// conditions are what the run waits for; once decided, nothing more is printed and leave ends the run.
	conditions *conditions
	decided    bool
	leave      context.CancelFunc
	// verifier checks the stream for --verify, nil without it.
	verifier *client.Verifier
}

// tail opens or joins a session and prints it.
func (a *app) tail(ctx context.Context, c *client.Client, flags *tailFlags, agents []string) error {
	req, err := flags.request()
	if err != nil {
		return err
	}
	out, err := newOutput(outputOptions{
		text: flags.output, columns: flags.columns, colour: a.colours(a.Stdout), zone: time.Local,
	})
	if err != nil {
		return usageError("", "%w", err)
	}
	waits, err := newConditions(flags)
	if err != nil {
		return err
	}
	t := &tailing{
		app: a, client: c, flags: flags, output: out, conditions: waits,
		out:     bufio.NewWriterSize(a.Stdout, outputBuffer),
		notices: &notices{out: a.Stderr, colour: a.colours(a.Stderr), quiet: flags.quiet, zone: out.zone},
	}
	if flags.session != "" {
		if len(agents) > 0 {
			return usageError("", "--session and AGENT exclude each other")
		}
		err = t.join(ctx)
	} else {
		if len(flags.levels) == 1 && !strings.EqualFold(flags.levels[0], "fatal") {
			t.notices.say("--level %[1]s shows %[1]s only; --min-level %[1]s shows it and everything more severe",
				flags.levels[0])
		}
		err = t.open(ctx, req, agents)
	}
	if err != nil {
		return err
	}
	return t.run(ctx)
}

// join finds the session of --session.
func (t *tailing) join(ctx context.Context) error {
	session, err := t.client.Session(ctx, t.flags.session)
	if err != nil {
		return err
	}
	if t.output.kind == outputRaw && !session.Raw {
		return usageError("join with another -o, or open a session of your own",
			"-o raw: session %s was not opened with raw lines", session.ID)
	}
	t.session = session
	return nil
}

// open starts a session. A signal while it starts does not abandon it: it is started, known, and stopped.
func (t *tailing) open(ctx context.Context, req wire.StartRequest, agents []string) error {
	switch len(agents) {
	case 0:
		only, err := onlyOnline(ctx, t.client)
		if err != nil {
			return err
		}
		req.AgentID = only.ID
	case 1:
		req.AgentID = agents[0]
	default:
		req.Agents = agents
	}
	startCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startLimit)
	defer cancel()
	resp, err := t.client.Start(startCtx, req)
	if err != nil {
		return err
	}
	t.session, t.own = &resp.Session, true
	for _, warning := range resp.Warnings {
		t.notices.say("warning: %s", warning)
	}
	return nil
}

// startLimit is how long a server may take to start a session.
const startLimit = 15 * time.Second

// run prints the session until it ends, ctx ends, --for is over or nobody reads the output any more.
func (t *tailing) run(ctx context.Context) (err error) {
	if _, err := t.out.Write(t.output.head); err != nil {
		return err
	}
	t.output.groups = t.session.Context != (wire.Context{})
	t.output.names = map[string]string{}
	for _, agent := range t.session.Agents {
		t.output.names[agent.ID] = agent.Name
	}
	t.notices.names = t.output.names
	t.notices.opened(t.session, t.own, t.flags.outlived())
	if t.flags.duration > 0 {
		t.notices.over = time.Now().Add(time.Duration(t.flags.duration))
	}
	// Reading outlives ctx, so that the end of a stopped session, with its accounts, is still read.
	reading, stopReading := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReading()
	options := client.StreamOptions{
		AllEvents: true, OnStatus: t.notices.connection, OnFallback: t.notices.fallback,
		Transports: t.flags.transports,
	}
	if t.own {
		options.From = client.BeginStart
	}
	if t.flags.verify {
		t.verifier = &client.Verifier{Origin: t.own}
		options.Observe = t.verifier.Take
	}
	stream, err := t.client.Stream(reading, t.session.ID, options)
	if err != nil {
		t.stopAtLast(ctx)
		return err
	}
	defer func() { err = errors.Join(err, stream.Close()) }()
	t.stream = stream
	following, done := context.WithCancel(reading)
	defer done()
	var watcher sync.WaitGroup
	ctx, t.leave = context.WithCancel(ctx)
	defer t.leave()
	watcher.Go(func() { t.watch(ctx, following, stopReading) })
	watcher.Go(func() {
		if hangup(following, t.app.Stdout) {
			t.leave()
		}
	})
	err = t.follow(reading)
	stopped := reading.Err() != nil
	done()
	watcher.Wait()
	switch {
	case err == nil:
		return t.judge(true)
	case stopped && errors.Is(err, context.Canceled):
		t.notices.left()
		return t.judge(t.own)
	}
	// Nothing more is read; a server that writes to us would wait in vain.
	err = errors.Join(err, stream.Close())
	t.stopAtLast(ctx)
	if readerGone(err) {
		return nil
	}
	// Why the stream broke says more than that it is not whole.
	_ = t.verdict(false)
	return lost(err)
}

// watch waits for a reason to end, stops the session if it is ours, and lets its end be read for a moment. It returns
// when following ends, which says that the end was read.
func (t *tailing) watch(ctx, following context.Context, stopReading context.CancelFunc) {
	var over <-chan time.Time
	if t.flags.duration > 0 {
		timer := time.NewTimer(time.Duration(t.flags.duration))
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-following.Done():
		return
	case <-ctx.Done():
	case <-over:
	}
	defer stopReading()
	if !t.own {
		return
	}
	limited, cancel := context.WithTimeout(following, afterStop)
	defer cancel()
	t.stop(limited)
	<-limited.Done()
}

// stopAtLast stops our session although ctx may have ended.
func (t *tailing) stopAtLast(ctx context.Context) {
	if !t.own {
		return
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterStop)
	defer cancel()
	t.stop(limited)
}

// stop ends our session at the server. That ctx is cancelled means that it has ended meanwhile.
func (t *tailing) stop(ctx context.Context) {
	if _, err := t.client.Stop(ctx, t.session.ID); err != nil && !errors.Is(err, context.Canceled) {
		t.notices.urgent("session %s could not be stopped and ends by itself at %s: %v", t.session.ID,
			t.session.ExpiresAt.In(t.output.zone).Format(time.TimeOnly), err)
	}
}

// follow prints frames until the session ends (nil), ctx ends, or reading or writing fails.
func (t *tailing) follow(ctx context.Context) error {
	for {
		if t.stream.Dry() {
			if err := t.out.Flush(); err != nil {
				return err
			}
		}
		frame, err := t.stream.Next(ctx)
		if errors.Is(err, io.EOF) {
			return t.out.Flush()
		}
		if err != nil {
			return errors.Join(err, t.out.Flush())
		}
		if err := t.print(frame); err != nil {
			return err
		}
		if frame.Log != nil {
			continue
		}
		// A notice about a place in the log stands at that place where both go to one terminal.
		if t.notices.wants(frame.Control) {
			if err := t.out.Flush(); err != nil {
				return err
			}
			t.notices.control(frame.Control)
		}
	}
}

// print prints what the output shows of a frame. After the line that decides the run there is nothing more to print.
func (t *tailing) print(frame client.Frame) error {
	if t.decided && frame.Log != nil {
		return nil
	}
	t.line = t.output.append(t.line[:0], frame)
	if _, err := t.out.Write(t.line); err != nil {
		return err
	}
	if frame.Log == nil {
		return nil
	}
	t.notices.lines++
	if t.decided = t.conditions.take(frame.Log); t.decided {
		t.leave()
		return t.out.Flush()
	}
	return nil
}

// judge is the error of a run that was not ended by one: that of a line that must not come, that of a stream that is
// not whole, or that of what did not come, the surest first. Final says that the session's end has to have come.
func (t *tailing) judge(final bool) error {
	whole := t.verdict(final)
	met := t.conditions.verdict()
	if whole == nil || t.conditions.failed {
		return met
	}
	return whole
}

// lost is the error of a stream that ended otherwise than by session_ended.
func lost(err error) error {
	refused := (*wire.Error)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Code {
	case wire.CodeSessionEnded, wire.CodeNotFound:
		return &failure{exit: wire.ExitLost, err: errors.New(
			"the session ended while the connection was lost; the last lines may be missing")}
	}
	return err
}

// Package canary writes numbered lines into a file that an agent follows, watches them through the server, and
// compares: what is missing, doubled or out of order, and how long lines take. It runs on beside a fleet, over
// rotations of its file and restarts of the agent and the server.
package canary

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/internal/backoff"
)

const (
	// settlePoll is how often it is looked at whether they have come.
	settlePoll = 20 * time.Millisecond
	// renewRetry is how long a renewal that failed waits.
	renewRetry = 5 * time.Second
	// minWait and maxWait bound the waits between attempts to open a session.
	minWait = 200 * time.Millisecond
	maxWait = 5 * time.Second
)

// Config is what a canary needs; all but For and Listener are required.
type Config struct {
	Client *client.Client
	// Agent is the name or id of the agent that follows File.
	Agent string
	File  string
	// Rate is how many lines a second are written.
	Rate float64
	// For is how long to write; 0 until the context ends.
	For time.Duration
	// Timeout is the length of one session; it is renewed at half of it.
	Timeout time.Duration
	// Settle is how long the last lines may take.
	Settle time.Duration
	// Report is how often a line with the counts goes to Out.
	Report time.Duration
	Out    io.Writer
	// Listener, when not nil, serves /metrics.
	Listener net.Listener
	// Notice tells people what happens. It is called from several goroutines.
	Notice func(format string, args ...any)
}

// Report is one line of output.
type Report struct {
	Time      time.Time `json:"time"`
	Run       string    `json:"run"`
	SessionID string    `json:"session_id"`
	// Final marks the last report.
	Final bool `json:"final"`
	Counts
	LatencyMS Latency `json:"latency_ms"`
}

// canary is one run.
type canary struct {
	cfg     Config
	run     string
	began   time.Time
	tally   *tally
	latency prometheus.Histogram
	backoff backoff.Backoff

	// mu guards session and over: the session that is read, and that nothing takes its place when it ends.
	mu      sync.Mutex
	session string
	over    bool
}

// Run writes, watches and compares until cfg.For is over or ctx ends; then it waits for the last lines. It returns the
// final counts, and an error only if it could not do its work.
func Run(ctx context.Context, cfg Config) (Counts, error) {
	id := make([]byte, runBytes)
	// crypto/rand never fails.
	_, _ = rand.Read(id)
	c := &canary{
		cfg: cfg, run: hex.EncodeToString(id), began: time.Now(), tally: newTally(), latency: newLatency(),
		backoff: backoff.Backoff{Min: minWait, Max: maxWait},
	}
	w := &writer{path: cfg.File, run: c.run, rate: cfg.Rate, tally: c.tally, notice: cfg.Notice}
	// The file is there before the session, whose history it would else be.
	if err := w.follow(); err != nil {
		return Counts{}, err
	}
	first, err := c.open(ctx, time.Time{})
	if err != nil {
		w.close()
		return Counts{}, err
	}
	c.use(first)
	cfg.Notice("run %s: %g lines a second into %s, session %s", c.run, cfg.Rate, cfg.File, first.id)
	err = c.work(ctx, w, first)
	c.tally.close()
	counts := c.tally.snapshot()
	return counts, errors.Join(err, c.report(true))
}

// work runs the parts until the last lines have come or had their time.
func (c *canary) work(ctx context.Context, w *writer, first *watch) error {
	// Reading outlives ctx, so that the last lines and the end of the session are still read.
	reading, stopReading := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReading()
	group, reading := errgroup.WithContext(reading)
	beside, stopBeside := context.WithCancel(reading)
	defer stopBeside()
	group.Go(func() error {
		defer stopBeside()
		return c.read(reading, first)
	})
	group.Go(func() error {
		defer stopReading()
		return c.write(ctx, beside, w)
	})
	group.Go(func() error { return c.reports(beside) })
	if c.cfg.Listener != nil {
		group.Go(func() error { return c.serve(beside) })
	}
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// write writes until it is time to end, waits for what is under way, and ends the session. It returns when that was
// read, or had its time.
func (c *canary) write(ctx, reading context.Context, w *writer) error {
	writing, stop := context.WithCancel(reading)
	defer stop()
	if c.cfg.For > 0 {
		writing, stop = context.WithTimeout(writing, c.cfg.For)
		defer stop()
	}
	defer context.AfterFunc(ctx, stop)()
	if err := w.work(writing); err != nil {
		return err
	}
	settled, cancel := context.WithTimeout(reading, c.cfg.Settle)
	defer cancel()
	for !c.tally.reached(c.tally.written()) && pause(settled, settlePoll) == nil {
	}
	c.mu.Lock()
	c.over = true
	session := c.session
	c.mu.Unlock()
	stopping, cancel := context.WithTimeout(reading, stopLimit)
	defer cancel()
	if _, err := c.cfg.Client.Stop(stopping, session); err != nil && reading.Err() == nil {
		c.cfg.Notice("session %s could not be stopped and ends by itself: %v", session, err)
		return nil
	}
	<-stopping.Done()
	return nil
}

// use makes w the session that is read.
func (c *canary) use(w *watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = w.id
}

// ending says whether nothing takes the place of a session that ends.
func (c *canary) ending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.over
}

// read reads sessions, one after the other, until the last one has ended.
func (c *canary) read(ctx context.Context, w *watch) error {
	for w != nil {
		next, err := c.readOne(ctx, w)
		if err != nil {
			return err
		}
		w = next
	}
	return nil
}

// readOne reads a session to its end, and returns the one to read next, nil when it was the last.
func (c *canary) readOne(ctx context.Context, w *watch) (next *watch, err error) {
	for _, frame := range w.held {
		c.take(w, frame)
	}
	w.held = nil
	// upTo is the last line that was written when next was open; from it on next has every line.
	var upTo uint64
	for {
		frame, err := w.stream.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			c.judge(w, true)
			return c.after(ctx, w, next)
		case err != nil && gone(ctx, err):
			c.judge(w, false)
			return nil, err
		case err != nil:
			c.cfg.Notice("session %s is lost: %v", w.id, err)
			c.judge(w, false)
			return c.after(ctx, w, next)
		}
		c.take(w, frame)
		if next == nil && time.Now().After(w.renewAt) && !c.ending() {
			next, upTo = c.renew(ctx, w)
		}
		if next != nil && !w.draining && c.tally.reached(upTo) {
			w.draining = true
			stopping, cancel := context.WithTimeout(ctx, stopLimit)
			_, err := c.cfg.Client.Stop(stopping, w.id)
			cancel()
			if err != nil {
				c.cfg.Notice("session %s could not be stopped and ends by itself: %v", w.id, err)
				c.judge(w, false)
				return c.after(ctx, w, next)
			}
		}
	}
}

// renew opens the session that takes the place of w, while w goes on.
func (c *canary) renew(ctx context.Context, w *watch) (next *watch, upTo uint64) {
	next, err := c.open(ctx, time.Time{})
	if err != nil {
		c.cfg.Notice("renewing session %s failed: %v", w.id, err)
		w.renewAt = time.Now().Add(renewRetry)
		return nil, 0
	}
	return next, c.tally.written()
}

// after is the session to read after w: next, if w was read up to where next begins, else a new one with history. It is
// nil when w was the last.
func (c *canary) after(ctx context.Context, w, next *watch) (*watch, error) {
	_ = w.stream.Close()
	if next != nil && !w.draining {
		c.drop(next)
		next = nil
	}
	if next == nil && !c.ending() {
		var err error
		if next, err = c.reopen(ctx, w); err != nil {
			return nil, err
		}
	}
	if next == nil {
		return nil, nil
	}
	if c.ending() {
		c.drop(next)
		return nil, nil
	}
	c.tally.anew()
	c.use(next)
	return next, nil
}

// reports tells the counts from time to time.
func (c *canary) reports(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Report)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := c.report(false); err != nil {
				return err
			}
		}
	}
}

// report writes one report.
func (c *canary) report(final bool) error {
	c.mu.Lock()
	session := c.session
	c.mu.Unlock()
	line, err := json.Marshal(Report{
		Time: time.Now().UTC(), Run: c.run, SessionID: session, Final: final, Counts: c.tally.snapshot(),
		LatencyMS: c.tally.latency(),
	})
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if _, err := c.cfg.Out.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

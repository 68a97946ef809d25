package canary

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

const (
	// openLimit is how long a session may take from the call to the agent's word that it streams.
	openLimit = 15 * time.Second
	// stopLimit is how long the end of a session may take.
	stopLimit = wire.EndGrace + 4*time.Second
	// sinceMargin is how far before the newest line the history of a new session begins.
	sinceMargin = 2 * time.Second
)

// watch is one session that is read.
type watch struct {
	id       string
	stream   *client.Stream
	verifier *client.Verifier
	renewAt  time.Time
	// held are frames that came before the session was taken over.
	held []client.Frame
	// draining says that another session covers what comes from here on.
	draining bool
}

// open starts a session, with history since a time unless that is zero, and waits until the agent streams.
func (c *canary) open(ctx context.Context, since time.Time) (*watch, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	seconds := int(c.cfg.Timeout / time.Second)
	req := wire.StartRequest{
		AgentID: c.cfg.Agent, Mode: wire.ModeComplete, Raw: true, TimeoutSeconds: &seconds, Reason: "canary",
		Filters: wire.Filters{Pattern: lineHead(c.run)},
	}
	if !since.IsZero() {
		req.Since = since.UTC().Format(time.RFC3339Nano)
	}
	resp, err := c.cfg.Client.Start(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("start session: %w", err)
	}
	w := &watch{
		id: resp.SessionID, verifier: &client.Verifier{Origin: true}, renewAt: time.Now().Add(c.cfg.Timeout / 2),
	}
	w.stream, err = c.cfg.Client.Stream(ctx, w.id, client.StreamOptions{
		AllEvents: true, MaxOffline: c.cfg.Timeout, Observe: w.verifier.Take, OnStatus: c.connection,
	})
	for streaming := false; err == nil && !streaming; {
		var frame client.Frame
		if frame, err = w.stream.Next(ctx); err == nil {
			streaming = frame.Control != nil && frame.Control.Status == wire.StreamStreaming
			w.held = append(w.held, frame)
		}
	}
	if err != nil {
		c.drop(w)
		return nil, fmt.Errorf("watch session %s: %w", w.id, err)
	}
	c.tally.count(func(n *Counts) { n.Sessions++ })
	return w, nil
}

// drop gives a session up.
func (c *canary) drop(w *watch) {
	if w.stream != nil {
		_ = w.stream.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	// What cannot be stopped now ends by itself.
	_, _ = c.cfg.Client.Stop(ctx, w.id)
}

// reopen opens a session in the place of one that was lost, and tries until that works or ctx ends.
func (c *canary) reopen(ctx context.Context, lost *watch) (*watch, error) {
	c.drop(lost)
	c.tally.count(func(n *Counts) { n.SessionsRestarted++ })
	for {
		since := c.tally.anew()
		if since.IsZero() {
			since = c.began
		}
		w, err := c.open(ctx, since.Add(-sinceMargin))
		if err == nil {
			return w, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c.cfg.Notice("%v", err)
		if err := pause(ctx, c.backoff.Next()); err != nil {
			return nil, err
		}
	}
}

// judge notes what the verifier found of a session that is over. Whole says that it was read to its end.
func (c *canary) judge(w *watch, whole bool) {
	v := w.verifier.Verdict()
	problems := v.Problems
	for i := range v.Agents {
		problems = append(problems, v.Agents[i].Problems...)
	}
	if whole && !v.Ended {
		problems = append(problems, "the end was not told")
	}
	if len(problems) == 0 {
		return
	}
	c.tally.count(func(n *Counts) { n.VerifyFailures++ })
	for _, problem := range problems {
		c.cfg.Notice("session %s: %s", w.id, problem)
	}
}

// take compares one frame.
func (c *canary) take(w *watch, f client.Frame) {
	if f.Log != nil {
		text := f.Log.Message
		if f.Log.Raw != nil {
			text = *f.Log.Raw
		}
		n, at, ok := parseLine(text, c.run)
		if !ok {
			c.tally.count(func(n *Counts) { n.Unexpected++ })
			return
		}
		now := time.Now()
		if c.tally.line(n, at, now) {
			c.latency.Observe(now.Sub(at).Seconds())
		}
		return
	}
	// What a session does not send because it was told to end comes with the one that takes its place.
	if gap := f.Control; gap.Event == wire.EventGap && !w.draining {
		lines := gap.Count
		if gap.Unit == wire.UnitBytes {
			// The range may begin and end within a line.
			lines = gap.Count/uint64(lineBytes) + 2
		}
		c.tally.announced(lines, gap.AtLeast)
		c.cfg.Notice("gap: %d %s (%s)", gap.Count, gap.Unit, gap.Reason)
	}
}

// connection tells that a connection was lost, and that it is back.
func (c *canary) connection(s client.ConnStatus) {
	switch {
	case s.Connected:
		c.cfg.Notice("connection is back")
	case s.Attempt == 0:
		c.cfg.Notice("connection lost, trying to return: %v", s.Err)
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gone says that a stream ended because ctx did.
func gone(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded))
}

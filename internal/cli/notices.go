package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// notices tells on standard error what happens to a session.
type notices struct {
	zone   *time.Location
	colour bool
	quiet  bool
	names  map[string]string
	// over is when --for is over, zero without it. Of a lease that ends later nothing is told: it is stopped before.
	over time.Time
	// lines counts the printed log frames, gapped the events that gaps announced, gappedBytes their bytes.
	lines, gapped, gappedBytes uint64

	// mu guards out: the stream and the watcher both have something to tell.
	mu  sync.Mutex
	out io.Writer
}

// say tells something that --quiet leaves out.
func (n *notices) say(format string, args ...any) {
	if !n.quiet {
		n.urgent(format, args...)
	}
}

// urgent tells something in any case.
func (n *notices) urgent(format string, args ...any) {
	line := append([]byte("-- "), neutral(fmt.Sprintf(format, args...))...)
	if n.colour {
		line = append(append([]byte(styleDim), line...), styleReset...)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	// Nobody is left to tell that a notice could not be told.
	_, _ = n.out.Write(append(line, '\n'))
}

// opened tells which session is printed. A length that is not 0 is that of --for, where the lease is longer.
func (n *notices) opened(s *wire.Session, own bool, length time.Duration) {
	verb := "joined"
	if own {
		verb = "started"
	}
	names := make([]string, len(s.Agents))
	for i, agent := range s.Agents {
		names[i] = agent.Name
	}
	end := "ends at " + n.clock(s.ExpiresAt)
	if length > 0 {
		end = "for " + short(length)
	}
	n.say("session %s %s on %s, %s", s.ID, verb, strings.Join(names, ", "), end)
}

// clock is a time of day for people.
func (n *notices) clock(t wire.Time) string { return t.In(n.zone).Format(time.TimeOnly) }

// agent is an agent's name, or its id.
func (n *notices) agent(id string) string {
	if name := n.names[id]; name != "" {
		return name
	}
	return id
}

// wants says whether a control frame is told.
func (n *notices) wants(c *wire.Control) bool {
	switch c.Event {
	case wire.EventGap, wire.EventError, wire.EventSessionEnded:
		return true
	case wire.EventSessionEnding, wire.EventSessionExtended, wire.EventAgentStatus:
		return !n.quiet
	}
	return false
}

// control tells a control frame.
func (n *notices) control(c *wire.Control) {
	switch c.Event {
	case wire.EventGap:
		n.gap(c)
	case wire.EventError:
		n.urgent("error: %s", c.Message)
	case wire.EventSessionEnding:
		if c.SecondsRemaining != nil && n.endsFirst(time.Duration(*c.SecondsRemaining)*time.Second) {
			n.say("session ends in %d s (%s)", *c.SecondsRemaining, c.Reason)
		}
	case wire.EventSessionExtended:
		if c.ExpiresAt != nil {
			n.say("session extended, ends at %s", n.clock(*c.ExpiresAt))
		}
	case wire.EventAgentStatus:
		if c.Problem != "" {
			n.urgent("agent %s: %s", n.agent(c.Agent), c.Problem)
		}
		switch c.Status {
		case wire.StreamUnreachable, wire.StreamLagging:
			n.urgent("agent %s is %s", n.agent(c.Agent), c.Status)
		case wire.StreamEnded:
			n.say("agent %s has ended the session", n.agent(c.Agent))
		default:
			n.say("agent %s is %s", n.agent(c.Agent), c.Status)
		}
	case wire.EventSessionEnded:
		n.end(c)
	}
}

// endsFirst says whether a lease that has left to go ends before --for is over.
func (n *notices) endsFirst(left time.Duration) bool {
	return n.over.IsZero() || left < time.Until(n.over)
}

// gap tells counted loss.
func (n *notices) gap(c *wire.Control) {
	count := fmt.Sprint(c.Count)
	switch {
	case c.AtLeast && c.Count == 0:
		count = "an unknown number of"
	case c.AtLeast:
		count = "at least " + count
	}
	if c.Unit == wire.UnitBytes {
		n.gappedBytes += c.Count
		n.urgent("gap: %s bytes of %s on %s (%s)", count, c.File, n.agent(c.Agent), c.Reason)
		return
	}
	n.gapped += c.Count
	n.urgent("gap: %s events from %s (%s)", count, n.agent(c.Agent), c.Reason)
}

// end tells the end of the session with its totals.
func (n *notices) end(c *wire.Control) {
	n.say("session ended (%s): %s", c.Reason, n.totals())
	if c.Accounts == nil {
		return
	}
	for _, id := range sortedKeys(c.Accounts.Agents) {
		acc := c.Accounts.Agents[id]
		n.say("%s: seen %d, filtered %d, sent %d%s", n.agent(id), acc.Seen, acc.Filtered, acc.Sent, losses(acc))
	}
}

// left tells that the session goes on without us, or was stopped without an answer.
func (n *notices) left() { n.say("left the session: %s", n.totals()) }

// totals are what this run has printed and missed.
func (n *notices) totals() string {
	text := fmt.Sprintf("%d lines shown, %d in gaps", n.lines, n.gapped)
	if n.gappedBytes > 0 {
		text += fmt.Sprintf(", %d bytes in gaps", n.gappedBytes)
	}
	return text
}

// losses lists the terms of an account that are not zero beside the usual ones.
func losses(acc wire.AgentAccounts) string {
	var b strings.Builder
	for _, reason := range sortedKeys(acc.Dropped) {
		if acc.Dropped[reason] > 0 {
			fmt.Fprintf(&b, ", dropped %d (%s)", acc.Dropped[reason], reason)
		}
	}
	for _, reason := range sortedKeys(acc.LostBytes) {
		if acc.LostBytes[reason] > 0 {
			fmt.Fprintf(&b, ", %d bytes lost (%s)", acc.LostBytes[reason], reason)
		}
	}
	if acc.Pending > 0 {
		fmt.Fprintf(&b, ", pending %d", acc.Pending)
	}
	if acc.TruncatedLines > 0 {
		fmt.Fprintf(&b, ", %d lines cut", acc.TruncatedLines)
	}
	return b.String()
}

// sortedKeys are the keys of m in order.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// connection tells that the server was lost, and that it is back.
func (n *notices) connection(s client.ConnStatus) {
	switch {
	case s.Connected:
		n.urgent("connection is back")
	case s.Attempt == 0:
		n.urgent("connection lost, trying to return: %v", s.Err)
	}
}

package client

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spilelog/spile/wire"
)

const (
	// maxProblems bounds the sentences that are kept of one agent; all are counted.
	maxProblems = 8
	// maxHoles bounds the holes that are remembered of one agent, to tell what comes late from what comes twice.
	maxHoles = 256
)

// Verifier checks from a stream alone that it is whole: that each agent's numbers come without a hole that no gap
// announces, none twice and in order; that both equations close in every account that is told; and that what the
// server says it delivered and announced is what came. It needs every frame of a stream with all events, those of
// each connection in their order, and what a return repeats as well: see [StreamOptions.Observe]. The zero value is
// ready. It is not safe for concurrent use.
type Verifier struct {
	// Origin says that the stream is that of the session's first viewer, who is told of everything: lost bytes are then
	// held against the agents' accounts to the byte, not only as a bound.
	Origin bool

	agents      map[string]*agentCheck
	connections int
	ended       bool
	problems    problems
}

// Verdict is what a [Verifier] found.
type Verdict struct {
	// Agents has one for each agent that was heard of, in the order of their ids.
	Agents []AgentVerdict
	// Ended says that session_ended came, so that the accounts are final.
	Ended bool
	// Problems are the first of what is wrong with the stream as such.
	Problems []string
}

// AgentVerdict is what a [Verifier] found out about one agent.
type AgentVerdict struct {
	// Agent is the agent's id.
	Agent string
	// Received counts the events that came, Gapped those that gaps announced, over all connections.
	Received, Gapped uint64
	// LostBytes counts the bytes that gaps announced; AtLeast says that there may have been more.
	LostBytes uint64
	AtLeast   bool
	// Missing counts the numbers that neither came nor were announced, Doubled and OutOfOrder those that came once
	// more or after a later one.
	Missing, Doubled, OutOfOrder uint64
	// Accounts is the agent's own account as it was told last.
	Accounts wire.AgentAccounts
	// Problems are the first of what is wrong, as sentences.
	Problems []string
}

// Closes says whether nothing is wrong as far as the stream went.
func (v *Verdict) Closes() bool {
	for i := range v.Agents {
		if len(v.Agents[i].Problems) > 0 {
			return false
		}
	}
	return len(v.Problems) == 0
}

// problems are the first sentences about what is wrong.
type problems struct{ list []string }

// add adds a sentence while there are few.
func (p *problems) add(format string, args ...any) {
	if len(p.list) < maxProblems {
		p.list = append(p.list, fmt.Sprintf(format, args...))
	}
}

// Take checks the next frame.
func (v *Verifier) Take(f Frame) {
	if v.ended {
		v.problems.add("a frame came after session_ended")
	}
	if f.Log != nil {
		a := v.agent(f.Log.Agent)
		a.Received++
		a.delivered++
		a.numbers(f.Log.Epoch, f.Log.Seq, f.Log.Seq)
		return
	}
	switch c := f.Control; c.Event {
	case wire.EventSessionStarted:
		v.started(c)
	case wire.EventGap:
		v.agent(c.Agent).gap(c, v.connections)
	case wire.EventAgentStatus:
		v.agent(c.Agent).over = c.Status == wire.StreamEnded
	case wire.EventStats:
		v.accounts(c)
	case wire.EventSessionEnded:
		v.accounts(c)
		v.finish()
	}
}

// Verdict is what was found so far.
func (v *Verifier) Verdict() Verdict {
	out := Verdict{Ended: v.ended, Problems: slices.Clone(v.problems.list)}
	for _, id := range slices.Sorted(maps.Keys(v.agents)) {
		a := v.agents[id]
		one := a.AgentVerdict
		one.Agent, one.Problems = id, slices.Clone(a.problems.list)
		out.Agents = append(out.Agents, one)
	}
	return out
}

// agent is the check of one agent.
func (v *Verifier) agent(id string) *agentCheck {
	a := v.agents[id]
	if a == nil {
		if v.agents == nil {
			v.agents = map[string]*agentCheck{}
		}
		a = &agentCheck{lost: map[string]uint64{}}
		v.agents[id] = a
	}
	return a
}

// started begins a connection: its accounts count from here, and new agents begin where it says.
func (v *Verifier) started(c *wire.Control) {
	v.connections++
	for _, a := range v.agents {
		a.delivered, a.gapped = 0, 0
	}
	at, err := wire.ParseCursor(c.Cursor)
	if err != nil {
		v.problems.add("session_started has no cursor that can be read: %v", err)
		return
	}
	for _, p := range at {
		id := wire.FormatUUID(p.Agent)
		next, told := c.NextSeq[id]
		if a := v.agent(id); told && a.epoch == 0 && p.Epoch != 0 {
			a.epoch, a.next, a.whole = p.Epoch, next, next == 1 && v.connections == 1
		}
	}
}

// accounts holds what the accounts say against what came on this connection.
func (v *Verifier) accounts(c *wire.Control) {
	if c.Accounts == nil {
		v.problems.add("%s has no accounts", c.Event)
		return
	}
	for id, account := range c.Accounts.Agents {
		a := v.agent(id)
		a.Accounts = account
		if !account.Closes() {
			a.problems.add("the agent's account does not close: %+v", account)
		}
	}
	for id, a := range v.agents {
		account, told := c.Accounts.Viewer[id]
		switch {
		case !told && (a.delivered > 0 || a.gapped > 0 || c.Event == wire.EventSessionEnded):
			a.problems.add("%s has no account of this viewer for the agent", c.Event)
		case !account.Closes():
			a.problems.add("the viewer's account does not close: %+v", account)
		case account.Delivered != a.delivered:
			a.problems.add("%d events came, the server delivered %d", a.delivered, account.Delivered)
		case account.Gapped != a.gapped:
			a.problems.add("gaps announced %d events, the server counts %d", a.gapped, account.Gapped)
		case c.Event == wire.EventSessionEnded && account.InFlight != 0:
			a.problems.add("%d events are in flight at the end", account.InFlight)
		}
	}
}

// finish checks what holds only at the end of a session.
func (v *Verifier) finish() {
	v.ended = true
	if v.connections == 0 {
		v.problems.add("the stream did not begin with session_started")
	}
	for _, a := range v.agents {
		a.finish(v.connections == 1, v.Origin)
	}
}

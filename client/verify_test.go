package client_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// otherID is a second agent.
const otherID = "0190163d-8694-739b-aea5-966c26f8ad92"

// teller makes a legal stream as a server does: it numbers, accounts and returns.
type teller struct {
	frames []client.Frame
	agents []*told
}

// told is what a teller keeps of one agent.
type told struct {
	id                string
	uuid              [16]byte
	epoch, next       uint64
	delivered, gapped uint64 // on this connection
	account           wire.AgentAccounts
}

// newTeller begins a stream of two agents.
func newTeller(t *rapid.T) *teller {
	s := &teller{}
	for _, id := range []string{agentID, otherID} {
		uuid, err := wire.ParseUUID(id)
		if err != nil {
			t.Fatalf("%v", err)
		}
		s.agents = append(s.agents, &told{id: id, uuid: uuid, epoch: 1, next: 1, account: wire.AgentAccounts{
			Dropped: map[string]uint64{}, LostBytes: map[string]uint64{},
		}})
	}
	s.connect()
	return s
}

// say appends a control frame.
func (s *teller) say(c wire.Control) {
	c.Type = "control"
	s.frames = append(s.frames, client.Frame{Control: &c})
}

// connect begins a connection.
func (s *teller) connect() {
	next := map[string]uint64{}
	var at wire.Cursor
	for _, a := range s.agents {
		next[a.id] = a.next
		at = append(at, wire.Position{Agent: a.uuid, Epoch: a.epoch, Seq: a.next - 1})
		a.delivered, a.gapped = 0, 0
	}
	s.say(wire.Control{Event: wire.EventSessionStarted, NextSeq: next, Cursor: at.String()})
}

// events delivers n events of an agent.
func (s *teller) events(a *told, n int) {
	for range n {
		s.frames = append(s.frames, client.Frame{Log: &wire.Log{Type: "log", Agent: a.id, Epoch: a.epoch, Seq: a.next}})
		a.next++
		a.delivered++
		a.account.Seen += 2
		a.account.Filtered++
		a.account.Sent++
	}
}

// gap announces n events.
func (s *teller) gap(a *told, n uint64) {
	s.say(wire.Control{
		Event: wire.EventGap, Agent: a.id, Epoch: a.epoch, From: a.next, To: a.next + n - 1, Count: n,
		Unit: wire.UnitEvents, Reason: wire.ReasonBufferOverrun, Stage: wire.StageQueue,
	})
	a.next += n
	a.gapped += n
	a.account.Seen += n
	a.account.Dropped[wire.ReasonBufferOverrun] += n
}

// lose announces n bytes.
func (s *teller) lose(a *told, n uint64) {
	s.say(wire.Control{
		Event: wire.EventGap, Agent: a.id, Epoch: a.epoch, Count: n, Unit: wire.UnitBytes, File: "/var/log/a",
		Reason: wire.ReasonTruncated,
	})
	a.account.LostBytes[wire.ReasonTruncated] += n
}

// restart loses the agent's journal.
func (s *teller) restart(a *told) {
	s.say(wire.Control{
		Event: wire.EventGap, Agent: a.id, Epoch: a.epoch, Unit: wire.UnitEvents, AtLeast: true,
		Reason: wire.ReasonJournalLost,
	})
	a.epoch++
	a.next = 1
	// An epoch without an event cannot be told from none.
	s.events(a, 1)
}

// account tells the accounts.
func (s *teller) account(event wire.Event) {
	accounts := wire.Accounts{Agents: map[string]wire.AgentAccounts{}, Viewer: map[string]wire.ViewerAccounts{}}
	for _, a := range s.agents {
		account := a.account
		account.Dropped, account.LostBytes = maps.Clone(account.Dropped), maps.Clone(account.LostBytes)
		accounts.Agents[a.id] = account
		accounts.Viewer[a.id] = wire.ViewerAccounts{
			Offered: a.delivered + a.gapped, Delivered: a.delivered, Gapped: a.gapped,
		}
	}
	s.say(wire.Control{Event: event, Accounts: &accounts})
}

// end closes both agents and the session.
func (s *teller) end() {
	for _, a := range s.agents {
		s.say(wire.Control{Event: wire.EventAgentStatus, Agent: a.id, Status: wire.StreamEnded})
	}
	s.account(wire.EventSessionEnded)
}

// legal draws a stream; steady ones have one connection and lose no journal.
func legal(t *rapid.T, steady bool) *teller {
	s := newTeller(t)
	agent := func(t *rapid.T) *told { return s.agents[rapid.IntRange(0, 1).Draw(t, "agent")] }
	actions := map[string]func(*rapid.T){
		"events": func(t *rapid.T) { s.events(agent(t), rapid.IntRange(1, 5).Draw(t, "n")) },
		"gap":    func(t *rapid.T) { s.gap(agent(t), rapid.Uint64Range(1, 9).Draw(t, "n")) },
		"lose":   func(t *rapid.T) { s.lose(agent(t), rapid.Uint64Range(1, 9).Draw(t, "n")) },
		"stats":  func(*rapid.T) { s.account(wire.EventStats) },
		"beat":   func(*rapid.T) { s.say(wire.Control{Event: wire.EventHeartbeat}) },
		"":       func(*rapid.T) {},
	}
	if !steady {
		actions["return"] = func(*rapid.T) { s.connect() }
		actions["restart"] = func(t *rapid.T) { s.restart(agent(t)) }
	}
	t.Repeat(actions)
	s.end()
	return s
}

// verdictOf is what a verifier finds of frames.
func verdictOf(frames []client.Frame) client.Verdict {
	v := &client.Verifier{Origin: true}
	for _, f := range frames {
		v.Take(f)
	}
	return v.Verdict()
}

// TestLegalStreamCloses has no false alarm, and counts right.
func TestLegalStreamCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := legal(t, rapid.Bool().Draw(t, "steady"))
		got := verdictOf(s.frames)
		if !got.Closes() || !got.Ended || len(got.Agents) != len(s.agents) {
			t.Fatalf("found %+v", got)
		}
		for i, a := range s.agents {
			var events, gapped uint64
			for _, f := range s.frames {
				if f.Log != nil && f.Log.Agent == a.id {
					events++
				}
				if c := f.Control; c != nil && c.Agent == a.id && c.Unit == wire.UnitEvents {
					gapped += c.Count
				}
			}
			if one := got.Agents[i]; one.Received != events || one.Gapped != gapped ||
				one.LostBytes != a.account.LostBytes[wire.ReasonTruncated] {
				t.Fatalf("counted %+v, want %d events, %d in gaps", one, events, gapped)
			}
		}
	})
}

// counted says whether a frame counts: whether anything is lost with it.
func counted(f client.Frame) bool {
	return f.Log != nil || f.Control.Event == wire.EventGap || f.Control.Event == wire.EventSessionEnded
}

// TestAnyMutatedFrameIsFound changes one frame of a legal stream.
func TestAnyMutatedFrameIsFound(t *testing.T) {
	for name, mutate := range map[string]func(*rapid.T, []client.Frame, int) []client.Frame{
		"dropped": func(_ *rapid.T, frames []client.Frame, i int) []client.Frame { return slices.Delete(frames, i, i+1) },
		"doubled": func(_ *rapid.T, frames []client.Frame, i int) []client.Frame {
			return slices.Insert(frames, i, frames[i])
		},
		"swapped":      swapped,
		"gap-count":    func(t *rapid.T, frames []client.Frame, i int) []client.Frame { return gapChanged(t, frames, i) },
		"gap-stage":    stageChanged,
		"gap-forged":   forged,
		"other-number": otherNumber,
		"account":      accountChanged,
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := legal(t, true)
				var at []int
				for i, f := range s.frames {
					if counted(f) {
						at = append(at, i)
					}
				}
				frames := mutate(t, slices.Clone(s.frames), rapid.SampledFrom(at).Draw(t, "at"))
				if frames == nil {
					t.Skip("nothing to change here")
				}
				if got := verdictOf(frames); got.Closes() && got.Ended {
					t.Fatalf("found nothing in %s", streamText(frames))
				}
			})
		})
	}
}

// swapped exchanges a numbered frame with the next one of the same agent, or with an account that counts it.
func swapped(_ *rapid.T, frames []client.Frame, i int) []client.Frame {
	agent := func(f client.Frame) string {
		switch {
		case f.Log != nil:
			return f.Log.Agent
		case f.Control.Event == wire.EventGap && f.Control.Unit == wire.UnitEvents:
			return f.Control.Agent
		}
		return ""
	}
	id := agent(frames[i])
	if id == "" {
		return nil
	}
	for j := i + 1; j < len(frames); j++ {
		accounts := frames[j].Control != nil && frames[j].Control.Accounts != nil
		if agent(frames[j]) == id || accounts {
			frames[i], frames[j] = frames[j], frames[i]
			return frames
		}
	}
	return nil
}

// stageChanged makes a gap say that it happened elsewhere.
func stageChanged(_ *rapid.T, frames []client.Frame, i int) []client.Frame {
	if frames[i].Control == nil || frames[i].Control.Event != wire.EventGap {
		return nil
	}
	c := *frames[i].Control
	c.Stage = wire.StageRing
	frames[i].Control = &c
	return frames
}

// gapChanged makes a gap count something else.
func gapChanged(t *rapid.T, frames []client.Frame, i int) []client.Frame {
	if frames[i].Control == nil || frames[i].Control.Event != wire.EventGap {
		return nil
	}
	c := *frames[i].Control
	more := rapid.Uint64Range(1, 5).Draw(t, "more")
	c.Count += more
	if c.Unit == wire.UnitEvents && rapid.Bool().Draw(t, "with-numbers") {
		c.To += more
	}
	frames[i].Control = &c
	return frames
}

// forged puts in a gap that nobody told.
func forged(t *rapid.T, frames []client.Frame, i int) []client.Frame {
	from := rapid.Uint64Range(1, 20).Draw(t, "from")
	c := &wire.Control{
		Type: "control", Event: wire.EventGap, Agent: agentID, Epoch: 1, From: from,
		To: from + rapid.Uint64Range(0, 5).Draw(t, "length"), Unit: wire.UnitEvents, Reason: wire.ReasonRate,
	}
	c.Count = c.To - c.From + 1
	if rapid.Bool().Draw(t, "bytes") {
		c.Unit, c.From, c.To, c.File = wire.UnitBytes, 0, 0, "/var/log/a"
	}
	return slices.Insert(frames, i, client.Frame{Control: c})
}

// otherNumber gives an event another number.
func otherNumber(t *rapid.T, frames []client.Frame, i int) []client.Frame {
	if frames[i].Log == nil {
		return nil
	}
	log := *frames[i].Log
	log.Seq += rapid.Uint64Range(1, 9).Draw(t, "more")
	frames[i].Log = &log
	return frames
}

// accountChanged changes one term of the last accounts.
func accountChanged(t *rapid.T, frames []client.Frame, _ int) []client.Frame {
	last := *frames[len(frames)-1].Control
	agent, viewer := last.Accounts.Agents[agentID], last.Accounts.Viewer[agentID]
	term := rapid.SampledFrom([]*uint64{
		&agent.Seen, &agent.Filtered, &agent.Sampled, &agent.RedactedAway, &agent.Sent, &agent.Pending,
		&viewer.Offered, &viewer.Narrowed, &viewer.Delivered, &viewer.Gapped, &viewer.InFlight,
	}).Draw(t, "term")
	if rapid.Bool().Draw(t, "balanced") {
		// Accounts that close and yet are not what came.
		agent.Sent, agent.Seen = agent.Sent+1, agent.Seen+1
	} else {
		*term++
	}
	last.Accounts = &wire.Accounts{
		Agents: map[string]wire.AgentAccounts{agentID: agent, otherID: last.Accounts.Agents[otherID]},
		Viewer: map[string]wire.ViewerAccounts{agentID: viewer, otherID: last.Accounts.Viewer[otherID]},
	}
	frames[len(frames)-1].Control = &last
	return frames
}

// streamText is a stream for people.
func streamText(frames []client.Frame) string {
	var b strings.Builder
	for _, f := range frames {
		switch {
		case f.Log != nil:
			fmt.Fprintf(&b, "\n%s %d.%d", f.Log.Agent[34:], f.Log.Epoch, f.Log.Seq)
		default:
			fmt.Fprintf(&b, "\n%s %s %d-%d %d %s", f.Control.Event, f.Control.Agent, f.Control.From, f.Control.To,
				f.Control.Count, f.Control.Unit)
		}
	}
	return b.String()
}

// TestVerifierSeesWhatAReturnRepeats checks that a stream shows the verifier what it does not pass on.
func TestVerifierSeesWhatAReturnRepeats(t *testing.T) {
	f := &fake{t: t, overlap: 1, cuts: []int{2}, frames: []string{logFrame(1, 1), logFrame(1, 2), logFrame(1, 3), ended}}
	v := &client.Verifier{}
	s, err := f.serve().Stream(t.Context(), "sess_x", client.StreamOptions{Rand: soon, AllEvents: true, Observe: v.Take})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := readAll(t.Context(), t, s); len(got) != 3 {
		t.Errorf("passed on %v", got)
	}
	verdict := v.Verdict()
	if len(verdict.Agents) != 1 || verdict.Agents[0].Doubled != 1 || verdict.Agents[0].Missing != 0 {
		t.Errorf("found %+v", verdict)
	}
}

// TestVerifierTellsLateFromTwice counts what comes late apart from what comes twice.
func TestVerifierTellsLateFromTwice(t *testing.T) {
	v := &client.Verifier{}
	for _, seq := range []uint64{1, 2, 6, 4, 4, 5, 9} {
		v.Take(client.Frame{Log: &wire.Log{Agent: agentID, Epoch: 1, Seq: seq}})
	}
	got := v.Verdict().Agents[0]
	if got.Missing != 3 || got.OutOfOrder != 2 || got.Doubled != 1 || got.Received != 7 {
		t.Errorf("found %+v", got)
	}
}

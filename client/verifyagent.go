package client

import "github.com/spilelog/spile/wire"

// agentCheck is where a stream stands with one agent.
type agentCheck struct {
	AgentVerdict
	problems problems

	// epoch and next are the number that has to come next; epoch 0 accepts any.
	epoch, next uint64
	// changed is the connection on which the loss of the epoch was announced, 0 when it was not.
	changed int
	holes   []hole
	// delivered and gapped count on the present connection; lost are announced bytes by reason.
	delivered, gapped uint64
	lost              map[string]uint64
	// whole says that the stream has this agent from its first number on, in one epoch.
	whole bool
	// over says that the agent has closed the session, so that its account is final.
	over bool
}

// hole is a range of numbers of one epoch that were passed over.
type hole struct{ epoch, from, to uint64 }

// numbers takes the numbers from to to of an epoch.
func (a *agentCheck) numbers(epoch, from, to uint64) {
	switch {
	case epoch == 0 || from == 0 || to < from:
		a.problems.add("a frame has the numbers %d to %d of epoch %d", from, to, epoch)
		return
	case a.epoch == 0:
		a.epoch, a.next = epoch, from
	case epoch > a.epoch:
		if a.changed == 0 {
			a.problems.add("epoch %d follows %d and nothing announced it", epoch, a.epoch)
		}
		a.epoch, a.next, a.changed, a.whole = epoch, 1, 0, false
	case epoch < a.epoch:
		a.again(epoch, from, to)
		return
	case a.changed != 0:
		a.problems.add("event %d of epoch %d came after the epoch's loss was announced", from, epoch)
	}
	if from < a.next {
		a.again(epoch, from, min(to, a.next-1))
	}
	if from > a.next {
		a.Missing += from - a.next
		a.problems.add("events %d to %d of epoch %d are missing", a.next, from-1, epoch)
		if len(a.holes) < maxHoles {
			a.holes = append(a.holes, hole{epoch, a.next, from - 1})
		}
	}
	a.next = max(a.next, to+1)
}

// again takes numbers that were passed before: what lay in a hole comes late, the rest twice.
func (a *agentCheck) again(epoch, from, to uint64) {
	for seq := from; seq <= to; {
		i, end := a.holeAt(epoch, seq, to)
		count := end - seq + 1
		if i < 0 {
			a.Doubled += count
			a.problems.add("events %d to %d of epoch %d came twice", seq, end, epoch)
		} else {
			a.Missing -= count
			a.OutOfOrder += count
			a.problems.add("events %d to %d of epoch %d came late", seq, end, epoch)
			a.fill(i, seq, end)
		}
		seq = end + 1
	}
}

// holeAt is the index of the hole that seq lies in, -1 for none, and how far up to to that is so.
func (a *agentCheck) holeAt(epoch, seq, to uint64) (index int, end uint64) {
	end = to
	for i, h := range a.holes {
		switch {
		case h.epoch != epoch:
		case h.from <= seq && seq <= h.to:
			return i, min(h.to, to)
		case seq < h.from && h.from <= end:
			end = h.from - 1
		}
	}
	return -1, end
}

// fill takes the numbers from to to out of a hole.
func (a *agentCheck) fill(i int, from, to uint64) {
	h := a.holes[i]
	a.holes = append(a.holes[:i:i], a.holes[i+1:]...)
	if h.from < from {
		a.holes = append(a.holes, hole{h.epoch, h.from, from - 1})
	}
	if to < h.to {
		a.holes = append(a.holes, hole{h.epoch, to + 1, h.to})
	}
}

// gap takes a gap frame of a connection.
func (a *agentCheck) gap(c *wire.Control, connection int) {
	if c.Reason == "" {
		a.problems.add("a gap has no reason")
	}
	// Servers before stages tell none.
	if stage, known := wire.StageOf(c.Reason); known && c.Stage != "" && c.Stage != stage {
		a.problems.add("a gap for %s says %s, which is lost at %s", c.Reason, c.Stage, stage)
	}
	a.AtLeast = a.AtLeast || c.AtLeast
	switch {
	case c.Unit == wire.UnitBytes:
		a.bytes(c)
	case c.Unit != wire.UnitEvents:
		a.problems.add("a gap counts in %q", c.Unit)
	case c.From == 0 && c.To == 0:
		a.epochLost(c, connection)
	default:
		if c.Count != c.To-c.From+1 {
			a.problems.add("a gap of events %d to %d counts %d", c.From, c.To, c.Count)
		}
		a.Gapped += c.Count
		a.gapped += c.Count
		a.numbers(c.Epoch, c.From, c.To)
	}
}

// bytes takes a gap in bytes.
func (a *agentCheck) bytes(c *wire.Control) {
	if c.File == "" || c.From != 0 || c.To != 0 || c.Count == 0 && !c.AtLeast {
		a.problems.add("a gap in bytes names %d bytes of file %q and the numbers %d to %d", c.Count, c.File, c.From, c.To)
	}
	a.LostBytes += c.Count
	a.lost[c.Reason] += c.Count
}

// epochLost takes the announcement that an epoch is over and nobody knows how many events with it. It may come again
// on another connection.
func (a *agentCheck) epochLost(c *wire.Control, connection int) {
	if !c.AtLeast || c.Count != 0 {
		a.problems.add("a gap of %d events has no numbers", c.Count)
	}
	if a.changed == connection {
		a.problems.add("the loss of epoch %d was announced twice", c.Epoch)
	}
	a.changed = connection
}

// finish checks what holds only when the session is over. Alone says that there was one connection: on a return the
// announcement of lost bytes at the very place of the return is repeated rather than left out. Origin says that it
// began with the session.
func (a *agentCheck) finish(alone, origin bool) {
	if !a.over || !a.whole {
		return
	}
	numbered := a.Accounts.Sent + a.Accounts.Pending
	for _, n := range a.Accounts.Dropped {
		numbered += n
	}
	if a.next-1 != numbered {
		a.problems.add("the numbers end with %d, the agent numbered %d events", a.next-1, numbered)
	}
	if !alone {
		return
	}
	for reason, bytes := range a.lost {
		if bytes > a.Accounts.LostBytes[reason] {
			a.problems.add("gaps announced %d bytes lost (%s), the agent %d", bytes, reason, a.Accounts.LostBytes[reason])
		}
	}
	for reason, bytes := range a.Accounts.LostBytes {
		if origin && bytes > a.lost[reason] {
			a.problems.add("gaps announced %d bytes lost (%s), the agent %d", a.lost[reason], reason, bytes)
		}
	}
}

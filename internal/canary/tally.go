package canary

import (
	"slices"
	"sync"
	"time"
)

const (
	// maxSpans bounds the ranges of lines that are remembered as passed over.
	maxSpans = 4096
	// maxSamples bounds the latencies of one report.
	maxSamples = 100_000
)

// Counts is what a canary has seen so far, in lines where nothing else is said.
type Counts struct {
	Written  uint64 `json:"written"`
	Received uint64 `json:"received"`
	// InFlight were written and nothing behind them has come.
	InFlight uint64 `json:"in_flight"`
	// Missing were passed over, and no gap says so.
	Missing uint64 `json:"missing"`
	Doubled uint64 `json:"doubled"`
	// OutOfOrder came after a later one.
	OutOfOrder uint64 `json:"out_of_order"`
	// AnnouncedLost were passed over, and gaps told it.
	AnnouncedLost uint64 `json:"announced_lost"`
	// Unexpected lines were never written so.
	Unexpected uint64 `json:"unexpected"`
	// Sessions counts all, SessionsRestarted those that took the place of one that was lost or ended too early.
	Sessions          uint64 `json:"sessions"`
	SessionsRestarted uint64 `json:"sessions_restarted"`
	// VerifyFailures counts sessions whose numbers or accounts do not add up.
	VerifyFailures uint64 `json:"verify_failures"`
}

// Bad says whether anything came otherwise than it was written and announced.
func (c *Counts) Bad() bool {
	return c.Missing > 0 || c.Doubled > 0 || c.OutOfOrder > 0 || c.Unexpected > 0 || c.VerifyFailures > 0
}

// Latency is how long lines took from being written to being received, in milliseconds, over one report.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// span is a range of line numbers.
type span struct{ from, to uint64 }

// tally compares what comes with what was written. It is safe for concurrent use.
type tally struct {
	// mu guards everything below.
	mu     sync.Mutex
	counts Counts
	// next is the line that has to come; absent are those before it that have not and that nothing announced.
	next   uint64
	absent []span
	// credit counts lines that gaps announced and that were not missed yet; blind says that one did not know how many.
	credit uint64
	blind  bool
	// replay is the line up to which a new session may say again what an earlier one said.
	replay  uint64
	last    time.Time // of the newest line that came
	samples []time.Duration
}

// newTally expects line 1.
func newTally() *tally { return &tally{next: 1} }

// count changes the counts.
func (t *tally) count(change func(*Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.counts)
}

// snapshot is the counts now.
func (t *tally) snapshot() Counts {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.counts
	out.InFlight = t.counts.Written - min(t.next-1, t.counts.Written)
	return out
}

// reached says whether every line up to n has come or was passed over.
func (t *tally) reached(n uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next > n
}

// written is how many lines were written.
func (t *tally) written() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts.Written
}

// anew says that a new session begins, which may repeat what has come; it is the time of the newest line that did.
func (t *tally) anew() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.replay = t.next
	return t.last
}

// line takes line n, written at a time, and says whether it is the first of its number.
func (t *tally) line(n uint64, at, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case n == 0 || n > t.counts.Written:
		t.counts.Unexpected++
		return false
	case n < t.next && t.fillLocked(n):
		t.counts.Missing--
		t.counts.Received++
		if n >= t.replay {
			t.counts.OutOfOrder++
		}
		return true
	case n < t.replay:
		return false
	case n < t.next:
		t.counts.Doubled++
		return false
	}
	t.passLocked(n)
	t.next, t.last = n+1, at
	t.counts.Received++
	if len(t.samples) < maxSamples {
		t.samples = append(t.samples, now.Sub(at))
	}
	return true
}

// passLocked passes over what has to come before line n.
func (t *tally) passLocked(n uint64) {
	if count := n - t.next; count > 0 {
		known := min(count, t.credit)
		if t.blind {
			known = count
		}
		t.credit -= min(known, t.credit)
		t.counts.AnnouncedLost += known
		if known < count {
			t.counts.Missing += count - known
			t.absent = append(t.absent, span{t.next + known, n - 1})
		}
		if len(t.absent) > maxSpans {
			t.absent = t.absent[1:]
		}
	}
	t.blind = false
}

// fillLocked takes line n out of what is absent, and says whether it was.
func (t *tally) fillLocked(n uint64) bool {
	i := slices.IndexFunc(t.absent, func(s span) bool { return s.from <= n && n <= s.to })
	if i < 0 {
		return false
	}
	s := t.absent[i]
	t.absent = slices.Delete(t.absent, i, i+1)
	if s.from < n {
		t.absent = append(t.absent, span{s.from, n - 1})
	}
	if n < s.to {
		t.absent = append(t.absent, span{n + 1, s.to})
	}
	return true
}

// announced takes a gap of at most so many lines, or of nobody knows how many.
func (t *tally) announced(lines uint64, blind bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.credit += lines
	t.blind = t.blind || blind
	for t.credit > 0 && len(t.absent) > 0 {
		s := &t.absent[0]
		n := min(t.credit, s.to-s.from+1)
		t.credit -= n
		t.counts.Missing -= n
		t.counts.AnnouncedLost += n
		if s.from += n; s.from > s.to {
			t.absent = t.absent[1:]
		}
	}
}

// close takes what was written and has not come as passed over.
func (t *tally) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if end := t.counts.Written + 1; t.next < end {
		t.passLocked(end)
		t.next = end
	}
}

// latency sums up the samples since the last call.
func (t *tally) latency() Latency {
	t.mu.Lock()
	samples := t.samples
	t.samples = nil
	t.mu.Unlock()
	if len(samples) == 0 {
		return Latency{}
	}
	slices.Sort(samples)
	at := func(percent int) float64 {
		return float64(samples[(len(samples)-1)*percent/100].Microseconds()) / 1000
	}
	return Latency{P50: at(50), P99: at(99), Max: at(100)}
}

package main

import (
	"fmt"
	"sync"
	"time"
)

// readyLimit is how long a follower may take to deliver the first line, settleLimit to deliver the rest.
const (
	readyLimit  = 10 * time.Second
	settleLimit = 60 * time.Second
)

// errNotReady is the error of a follower that does not begin.
var errNotReady = fmt.Errorf("the first line did not come within %v", readyLimit)

// tally counts the lines that a follower delivers.
type tally struct {
	mu   sync.Mutex
	seen []uint32 // by line, guarded by mu
	rest int      // lines not seen yet, guarded by mu
	last time.Time
}

// newTally makes a tally of n lines.
func newTally(n int) *tally { return &tally{seen: make([]uint32, n), rest: n} }

// line counts one line of a follower's output.
func (t *tally) line(text []byte) {
	n, whole := lineNumber(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = time.Now()
	if !whole || n >= len(t.seen) {
		return
	}
	if t.seen[n] == 0 {
		t.rest--
	}
	t.seen[n]++
}

// done says whether every line came, or nothing for so long.
func (t *tally) done(quiet time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rest == 0 || time.Since(t.last) > quiet
}

// first says whether the first line came.
func (t *tally) first() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[0] > 0
}

// settle waits until every line came or nothing comes any more. When all have come it waits a little for doubles.
func (t *tally) settle(quiet time.Duration) {
	t.mu.Lock()
	t.last = time.Now()
	t.mu.Unlock()
	for end := time.Now().Add(settleLimit); !t.done(quiet) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(quiet / 3)
}

// compare counts the lines that are missing and the deliveries that were one too many, and of the missing lines those
// that are readable to this day.
func (t *tally) compare(onDisk []bool) (missing, doubled, readable int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n, times := range t.seen {
		switch {
		case times > 0:
			doubled += int(times) - 1
		default:
			missing++
			if n < len(onDisk) && onDisk[n] {
				readable++
			}
		}
	}
	return missing, doubled, readable
}

// ready writes the first line and waits until the follower has delivered it.
func ready(w *writer, seen *tally) error {
	if err := w.write(1, 0); err != nil {
		return err
	}
	for end := time.Now().Add(readyLimit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if seen.first() {
			return nil
		}
	}
	return errNotReady
}

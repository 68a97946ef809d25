// Package backoff says how long to wait before the next attempt: exponential with full jitter, so that many clients
// that lost the same server do not return together.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Defaults of a [Backoff].
const (
	// DefaultMin is the bound of the first wait.
	DefaultMin = 100 * time.Millisecond
	// DefaultMax is the bound of every wait.
	DefaultMax = 30 * time.Second
	// Spread is the Min for one of many that lose the same server at the same moment: however soon it is back, a
	// thousand return over five seconds and more, and in no second more than twice as many as that makes.
	Spread = 6 * time.Second
)

// Backoff gives the waits of one series of attempts. The zero value uses the defaults. It is not safe for concurrent
// use.
type Backoff struct {
	// Min bounds the first wait; each further bound is twice the one before. Zero means DefaultMin.
	Min time.Duration
	// Max bounds every wait. Zero means DefaultMax; less than Min counts as Min.
	Max time.Duration
	// Rand returns a number in [0, 1). Nil means a random one.
	Rand func() float64

	bound time.Duration
}

// Next is the wait before the next attempt: a random part, never nothing, of a bound that doubles with each call.
func (b *Backoff) Next() time.Duration {
	low, high := b.limits()
	if b.bound == 0 {
		b.bound = low
	} else if b.bound < high {
		b.bound = min(2*b.bound, high)
		if b.bound < low {
			b.bound = high
		}
	}
	number := rand.Float64
	if b.Rand != nil {
		number = b.Rand
	}
	return max(time.Duration(number()*float64(b.bound)), 1)
}

// Reset starts the series anew, after an attempt that worked.
func (b *Backoff) Reset() { b.bound = 0 }

// limits are Min and Max with their defaults.
func (b *Backoff) limits() (low, high time.Duration) {
	low, high = b.Min, b.Max
	if low <= 0 {
		low = DefaultMin
	}
	if high <= 0 {
		high = DefaultMax
	}
	return low, max(low, high)
}

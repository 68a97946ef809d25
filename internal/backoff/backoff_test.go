package backoff_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/internal/backoff"
)

func TestNextDoublesUpToMax(t *testing.T) {
	b := backoff.Backoff{Min: time.Second, Max: 5 * time.Second, Rand: func() float64 { return 0.5 }}
	want := []time.Duration{
		500 * time.Millisecond, time.Second, 2 * time.Second, 2500 * time.Millisecond,
		2500 * time.Millisecond,
	}
	for i, w := range want {
		if got := b.Next(); got != w {
			t.Errorf("wait %d: got %v, want %v", i, got, w)
		}
	}
	b.Reset()
	if got := b.Next(); got != want[0] {
		t.Errorf("after reset: got %v, want %v", got, want[0])
	}
}

func TestNextStaysInBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "min"))
		high := time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "max"))
		b := backoff.Backoff{Min: low, Max: high}
		limit := high
		if limit == 0 {
			limit = backoff.DefaultMax
		}
		if low == 0 {
			low = backoff.DefaultMin
		}
		limit = max(limit, low)
		for range 80 {
			if got := b.Next(); got <= 0 || got > limit {
				t.Fatalf("wait %v outside (0, %v]", got, limit)
			}
		}
	})
}

// TestManyReturnInASpread has a thousand lose their server at the same moment, for any length of time.
func TestManyReturnInASpread(t *testing.T) {
	const (
		clients = 1000
		over    = 5 * time.Second
		most    = 2 * clients * int(time.Second) / int(over) // in any second
	)
	rapid.Check(t, func(t *rapid.T) {
		down := time.Duration(rapid.Int64Range(0, int64(2*time.Minute)).Draw(t, "down"))
		longest := time.Duration(rapid.Int64Range(int64(backoff.Spread), int64(time.Minute)).Draw(t, "max"))
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		back := make([]time.Duration, clients)
		for i := range back {
			b := backoff.Backoff{Min: backoff.Spread, Max: longest, Rand: random.Float64}
			for back[i] = b.Next(); back[i] < down; back[i] += b.Next() {
			}
		}
		slices.Sort(back)
		if first, last := back[0], back[clients-1]; last-first < over {
			t.Errorf("all came back between %v and %v", first, last)
		}
		for i := most; i < clients; i++ {
			if back[i]-back[i-most] < time.Second {
				t.Errorf("more than %d came back in the second after %v", most, back[i-most])
				break
			}
		}
	})
}

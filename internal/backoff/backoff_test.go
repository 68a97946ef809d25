package backoff_test

import (
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

package ring_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/internal/ring"
)

// TestRingAgainstModel holds the ring against a plain slice under random pushes.
func TestRingAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 4000).Draw(t, "limit")
		r := ring.New[int](limit)
		type held struct {
			place uint64
			value int
			cost  int
		}
		var model []held
		bytes := 0
		for i, size := range rapid.SliceOfN(rapid.IntRange(0, 1500), 0, 200).Draw(t, "sizes") {
			var gone []held
			r.Push(i, size, func(place uint64, value int) { gone = append(gone, held{place: place, value: value}) })
			cost := size + ring.Overhead
			for len(model) > 0 && bytes+cost > limit {
				if len(gone) == 0 || gone[0].place != model[0].place || gone[0].value != model[0].value {
					t.Fatalf("push %d: evicted %v, want %v first", i, gone, model[0])
				}
				bytes -= model[0].cost
				model, gone = model[1:], gone[1:]
			}
			if len(gone) != 0 {
				t.Fatalf("push %d: evicted too many: %v", i, gone)
			}
			model = append(model, held{uint64(i), i, cost})
			bytes += cost
			if r.First() != model[0].place || r.Next() != uint64(i+1) || r.Bytes() != bytes {
				t.Fatalf("push %d: first %d next %d bytes %d", i, r.First(), r.Next(), r.Bytes())
			}
			for _, h := range model {
				if got := r.At(h.place); got != h.value {
					t.Fatalf("at %d: got %d, want %d", h.place, got, h.value)
				}
			}
		}
	})
}

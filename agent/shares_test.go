package agent

import (
	"testing"

	"golang.org/x/time/rate"
	"pgregory.net/rapid"
)

// TestShares draws who sends how much: those with less than half their share have little, somebody has enough, and
// who stops is forgotten.
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s shares
		places := make([]place, rapid.IntRange(1, 20).Draw(t, "places"))
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			p := &places[rapid.IntRange(0, len(places)-1).Draw(t, "place")]
			s.took(p, rapid.IntRange(1, 10_000).Draw(t, "bytes"))
			if rapid.IntRange(0, 9).Draw(t, "fade") == 0 {
				s.fade()
			}
			sum, most := 0, 0
			for i := range places {
				sum, most = sum+places[i].took, max(most, places[i].took)
			}
			if sum != s.total {
				t.Fatalf("the sum is %d, want %d", s.total, sum)
			}
			for i := range places {
				if one := &places[i]; one.took == most && most > 0 && s.little(one) {
					t.Fatalf("who had the most, %d of %d, had little", most, sum)
				}
			}
		}
		for range 64 {
			s.fresh = true
			s.fade()
		}
		if s.total != 0 || len(s.places) != 0 {
			t.Fatalf("%d bytes of %d places never fade", s.total, len(s.places))
		}
	})
}

func TestSharesOfAFlood(t *testing.T) {
	var s shares
	var flood, quiet, new place
	s.took(&flood, 1<<20)
	s.took(&quiet, 200)
	s.fade()
	for range 3 { // in silence nothing changes
		s.fade()
	}
	if s.little(&flood) || !s.little(&quiet) || !s.little(&new) {
		t.Errorf("flood %v, quiet %v, new %v; want false, true, true", s.little(&flood), s.little(&quiet), s.little(&new))
	}
}

// TestLimitKeepsSomeForWhoHasLittle empties a limit that is never filled again.
func TestLimitKeepsSomeForWhoHasLittle(t *testing.T) {
	limit := rate.NewLimiter(0, 80)
	taken := func(first bool) (n int) {
		for n <= 80 && allows(limit, first) {
			n++
		}
		return n
	}
	if many, few := taken(false), taken(true); many != 70 || few != 10 {
		t.Errorf("a flood took %d and a quiet file %d, want 70 and 10", many, few)
	}
	if limit := rate.NewLimiter(0, 1); !allows(limit, false) || allows(limit, true) {
		t.Error("a limit of one lets nobody pass, or two")
	}
}

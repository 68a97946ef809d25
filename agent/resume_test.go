package agent

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/internal/uplink"
)

// TestLossOfOneLifeLeavesTheOthers resumes in a file that had several lives: what became of one says nothing of another.
func TestLossOfOneLifeLeavesTheOthers(t *testing.T) {
	life := func(print uint64, offset int64) source.Position {
		return source.Position{Path: "a", Device: 1, Inode: 2, Print: print, PrintLen: 3, Offset: offset}
	}
	over := func(p source.Position, offset int64) source.Position {
		p.Offset, p.Over = offset, true
		return p
	}
	mark := func(place uint64, p source.Position) uplink.Mark {
		return uplink.Mark{Place: place, At: encodePosition(p), Offset: p.Offset}
	}
	base := (&pipeline{}).baseMarks(slices.Values([]source.Position{life(7, 100), life(8, 50)}), nil)
	tests := map[string]struct {
		later []uplink.Mark
		want  []source.Position
	}{
		"nothing-read": {want: []source.Position{life(7, 100), life(8, 50)}},
		"first-is-over": {
			later: []uplink.Mark{mark(1, over(life(7, 0), 400))},
			want:  []source.Position{life(8, 50), over(life(7, 0), 400)},
		},
		"first-is-over-and-second-read": {
			later: []uplink.Mark{mark(1, over(life(7, 0), 400)), mark(2, life(8, 60))},
			want:  []source.Position{over(life(7, 0), 400), life(8, 60)},
		},
		"second-grew-and-is-over": {
			later: []uplink.Mark{mark(2, over(life(9, 0), 90))},
			want:  []source.Position{over(life(9, 0), 90)},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, _, err := resumePositions(append(base[:2:2], tt.later...))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("resumes elsewhere:\n%s", diff)
			}
		})
	}
}

//go:build !race

package tap

import (
	"context"
	"log/slog"
	"testing"
)

// TestAllocations checks that a call does not pay in memory for viewers. Under the race detector pools forget on
// purpose.
func TestAllocations(t *testing.T) {
	call := func(r *rig) func() {
		return func() {
			r.logger.LogAttrs(context.Background(), slog.LevelDebug, "request", slog.String("uuid", "41"), slog.Int("n", 1))
		}
	}
	tests := []struct {
		name, target, carried string
		want                  float64
	}{
		{"none", "", "", 0},
		{"level-too-high", "/?level=error", "", 0},
		{"carried-scope", "/?scope=uuid:42", "41", 0},
		{"scope", "/?scope=uuid:42", "", 0},
		{"json", "/?format=json", "", 0},
		{"pattern", "/?format=json&pattern=uuid%3D4", "", 0},
		{"text", "/?format=text", "", 0},
		{"html", "/?format=html", "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, Options{Metadata: []string{"uuid", "n"}, Buffer: 64 << 10})
			if test.target != "" {
				// Its viewer is asleep, so that all allocations are those of the calls.
				v := r.watchAt(t, test.target)
				defer v.stall()()
			}
			if test.carried != "" {
				r.logger = r.logger.With("uuid", test.carried)
			}
			for range 1000 {
				call(r)()
			}
			// The pools may lose what they hold to a collection now and then.
			if n := testing.AllocsPerRun(1000, call(r)); n > test.want {
				t.Errorf("%v allocations, want %v", n, test.want)
			}
		})
	}
}

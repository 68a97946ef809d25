package bridge_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/internal/bridge"
	"github.com/spilelog/spile/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var scale = bridge.Scale{-8, -4, 0, 4, 8, 10, 14}

func TestScale(t *testing.T) {
	tests := []struct {
		name  string
		level slog.Level
		want  int
	}{
		{"first", -8, 0},
		{"last", 14, 6},
		{"between-goes-up", 1, 3},
		{"just-below", -5, 1},
		{"below-the-scale", -12, -1},
		{"between-below-the-scale", -13, -1},
		{"above-the-scale", 16, 7},
		{"between-above-the-scale", 15, 7},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scale.Index(tt.level); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// TestScaleIsAThreshold holds what dials need: each position comes back, and the position of a level is the lowest
// whose level is not below it.
func TestScaleIsAThreshold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := rapid.IntRange(-1000, 1000).Draw(t, "position")
		if got := scale.Index(scale.Level(i)); got != i {
			t.Fatalf("position %d came back as %d", i, got)
		}
		level := slog.Level(rapid.IntRange(-3000, 3000).Draw(t, "level"))
		at := scale.Index(level)
		if scale.Level(at) < level || scale.Level(at-1) >= level {
			t.Fatalf("level %d is at %d, whose level is %d, after %d", level, at, scale.Level(at), scale.Level(at-1))
		}
	})
}

func TestAttrs(t *testing.T) {
	got := slog.GroupValue(bridge.Attrs(map[string]any{"b": 1, "a": map[string]any{"y": true, "x": "s"}, "e": errors.New("no")})...)
	if got.String() != "[a=[x=s y=true] b=1 e=no]" {
		t.Errorf("got %v", got)
	}
}

func TestPC(t *testing.T) {
	if bridge.PC(0) != 0 {
		t.Error("no counter became one")
	}
	var pcs [1]uintptr
	runtime.Callers(1, pcs[:])
	frame, _ := runtime.CallersFrames(pcs[:]).Next()
	again, _ := runtime.CallersFrames([]uintptr{bridge.PC(frame.PC)}).Next()
	if diff := cmp.Diff([]any{frame.Function, frame.Line}, []any{again.Function, again.Line}); diff != "" {
		t.Error(diff)
	}
}

// stuck is a backend whose Flush waits for its context.
type stuck struct{ *spile.Base }

func (stuck) Log(context.Context, *event.Event) error { return nil }

func (stuck) Flush(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestFlushIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := bridge.Flush(spile.New(stuck{spile.NewBase("stuck", spile.BaseOptions{})}))
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
	if err := bridge.Flush(slog.DiscardHandler); err != nil {
		t.Errorf("a handler that cannot flush: %v", err)
	}
}

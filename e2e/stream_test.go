package e2e

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/spilelog/spile/wire"
)

func TestCompleteDeliversEveryLine(t *testing.T) {
	const lines = 200_000
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	id := f.session(wire.StartRequest{AgentID: "edge-1", Mode: wire.ModeComplete})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stream := f.watch(ctx, id)
	wrote := make(chan error, 1)
	go func() { wrote <- writeLines(log, 1, lines) }()
	led := newLedger(t, lines)
	led.seen[0] = 1
	for n := 1; n < lines; {
		frame, err := stream.Next(ctx)
		if err != nil {
			t.Fatalf("after %d lines: %v", n, err)
		}
		led.take(frame)
		if frame.Log != nil {
			n++
		}
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	led.finish(ctx, f, stream, id)
	if m := led.missing(); len(m) > 0 || led.doubled > 0 || led.swapped > 0 || led.gapped > 0 {
		t.Errorf("%d missing, %d doubled, %d out of order, %d in gaps; want none",
			len(m), led.doubled, led.swapped, led.gapped)
	}
}

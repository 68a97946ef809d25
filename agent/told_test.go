package agent_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/agent/source/file"
	"github.com/spilelog/spile/wire"
)

// toldWithin is how soon a drop must be told, also when nothing comes after it: a second, but for a busy machine.
const toldWithin = 30 * time.Second

// gapsOf adds up the gaps of a reason until they and the frames that came make so many events, and fails if that takes
// longer, from now on, than drops may be kept quiet.
func (b *bench) gapsOf(reason string, events uint64) {
	b.t.Helper()
	late := time.After(toldWithin)
	for sum := uint64(0); sum+uint64(len(b.server.frames)) < events; {
		select {
		case gap := <-b.server.gaps:
			stage, known := wire.StageOf(gap.Reason)
			if !known || gap.Stage != stage || gap.Reason != reason || gap.Unit != wire.UnitEvents {
				b.t.Errorf("gap %+v; want one in events for %s at %s", gap, reason, stage)
			}
			sum += gap.Count
		case <-late:
			b.t.Fatalf("after %v %d events came and %d were told lost, want %d", toldWithin, len(b.server.frames), sum, events)
		}
	}
}

func TestTrailingDropsByRateAreTold(t *testing.T) {
	const lines = 200
	b := newBench(t)
	b.cfg.MaxRate = 10
	b.start()
	d := desire("sess_a", wire.Filters{})
	d.Mode = wire.ModeLive
	b.server.want(d)
	b.report(wire.ReportOpen)
	b.write(strings.Repeat("line\n", lines))
	b.gapsOf(wire.ReasonRate, lines)
}

func TestTrailingDropsAreToldOnceThereIsCredit(t *testing.T) {
	const lines = 3000
	b := newBench(t)
	b.server.credit, b.server.ack = 1, false
	b.start()
	d := desire("sess_a", wire.Filters{})
	d.Mode = wire.ModeLive
	b.server.want(d)
	b.report(wire.ReportOpen)
	b.write(strings.Repeat(strings.Repeat("x", 100)+"\n", lines))
	for seen := uint64(0); seen < lines; {
		seen = b.report(wire.ReportStats).Accounts.Seen
	}
	b.server.mu.Lock()
	b.server.ack, b.server.credit = true, wire.WindowBytes
	conn := b.server.conn
	b.server.mu.Unlock()
	b.server.send(t.Context(), conn, wire.LinkAck,
		wire.Ack{Session: "sess_a", Epoch: 1, Item: 1, Credit: wire.WindowBytes, Attached: true})
	b.gapsOf(wire.ReasonBufferOverrun, lines)
}

// TestFloodLeavesRoomForAQuietFile floods one file until nothing more of it is taken: the line of another one waits, and
// comes when there is room again.
func TestFloodLeavesRoomForAQuietFile(t *testing.T) {
	const lines = 5000
	b := newBench(t)
	quiet := filepath.Join(filepath.Dir(b.log), "quiet.log")
	if err := os.WriteFile(quiet, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.cfg.Files = append(b.cfg.Files, file.Spec{Source: "quiet", Glob: quiet})
	b.server.credit, b.server.ack = 2*wire.BatchBytes, false
	b.start()
	d := desire("sess_a", wire.Filters{})
	d.Mode = wire.ModeLive
	b.server.want(d)
	b.report(wire.ReportOpen)
	b.write(strings.Repeat(strings.Repeat("x", 100)+"\n", lines))
	var before, after wire.AgentAccounts
	for before.Seen < lines {
		before = b.report(wire.ReportStats).Accounts
	}
	b.log = quiet
	b.write("a quiet line\n")
	for after.Seen <= lines {
		after = b.report(wire.ReportStats).Accounts
	}
	if was, is := before.Dropped[wire.ReasonBufferOverrun], after.Dropped[wire.ReasonBufferOverrun]; was == 0 || is != was {
		t.Errorf("dropped %d events of the flood, and %d with the quiet line", was, is)
	}
	b.server.mu.Lock()
	b.server.ack, b.server.credit = true, wire.WindowBytes
	conn := b.server.conn
	b.server.mu.Unlock()
	b.server.send(t.Context(), conn, wire.LinkAck,
		wire.Ack{Session: "sess_a", Epoch: 1, Item: 1, Credit: wire.WindowBytes, Attached: true})
	for receive(t, "frame", b.server.frames).Source != "quiet" {
	}
}

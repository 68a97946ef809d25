package agent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/wire"
)

// ask asks the agent for events and returns the answer.
func (b *bench) ask(from, to uint64) wire.Replayed {
	b.t.Helper()
	b.server.mu.Lock()
	conn := b.server.conn
	b.server.mu.Unlock()
	b.server.send(b.t.Context(), conn, wire.LinkReplay,
		wire.Replay{Session: "sess_a", Epoch: 1, From: from, To: to, Before: 1 << 32})
	return receive(b.t, "answer", b.server.answers)
}

// TestAgentSendsAgain asks for what was acknowledged before a rotation and a restart of the agent: the frames come as
// they were, and as a gap once their bytes are gone. What deaths left half written is deleted on the way.
func TestAgentSendsAgain(t *testing.T) {
	const lines = 300
	b := newBench(t)
	b.start()
	b.server.want(desire("sess_a", wire.Filters{Pattern: "keep"}))
	b.report(wire.ReportOpen)
	var sent []wire.Log
	for n := range lines {
		stamp := ""
		if n%2 == 0 {
			stamp = "2026-01-02T03:04:05.678Z "
		}
		b.write(fmt.Sprintf("%slevel=warn keep %d\nskip %d\n", stamp, n, n))
		if n%7 == 0 {
			sent = append(sent, receive(t, "frame", b.server.frames))
		}
	}
	for len(sent) < lines {
		sent = append(sent, receive(t, "frame", b.server.frames))
	}
	same := func() {
		t.Helper()
		var again []wire.Log
		for len(again) < lines {
			r := b.ask(uint64(len(again))+1, lines)
			for _, p := range r.Pieces {
				if p.Gap != nil {
					t.Fatalf("a gap in place of events: %+v", *p.Gap)
				}
			}
			for line := range strings.Lines(string(r.Block)) {
				var log wire.Log
				if err := json.Unmarshal([]byte(line), &log); err != nil {
					t.Fatalf("frame %q: %v", line, err)
				}
				again = append(again, log)
			}
			if r.To < uint64(len(again)) {
				t.Fatalf("%d events came, %d answered", len(again), r.To)
			}
		}
		if diff := cmp.Diff(sent, again); diff != "" {
			t.Errorf("sent and sent again differ:\n%s", diff)
		}
	}
	same()
	if err := os.Rename(b.log, b.log+".1"); err != nil {
		t.Fatal(err)
	}
	b.write("keep what comes after\n")
	receive(t, "frame", b.server.frames)
	same()
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	draft := filepath.Join(b.cfg.Data, "sessions", "sess_a.journal.new-17")
	if err := os.WriteFile(draft, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.report(wire.ReportOpen)
	same()
	if _, err := os.Stat(draft); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the draft of a journal is still there: %v", err)
	}
	if err := os.Remove(b.log + ".1"); err != nil {
		t.Fatal(err)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.report(wire.ReportOpen)
	r := b.ask(1, lines)
	gapped := uint64(0)
	for _, p := range r.Pieces {
		if p.Gap == nil || p.Gap.Reason != wire.ReasonReplayLost {
			t.Fatalf("piece %+v of bytes that are gone", p)
		}
		gapped += p.Gap.Count
	}
	if gapped != r.To || r.To == 0 {
		t.Errorf("%d events announced, %d answered", gapped, r.To)
	}
}

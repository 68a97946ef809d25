package agent_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spilelog/spile/wire"
)

// near is a frame of a session with context as the tests compare it.
type near struct {
	Text    string
	Context bool
	// Follows says that the line follows directly on the frame before it, as far as offsets tell: the lines of a file and
	// of the one that took its place may meet by chance.
	Follows bool
}

// around is what grep -B -A finds in files, one after the other; the first lead lines of the first file are only found
// as context. It also says how many of those are.
func around(files [][]string, lead int, c wire.Context) (want []near, borrowed int) {
	end := -1
	for f, lines := range files {
		send := make([]bool, len(lines))
		for i, line := range lines {
			if f == 0 && i < lead || !strings.Contains(line, "hit") {
				continue
			}
			for j := max(i-c.Before, 0); j <= min(i+c.After, len(lines)-1); j++ {
				send[j] = true
			}
		}
		from, next := 0, 0
		for i, line := range lines {
			from, next = next, next+len(line)+1
			if !send[i] {
				continue
			}
			old := f == 0 && i < lead
			if old {
				borrowed++
			}
			want = append(want, near{line, old || !strings.Contains(line, "hit"), end == from})
			end = next
		}
	}
	return want, borrowed
}

// contextReader reads the frames of a session with context.
type contextReader struct {
	t    *testing.T
	seq  uint64
	file string
	end  int64
	got  []near
	logs []wire.Log
}

// take adds a frame, unless it is one that came before.
func (r *contextReader) take(log wire.Log) {
	r.t.Helper()
	if log.Seq <= r.seq {
		return // a resend of what an ack did not reach the agent for
	}
	if log.Seq != r.seq+1 {
		r.t.Fatalf("event %d after %d", log.Seq, r.seq)
	}
	var at struct {
		File string `json:"file"`
		From int64  `json:"offset"`
		To   int64  `json:"end_offset"`
	}
	if err := json.Unmarshal(log.Metadata, &at); err != nil || at.To != at.From+int64(len(log.Message))+1 {
		r.t.Fatalf("metadata %s: from %d to %d; %v", log.Metadata, at.From, at.To, err)
	}
	r.got = append(r.got, near{log.Message, log.Context, r.seq > 0 && r.file == at.File && r.end == at.From})
	r.logs = append(r.logs, log)
	r.seq, r.file, r.end = log.Seq, at.File, at.To
}

func TestContextLines(t *testing.T) {
	tests := map[string]struct {
		context wire.Context
		before  string // what the file holds at the start
		tail    int
		written []string // each is taken before the next is written
		want    []near
	}{
		"one-each": {
			context: wire.Context{Before: 1, After: 1}, written: []string{"a\nb\nhit\nc\nd\n"},
			want: []near{{"b", true, false}, {"hit", false, true}, {"c", true, true}},
		},
		"line-by-line": {
			context: wire.Context{Before: 2, After: 1}, written: []string{"a\n", "b\n", "c\n", "hit\n", "d\n", "e\n"},
			want: []near{{"b", true, false}, {"c", true, true}, {"hit", false, true}, {"d", true, true}},
		},
		"overlap": {
			context: wire.Context{Before: 2, After: 2}, written: []string{"hit 1\na\nb\nc\nhit 2\n"},
			want: []near{{"hit 1", false, false}, {"a", true, true}, {"b", true, true}, {"c", true, true}, {"hit 2", false, true}},
		},
		"hits-in-a-row": {
			context: wire.Context{Before: 1, After: 1}, written: []string{"a\nhit 1\nhit 2\nb\nc\n"},
			want: []near{{"a", true, false}, {"hit 1", false, true}, {"hit 2", false, true}, {"b", true, true}},
		},
		"before-the-session": {
			context: wire.Context{Before: 3}, before: "hit 0\na\nb\n", written: []string{"c\nhit\n"},
			want: []near{{"a", true, false}, {"b", true, true}, {"c", true, true}, {"hit", false, true}},
		},
		"before-the-tail": {
			context: wire.Context{Before: 1, After: 1}, before: "hit 0\na\nb\nhit 1\n", tail: 1, written: []string{"c\nd\n"},
			want: []near{{"b", true, false}, {"hit 1", false, true}, {"c", true, true}},
		},
		"after-alone": {
			context: wire.Context{After: 2}, before: "a\n", written: []string{"b\nhit\nc\nd\ne\n"},
			want: []near{{"hit", false, false}, {"c", true, true}, {"d", true, true}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if err := os.WriteFile(b.log, []byte(test.before), 0o600); err != nil {
				t.Fatal(err)
			}
			b.start()
			d := desire("sess_a", wire.Filters{Pattern: "hit"})
			d.Context, d.Tail = test.context, test.tail
			b.server.want(d)
			b.report(wire.ReportOpen)
			r := contextReader{t: t}
			for _, text := range test.written {
				b.write(text)
			}
			for len(r.got) < len(test.want) {
				r.take(receive(t, "frame", b.server.frames))
			}
			b.server.want()
			if closed := b.report(wire.ReportClosed); !closed.Accounts.Closes() || closed.Accounts.Sent != uint64(len(r.got)) {
				t.Errorf("accounts %+v, want %d sent", closed.Accounts, len(r.got))
			}
			if diff := cmp.Diff(test.want, r.got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestContextProperty writes lines at random, with rotations, cuts and restarts of the agent, and compares what comes
// with what grep would find in the files.
func TestContextProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t)
		c := wire.Context{Before: rapid.IntRange(0, 4).Draw(rt, "before")}
		c.After = rapid.IntRange(1-min(c.Before, 1), 4).Draw(rt, "after")
		if rapid.Bool().Draw(rt, "little credit") {
			b.server.credit = 1
		}
		lead := rapid.IntRange(0, 6).Draw(rt, "lead")
		files, n := [][]string{nil}, 0
		lines := func(count int) string {
			var text strings.Builder
			for range count {
				line := fmt.Sprintf("line %d", n)
				if rapid.IntRange(0, 5).Draw(rt, "kind") == 0 {
					line = fmt.Sprintf("hit %d", n)
				}
				n++
				last := len(files) - 1
				files[last] = append(files[last], line)
				text.WriteString(line + "\n")
			}
			return text.String()
		}
		if err := os.WriteFile(b.log, []byte(lines(lead)), 0o600); err != nil {
			t.Fatal(err)
		}
		b.start()
		d := desire("sess_a", wire.Filters{Pattern: "hit"})
		d.Context = c
		b.server.want(d)
		b.report(wire.ReportOpen)
		// Until it has found a match, an agent that is started again no longer looks before the beginning.
		b.write("hit first\n")
		files[0] = append(files[0], "hit first")
		r := contextReader{t: t}
		check := func() {
			want, _ := around(files, lead, c)
			for len(r.got) < len(want) {
				r.take(receive(t, "frame", b.server.frames))
			}
			if diff := cmp.Diff(want, r.got); diff != "" {
				t.Fatal(diff)
			}
		}
		check()
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"write", "write", "write", "check", "rotate", "cut", "restart"}).Draw(rt, "step") {
			case "write":
				b.write(lines(rapid.IntRange(1, 20).Draw(rt, "lines")))
			case "check":
				check()
			case "rotate":
				check()
				if err := os.Rename(b.log, fmt.Sprintf("%s.%d", b.log, len(files))); err != nil {
					t.Fatal(err)
				}
				files = append(files, nil)
				b.write(lines(1))
			case "cut":
				b.server.cut()
				b.report(wire.ReportOpen)
			case "restart":
				if err := b.stop(); err != nil {
					t.Fatal(err)
				}
				b.write(lines(rapid.IntRange(0, 5).Draw(rt, "meanwhile")))
				b.start()
				b.report(wire.ReportOpen)
			}
		}
		b.write("hit last\n")
		files[len(files)-1] = append(files[len(files)-1], "hit last")
		check()
		again(t, b, &r)
		b.server.want()
		_, borrowed := around(files, lead, c)
		a := b.report(wire.ReportClosed).Accounts
		if !a.Closes() || a.Sent != uint64(len(r.got)) || a.Seen != uint64(n+2-lead+borrowed) {
			t.Fatalf("accounts %+v: want %d sent, %d seen", a, len(r.got), n+2-lead+borrowed)
		}
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// again asks for everything that came once more.
func again(t *testing.T, b *bench, r *contextReader) {
	t.Helper()
	var got []wire.Log
	for len(got) < len(r.logs) {
		answer := b.ask(uint64(len(got))+1, uint64(len(r.logs)))
		for _, p := range answer.Pieces {
			if p.Gap != nil {
				t.Fatalf("a gap in place of events: %+v", *p.Gap)
			}
		}
		for line := range strings.Lines(string(answer.Block)) {
			var log wire.Log
			if err := json.Unmarshal([]byte(line), &log); err != nil {
				t.Fatalf("frame %q: %v", line, err)
			}
			got = append(got, log)
		}
		if answer.To < uint64(len(got)) || answer.Block == nil {
			t.Fatalf("%d events came, %d answered", len(got), answer.To)
		}
	}
	if diff := cmp.Diff(r.logs, got); diff != "" {
		t.Errorf("sent and sent again differ:\n%s", diff)
	}
}

// TestContextCountsWhatFindsNoCredit drops most of what a live session would send, lines around matches among them.
func TestContextCountsWhatFindsNoCredit(t *testing.T) {
	b := newBench(t)
	b.server.credit, b.server.ack = 1, false
	b.start()
	d := desire("sess_a", wire.Filters{Pattern: "hit"})
	d.Mode, d.Context = wire.ModeLive, wire.Context{Before: 2, After: 1}
	b.server.want(d)
	b.report(wire.ReportOpen)
	const rounds = 5000
	padding := strings.Repeat("x", 100)
	for n := range rounds {
		b.write(fmt.Sprintf("a %s\nb\nc\nhit %d\nd %s\n", padding, n, padding))
	}
	var last wire.AgentAccounts
	for last.Seen < 5*rounds {
		last = b.report(wire.ReportStats).Accounts
	}
	b.server.want()
	a := b.report(wire.ReportClosed).Accounts
	// Context reaches all lines but the first of each round.
	if !a.Closes() || a.Seen != 5*rounds || a.Filtered != rounds || a.Dropped[wire.ReasonBufferOverrun] == 0 {
		t.Errorf("accounts %+v: want %d seen, %d filtered, and drops for lack of credit", a, 5*rounds, rounds)
	}
}

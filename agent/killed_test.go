package agent_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/agent"
	"github.com/spilelog/spile/agent/source/file"
	"github.com/spilelog/spile/wire"
)

// killedEnv, when set, makes TestKilledAgentProcess an agent: its server and the folder with its log.
const killedEnv = "SPILE_TEST_KILLED_AGENT"

// TestKilledAgentProcess is no test but the process that TestKilledAgentCountsEachLine kills.
func TestKilledAgentProcess(t *testing.T) {
	server, dir, ok := strings.Cut(os.Getenv(killedEnv), " ")
	if !ok {
		return
	}
	a, err := agent.New(agent.Config{
		Server: server, EnrolTokenFile: filepath.Join(dir, "token"), Data: filepath.Join(dir, "data"), Name: "edge-1",
		Files:           []file.Spec{{Source: "app", Glob: filepath.Join(dir, "app.log")}},
		MetricsInterval: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// startProcess starts an agent as a process; what it returns kills it.
func (b *bench) startProcess() (kill func()) {
	b.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAgentProcess$")
	cmd.Env = append(os.Environ(), killedEnv+"="+b.server.http.URL+" "+filepath.Dir(b.log))
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	b.t.Cleanup(kill)
	return kill
}

// checkpointed says whether the checkpoint on the disk is at the end of the log, with nothing left to report.
func (b *bench) checkpointed() bool {
	b.t.Helper()
	info, err := os.Stat(b.log)
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(filepath.Dir(b.log), "data", "counter.checkpoint"))
	if err != nil {
		b.t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(data), "\n")
	return !strings.Contains(head, `"counts"`) && strings.Contains(rest, fmt.Sprintf(`"offset":%d,`, info.Size()))
}

// TestKilledAgentCountsEachLine kills the agent while a file is written. What the server is told is every line, those
// that were written while the agent was down included, and beyond that at most the report that was under way at each
// death.
func TestKilledAgentCountsEachLine(t *testing.T) {
	const (
		rounds  = 6
		perPart = 2000
	)
	b := newBench(t)
	var counted, written, surplus uint64
	next := func() {
		for _, s := range receive(t, "metrics", b.server.metrics).Sources {
			counted += s.Lines
		}
	}
	part := strings.Repeat("level=info a line\n", perPart)
	kill := b.startProcess()
	next() // the counter may begin a moment later than the first report
	next()
	for range rounds {
		b.write(part)
		written += perPart
		for counted < written {
			next()
		}
		for !b.checkpointed() { // behind the report
			next()
		}
		b.write(part)
		kill()
		surplus += perPart // the most that the report could hold which was under way
		b.write(part)
		written += 2 * perPart
		kill = b.startProcess()
	}
	for counted < written {
		next()
	}
	for range 3 {
		next()
	}
	t.Logf("%d lines, %d deaths: %d counted", written, rounds, counted)
	if counted > written+surplus {
		t.Errorf("%d lines counted of %d, want at most %d more", counted, written, surplus)
	}
}

// until takes frames until one has the given text.
func (b *bench) until(text string) {
	b.t.Helper()
	for receive(b.t, "frame "+text, b.server.frames).Message != text {
	}
}

// lostBytes are all bytes that an account tells as lost.
func lostBytes(a wire.AgentAccounts) (n uint64) {
	for _, bytes := range a.LostBytes {
		n += bytes
	}
	return n
}

// TestLossIsToldOnce replaces a file that was read in part while the agent is dead. The next life tells what is lost, and
// the one after it does not tell it again.
func TestLossIsToldOnce(t *testing.T) {
	b := newBench(t)
	b.start()
	b.server.want(desire("sess_a", wire.Filters{}))
	b.report(wire.ReportOpen)
	b.write("first\n")
	b.until("first")
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	b.write("second\n" + strings.Repeat(strings.Repeat("x", 99)+"\n", 5000))
	grant := func(credit uint64, ack bool) {
		b.server.mu.Lock()
		defer b.server.mu.Unlock()
		b.server.credit, b.server.ack, b.server.items = credit, ack, 0
	}
	grant(2*wire.BatchBytes, false) // and no more: the rest of the file waits
	kill := b.startProcess()
	b.until("second")
	kill()
	fresh := b.log + ".new" // which has not the number of the file that it takes the place of
	if err := os.WriteFile(fresh, []byte("third\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, b.log); err != nil {
		t.Fatal(err)
	}
	grant(wire.WindowBytes, true)
	kill = b.startProcess()
	b.until("third")
	var lost uint64
	for lost == 0 {
		lost = lostBytes(b.report(wire.ReportStats).Accounts)
	}
	kill()
	for len(b.server.gaps) > 0 {
		<-b.server.gaps
	}
	b.start()
	b.write("fourth\n")
	b.until("fourth")
	b.server.want()
	if a := b.report(wire.ReportClosed).Accounts; lostBytes(a) != lost {
		t.Errorf("%d bytes were lost, and after one more death %d", lost, lostBytes(a))
	}
	for len(b.server.gaps) > 0 { // what was told and not acknowledged may be sent again
		if gap := <-b.server.gaps; gap.Unit == wire.UnitBytes && gap.Count != lost {
			t.Errorf("a gap of nothing new: %+v", gap)
		}
	}
}

// TestFileThatAppearedUnreadIsRead rotates a file that appeared while the session was open, and of which nothing was read,
// while the agent is down.
func TestFileThatAppearedUnreadIsRead(t *testing.T) {
	b := newBench(t)
	if err := os.Remove(b.log); err != nil {
		t.Fatal(err)
	}
	b.start()
	b.server.want(desire("sess_a", wire.Filters{}))
	b.report(wire.ReportOpen)
	for range 2 { // what is known of the beginning outlives each life
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		b.start()
		b.report(wire.ReportOpen)
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	b.write("first\n")
	if err := os.Rename(b.log, b.log+".1"); err != nil {
		t.Fatal(err)
	}
	b.write("second\n")
	b.start()
	for seq, want := range []string{"first", "second"} {
		if log := receive(t, "frame "+want, b.server.frames); log.Message != want || log.Seq != uint64(seq)+1 {
			t.Errorf("event %d is %q, want event %d %q", log.Seq, log.Message, seq+1, want)
		}
	}
}

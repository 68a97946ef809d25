package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/agent"
	"github.com/spilelog/spile/agent/source/file"
	"github.com/spilelog/spile/wire"
)

// patience bounds how long a test waits for what must come.
const patience = time.Minute

// bench is an agent under test with its files and its server.
type bench struct {
	t      *testing.T
	server *fakeServer
	log    string
	cfg    agent.Config
	stop   func() error // ends the agent and returns what Run returned
}

// newBench makes an agent that follows one file, not started yet.
func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, server: newFakeServer(t), log: filepath.Join(dir, "app.log")}
	b.cfg = agent.Config{
		Server: b.server.http.URL, EnrolTokenFile: token, Data: filepath.Join(dir, "data"), Name: "edge-1",
		Files: []file.Spec{{Source: "app", Glob: b.log}}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	b.write("before the agent\n")
	return b
}

// start runs the agent.
func (b *bench) start() {
	b.t.Helper()
	a, err := agent.New(b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	ended := false
	b.stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-done
	}
	b.t.Cleanup(func() { _ = b.stop() })
}

// write appends to the file.
func (b *bench) write(text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.WriteString(text); err != nil {
		b.t.Fatal(err)
	}
}

// receive takes one thing that the server got.
func receive[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s came", what)
		panic("unreachable")
	}
}

// report waits for a report of the given state.
func (b *bench) report(state wire.ReportState) wire.Report {
	b.t.Helper()
	for {
		if r := receive(b.t, "report "+string(state), b.server.reports); r.State == state {
			return r
		}
	}
}

// desire is a session of a minute.
func desire(id string, filters wire.Filters) wire.DesiredSession {
	return wire.DesiredSession{ID: id, RemainingMS: 60_000, Filters: filters, Mode: wire.ModeComplete}
}

func TestSessionStreamsWhatPasses(t *testing.T) {
	b := newBench(t)
	b.start()
	b.server.want(desire("sess_a", wire.Filters{Level: wire.Strings{"ERROR"}, Pattern: "user=4"}))
	b.report(wire.ReportOpen)
	b.write("level=info msg=one user=4\nlevel=error msg=two user=5\nlevel=error msg=three user=4 file=x.go\n")
	log := receive(t, "frame", b.server.frames)
	if log.Message != "three" || log.Level != "ERROR" || log.Source != "app" || log.Seq != 1 || log.Epoch != 1 {
		t.Errorf("frame %+v, want event 1 of epoch 1, error three of app", log)
	}
	for _, want := range []string{`"file":"` + b.log + `"`, `"parsed_file":"x.go"`, `"offset":`, `"host":`, `"user":`} {
		if !strings.Contains(string(log.Metadata), want) {
			t.Errorf("metadata %s lacks %s", log.Metadata, want)
		}
	}
	b.server.want()
	closed := b.report(wire.ReportClosed)
	if a := closed.Accounts; !a.Closes() || a.Seen != 3 || a.Filtered != 2 || a.Sent != 1 {
		t.Errorf("accounts %+v, want 3 seen, 2 filtered, 1 sent", a)
	}
	if err := b.stop(); err != nil {
		t.Errorf("run: %v", err)
	}
}

func TestSessionGoesOnAfterCutAndRestart(t *testing.T) {
	b := newBench(t)
	b.start()
	b.server.want(desire("sess_a", wire.Filters{}))
	b.report(wire.ReportOpen)
	next := 0
	lines := func(n int) {
		for range n {
			b.write(fmt.Sprintf("line %d\n", next))
			next++
		}
	}
	var seq uint64
	check := func() {
		t.Helper()
		for want := seq + 1; want <= uint64(next); {
			log := receive(t, "frame", b.server.frames)
			if log.Seq <= seq {
				continue // a resend of what an ack did not reach the agent for
			}
			if log.Seq != want || log.Message != fmt.Sprintf("line %d", want-1) {
				t.Fatalf("event %d %q, want event %d", log.Seq, log.Message, want)
			}
			seq, want = log.Seq, want+1
		}
	}
	lines(100)
	check()
	for range 5 {
		b.server.cut()
		lines(50)
		check()
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		lines(50)
		b.start()
		check()
	}
}

func TestLiveDropsWithoutCreditAndSaysSo(t *testing.T) {
	b := newBench(t)
	b.server.credit, b.server.ack = 1, false
	b.start()
	d := desire("sess_a", wire.Filters{})
	d.Mode = wire.ModeLive
	b.server.want(d)
	b.report(wire.ReportOpen)
	const lines = 5000
	for n := range lines {
		b.write(fmt.Sprintf("line %d %s\n", n, strings.Repeat("x", 100)))
	}
	var last wire.Report
	for last.Accounts.Seen < lines {
		last = b.report(wire.ReportStats)
	}
	if a := last.Accounts; !a.Closes() || a.Dropped[wire.ReasonBufferOverrun] == 0 {
		t.Fatalf("accounts %+v: want drops for lack of credit, and a sum that closes", a)
	}
	b.server.mu.Lock()
	b.server.credit, b.server.ack = wire.WindowBytes, true
	conn := b.server.conn
	b.server.mu.Unlock()
	b.server.send(t.Context(), conn, wire.LinkAck,
		wire.Ack{Session: "sess_a", Epoch: 1, Item: 1, Credit: wire.WindowBytes, Attached: true})
	gap := receive(t, "gap", b.server.gaps)
	if gap.Reason != wire.ReasonBufferOverrun || gap.Count != gap.To-gap.From+1 || gap.Unit != wire.UnitEvents {
		t.Errorf("gap %+v: want one in events for lack of credit", gap)
	}
}

func TestLongLineIsCutAndTheNextIntact(t *testing.T) {
	b := newBench(t)
	b.start()
	b.server.want(desire("sess_a", wire.Filters{}))
	b.report(wire.ReportOpen)
	b.write(strings.Repeat("y", 300_000) + "\nnext\n")
	long := receive(t, "frame", b.server.frames)
	mark := `"truncated":true,"original_bytes":300000`
	if len(long.Message) != wire.MaxLine || !strings.Contains(string(long.Metadata), mark) {
		t.Errorf("message of %d bytes, metadata %s; want %d bytes and the mark of a cut line",
			len(long.Message), long.Metadata, wire.MaxLine)
	}
	if next := receive(t, "frame", b.server.frames); next.Message != "next" {
		t.Errorf("message %q, want the next line intact", next.Message)
	}
}

func TestSessionEndsByItself(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxSession = time.Second
	b.start()
	b.server.want(desire("sess_a", wire.Filters{}))
	b.report(wire.ReportOpen)
	if r := b.report(wire.ReportClosed); !r.Accounts.Closes() {
		t.Errorf("accounts %+v do not close", r.Accounts)
	}
}

func TestLastWordIsSaidAgain(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxSession = time.Second
	b.start()
	b.server.want(desire("sess_a", wire.Filters{}))
	b.report(wire.ReportClosed)
	b.server.cut()
	b.report(wire.ReportClosed)
}

func TestNoRestartWidensTheAgentsOwnLimit(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxSession = time.Minute
	b.start()
	d := desire("sess_a", wire.Filters{})
	d.AgeMS = 61_000
	b.server.want(d)
	if r := b.report(wire.ReportRefused); r.Error == nil || r.Error.Code != wire.CodeSessionEnded {
		t.Errorf("refused with %v, want %s", r.Error, wire.CodeSessionEnded)
	}
}

func TestLimitedSessionDoesNotHoldBackWhatItLetThrough(t *testing.T) {
	b := newBench(t)
	b.cfg.MaxRate = 10
	b.start()
	b.server.want(desire("sess_a", wire.Filters{}))
	b.report(wire.ReportOpen)
	// One block, of which the limit lets ten lines through at once and the rest in ten seconds.
	b.write(strings.Repeat("line\n", 110))
	began := time.Now()
	for range 12 {
		receive(t, "frame", b.server.frames)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("12 frames took %v: they waited for the end of the block", took)
	}
}

func TestEndAnnouncesWhatWasNotSent(t *testing.T) {
	b := newBench(t)
	b.server.credit, b.server.ack = 1, false
	b.start()
	d := desire("sess_a", wire.Filters{})
	d.Mode = wire.ModeLive
	b.server.want(d)
	b.report(wire.ReportOpen)
	const lines = 5000
	b.write(strings.Repeat(strings.Repeat("x", 100)+"\n", lines))
	for seen := uint64(0); seen < lines; {
		seen = b.report(wire.ReportStats).Accounts.Seen
	}
	b.server.want()
	closed := b.report(wire.ReportClosed)
	got := uint64(len(b.server.frames))
	for len(b.server.gaps) > 0 {
		got += (<-b.server.gaps).Count
	}
	if got != lines || !closed.Accounts.Closes() {
		t.Errorf("%d events sent or announced, want %d; accounts %+v", got, lines, closed.Accounts)
	}
}

func TestNameInUseEndsTheAgent(t *testing.T) {
	b := newBench(t)
	b.server.refuse = wire.Errorf(wire.CodeConflict, "name edge-1 is in use by agent 1234")
	a, err := agent.New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = a.Run(t.Context())
	var refused *wire.Error
	if !errors.As(err, &refused) || refused.Code != wire.CodeConflict {
		t.Errorf("run: %v, want the server's conflict", err)
	}
}

func TestDataFolderHasOneAgent(t *testing.T) {
	b := newBench(t)
	b.start()
	b.server.want(desire("sess_a", wire.Filters{}))
	b.report(wire.ReportOpen)
	second, err := agent.New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	var refused *wire.Error
	if err := second.Run(t.Context()); !errors.As(err, &refused) || refused.Code != wire.CodeConflict {
		t.Errorf("run: %v, want a conflict over the folder", err)
	}
}

func TestMetricsCountWhatIsWritten(t *testing.T) {
	b := newBench(t)
	b.cfg.MetricsInterval = 50 * time.Millisecond
	b.start()
	receive(t, "metrics", b.server.metrics)
	b.write("level=error msg=a\nlevel=info msg=b\nlevel=info msg=c\n")
	for {
		m := receive(t, "metrics", b.server.metrics)
		if len(m.Sources) == 0 {
			continue
		}
		s := m.Sources[0]
		if s.Lines != 3 || s.Levels[5] != 1 || s.Levels[2] != 2 || s.Bytes != 52 {
			t.Errorf("counts %+v, want 3 lines of 52 bytes, 1 error and 2 info", s)
		}
		return
	}
}

func TestConfigIsChecked(t *testing.T) {
	good := func() agent.Config {
		return agent.Config{
			Server: "http://127.0.0.1:1", Data: t.TempDir(), Name: "edge-1", Files: []file.Spec{{Glob: "/var/log/x.log"}},
		}
	}
	tests := []struct {
		name   string
		change func(*agent.Config)
		field  string
	}{
		{"no-server", func(c *agent.Config) { c.Server = "" }, "server"},
		{"no-data", func(c *agent.Config) { c.Data = "" }, "data"},
		{"bad-name", func(c *agent.Config) { c.Name = "a b" }, "name"},
		{"no-files", func(c *agent.Config) { c.Files = nil }, "files"},
		{"session-too-long", func(c *agent.Config) { c.MaxSession = 2 * time.Hour }, "max_session"},
		{"negative-rate", func(c *agent.Config) { c.MaxRate = -1 }, "max_rate"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := good()
			tt.change(&cfg)
			_, err := agent.New(cfg)
			var refused *wire.Error
			if !errors.As(err, &refused) || refused.Details[tt.field] == "" {
				t.Errorf("error %v, want one about %s", err, tt.field)
			}
		})
	}
}

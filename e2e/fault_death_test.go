package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// faultAgentKill kills the agent at random moments while lines are written: the viewer is told within 10 s, the session
// stays, the journal can be read, and every line comes once or is announced.
func faultAgentKill(t *testing.T) {
	const perKill = 400
	kills := times(6, 50)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	lines := 1 + kills*3*perKill
	led := newLedger(t, lines)
	led.seen[0] = 1
	written := 1
	more := func() {
		appendLines(t, log, written, written+perKill)
		written += perKill
	}
	var worst time.Duration
	for range kills {
		more()
		<-time.After(rand.N(30 * time.Millisecond))
		more()
		agent.kill()
		began := time.Now()
		led.readTo(ctx, stream, "the agent's absence", told(wire.StreamUnreachable))
		worst = max(worst, time.Since(began))
		journals(t, filepath.Join(f.dir, "edge-1"))
		if one, err := f.client.Session(ctx, id); err != nil || one.Status != wire.StatusActive {
			t.Fatalf("the session is %+v, %v; want it active", one, err)
		}
		more()
		agent = f.startAgent("edge-1", "app="+log)
		led.readTo(ctx, stream, "the agent's return", told(wire.StreamStreaming))
	}
	within(t, "the viewer was told of the agent's death", worst, 10*time.Second)
	led.readSome(ctx, stream, lines-1)
	led.finish(ctx, f, stream, id)
	led.whole()
}

// whole checks that every line came once or was announced.
func (l *ledger) whole() {
	l.t.Helper()
	missing := uint64(len(l.missing()))
	l.t.Logf("%d lines: %d missing, %d announced, %d doubled, %d out of order",
		len(l.seen), missing, l.gapped, l.doubled, l.swapped)
	if missing != l.gapped || l.doubled > 0 || l.swapped > 0 {
		l.t.Errorf("%d missing, %d announced, %d doubled, %d out of order; want all missing announced, the rest none",
			missing, l.gapped, l.doubled, l.swapped)
	}
}

// journals checks that each journal of a dead agent is whole but for a torn last line, and returns how many there are.
func journals(t *testing.T, data string) int {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(data, "sessions", "*.journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		end := bytes.LastIndexByte(text, '\n') + 1
		for line := range bytes.Lines(text[:end]) {
			if !json.Valid(line) {
				t.Errorf("%s holds a line that is no JSON: %.80q", filepath.Base(name), line)
			}
		}
	}
	return len(names)
}

// faultAgentCrashPoints kills the agent on its way into the system calls by which it takes up a session again and
// writes its journal. What the dead agents leave must be enough for the next.
func faultAgentCrashPoints(t *testing.T) {
	const perPoint = 500
	points := []string{"renameat:1", "fcntl:20", "openat:45", "write:4", "write:12", "write:50", "unlinkat:1", "fsync:1", "fsync:2"}
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	agent := f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	written, lines := 1, 1+(2*len(points)+1)*perPoint
	led := newLedger(t, lines)
	led.seen[0] = 1
	more := func() {
		appendLines(t, log, written, written+perPoint)
		written += perPoint
	}
	more()
	led.readSome(ctx, stream, written-1)
	agent.kill()
	for _, point := range points {
		if point == "unlinkat:1" { // the agent deletes a journal: one of a session that is over
			write(t, filepath.Join(f.dir, "edge-1", "sessions", "sess_over.journal"), "")
		}
		call, when, _ := strings.Cut(point, ":")
		more()
		traced := f.traceAgent("app="+log, "-e", "trace="+call, "-e", "inject="+call+":signal=KILL:when="+when)
		writing := true
		for writing {
			select {
			case <-traced.done:
				writing = false
			case <-time.After(20 * time.Millisecond):
				write(t, log, "between the numbered lines\n")
			case <-ctx.Done():
				t.Fatalf("the agent does not come to %s; it printed:\n%s", point, traced.out)
			}
		}
		journals(t, filepath.Join(f.dir, "edge-1"))
		more()
	}
	f.startAgent("edge-1", "app="+log)
	led.readSome(ctx, stream, lines-1)
	led.finish(ctx, f, stream, id)
	led.whole()
}

// traceAgent starts an agent under strace, which makes system calls fail as its arguments say. It does not wait until
// the agent is online.
func (f *fleet) traceAgent(glob string, args ...string) *process {
	f.t.Helper()
	path, err := binary()
	if err != nil {
		f.t.Fatal(err)
	}
	args = append(append([]string{"-f", "-qq", "-o", filepath.Join(f.t.TempDir(), "trace")}, args...), path)
	cmd := exec.Command("strace", append(args, f.agentArgs(f.url(), "edge-1", glob)...)...)
	// strace does not take its child along when it is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := launch(f.t, "agent", cmd)
	f.t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return p
}

// faultPartialLine kills the agent when half a line is written: it comes once and whole when it is finished.
func faultPartialLine(t *testing.T) {
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	write(t, log, "before\n")
	agent := f.startAgent("edge-1", "app="+log)
	ctx, _, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	want := []string{}
	for n := range times(3, 50) {
		whole := fmt.Sprintf("whole line %d", n)
		write(t, log, whole+"\nthe first half ")
		collect(ctx, t, stream, says(whole))
		agent.kill()
		rest := fmt.Sprintf("and the second half %d", n)
		agent = f.startAgent("edge-1", "app="+log)
		f.until("the agent has opened the session again", func() bool {
			return strings.Contains(agent.out.String(), "session_opened")
		})
		write(t, log, rest+"\n")
		want = append(want, whole, "the first half "+rest)
		got := collect(ctx, t, stream, says(rest))
		if len(got) != 1 || got[0].Log.Message != "the first half "+rest {
			t.Fatalf("after the agent's death came %s, want the line once and whole", messages(got))
		}
	}
	t.Logf("%d lines came once and whole", len(want))
}

// messages are the messages of log frames.
func messages(frames []client.Frame) string {
	var out []string
	for _, frame := range frames {
		out = append(out, fmt.Sprintf("%.200q", frame.Log.Message))
	}
	return fmt.Sprint(out)
}

// ticketed is the status of a stream's answer to a ticket.
func (f *fleet) ticketed(ctx context.Context, id, ticket string) int {
	f.t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url()+"/api/v1/stream/sse/"+id+"?ticket="+ticket, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// ticket asks for a ticket for a session.
func (f *fleet) ticket(ctx context.Context, id string) string {
	f.t.Helper()
	body := strings.NewReader(`{"session_id":"` + id + `"}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url()+"/api/v1/stream/ticket", body)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token())
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer wire.TicketResponse
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Ticket == "" {
		f.t.Fatalf("no ticket: %s, %v", resp.Status, err)
	}
	return answer.Ticket
}

// faultServerKill kills the server while lines are written: the session keeps its end, the agent and the viewer come
// back by themselves, every line comes once or is announced, and a ticket of the dead server is refused in so many words.
func faultServerKill(t *testing.T) {
	const perKill = 500
	kills := times(5, 50)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete, Reason: "the server is killed"})
	before, err := f.client.Session(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	unused := f.ticket(ctx, id)
	lines := 1 + kills*2*perKill
	led := newLedger(t, lines)
	led.seen[0] = 1
	written := 1
	for range kills {
		appendLines(t, log, written, written+perKill)
		led.readSome(ctx, stream, written+rand.IntN(perKill))
		f.server.kill()
		appendLines(t, log, written+perKill, written+2*perKill)
		written += 2 * perKill
		f.startServer()
		f.online("edge-1")
	}
	led.readSome(ctx, stream, lines-1)
	if got := f.ticketed(ctx, id, unused); got != http.StatusUnauthorized {
		t.Errorf("a ticket of a dead server is answered with %d, want %d", got, http.StatusUnauthorized)
	}
	if got := f.ticketed(ctx, id, f.ticket(ctx, id)); got != http.StatusOK {
		t.Errorf("a new ticket is answered with %d, want %d", got, http.StatusOK)
	}
	after, err := f.client.Session(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if !after.ExpiresAt.Equal(before.ExpiresAt.Time) || !after.StartedAt.Equal(before.StartedAt.Time) ||
		after.Reason != before.Reason || after.CreatedBy != before.CreatedBy {
		t.Errorf("the session was %+v, and after %d kills it is %+v", before, kills, after)
	}
	led.finish(ctx, f, stream, id)
	led.whole()
}

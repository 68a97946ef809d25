package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// far is the address by which one side reaches the server, so that the network can be cut for it alone.
const far = "127.0.0.2"

// cutNetwork drops, or with the target REJECT refuses, all packets to and from an address.
func cutNetwork(t *testing.T, address, target string) {
	t.Helper()
	how := []string{target}
	if target == "REJECT" {
		how = append(how, "--reject-with", "tcp-reset")
	}
	for _, side := range []string{"-s", "-d"} {
		rule := []string{"-w", "-A", "INPUT", "-p", "tcp", side, address}
		if target == "REJECT" { // the word of the refusal comes through
			rule = append(rule, "--tcp-flags", "RST", "NONE")
		}
		command(t, "iptables", slices.Concat(rule, []string{"-j"}, how)...)
	}
}

// healNetwork lets all packets through again.
func healNetwork(t *testing.T) {
	t.Helper()
	command(t, "iptables", "-w", "-F", "INPUT")
}

// road is a network between agent and server that can be cut.
type road struct {
	// host is where the agent reaches the server, wrap the command that runs the agent at its end of the road.
	host      string
	wrap      []string
	cut, heal func()
}

// filtered is a road whose packets the kernel drops or refuses.
func filtered(t *testing.T, target string) road {
	return road{host: far, wrap: []string{"env"}, cut: func() { cutNetwork(t, far, target) }, heal: func() { healNetwork(t) }}
}

// wired is a road over two network cards with a cable between them, of which one is in a network of its own.
func wired(t *testing.T) road {
	t.Helper()
	command(t, "mount", "-t", "tmpfs", "none", "/run") // ip has its names there
	for _, line := range []string{
		"netns add edge", "link add card type veth peer name card netns edge",
		"addr add 10.9.0.1/24 dev card", "link set card up",
		"-n edge addr add 10.9.0.2/24 dev card", "-n edge link set card up",
	} {
		command(t, "ip", strings.Fields(line)...)
	}
	return road{
		host: "10.9.0.1", wrap: []string{"ip", "netns", "exec", "edge"},
		cut:  func() { command(t, "ip", "link", "set", "card", "down") },
		heal: func() { command(t, "ip", "link", "set", "card", "up") },
	}
}

// cutLine fills the network between agent and server with silence: both notice within 15 s, the agent's memory does
// not grow with what is written meanwhile, and when the network is back every line comes.
func cutLine(t *testing.T, lay func(*testing.T) road, silent int) {
	if !isolated(t) {
		return
	}
	f, way := newFleetAt(t, "0.0.0.0"), lay(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	args := f.agentArgs("http://"+net.JoinHostPort(way.host, itoa(f.port)), "edge-1", "app="+log)
	agent := launch(t, "agent", exec.Command(way.wrap[0], slices.Concat(way.wrap[1:], []string{path}, args)...))
	f.online("edge-1")
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	const around = 20_000
	lines := 1 + around + silent
	led := newLedger(t, lines)
	led.seen[0] = 1
	appendLines(t, log, 1, around/2)
	led.readSome(ctx, stream, around/2-1)
	way.cut()
	cut := time.Now()
	appendLines(t, log, around/2, around/2+silent)
	led.readTo(ctx, stream, "the agent's absence", told(wire.StreamUnreachable))
	within(t, "the viewer was told", time.Since(cut), 15*time.Second)
	f.until("the agent notices", func() bool { return strings.Contains(agent.out.String(), "link_lost") })
	within(t, "the agent noticed", time.Since(cut), 15*time.Second)
	most := rss(t, agent, "VmHWM")
	t.Logf("the agent had %d MiB at most while %d MB were written", most>>20, silent*len(lineText(0))/1e6)
	if most > 64<<20 {
		t.Errorf("the agent took %d MiB, want 64 MiB at most", most>>20)
	}
	way.heal()
	appendLines(t, log, around/2+silent, lines)
	led.readSome(ctx, stream, lines-1)
	led.finish(ctx, f, stream, id)
	led.whole()
}

// faultHalfOpen loses every packet between agent and server, both ways, without a word.
func faultHalfOpen(t *testing.T) {
	cutLine(t, func(t *testing.T) road { return filtered(t, "DROP") }, times(400_000, 4_000_000))
}

// faultReject has the kernel refuse every packet between agent and server.
func faultReject(t *testing.T) {
	cutLine(t, func(t *testing.T) road { return filtered(t, "REJECT") }, 50_000)
}

// faultLinkDown pulls the cable between agent and server.
func faultLinkDown(t *testing.T) { cutLine(t, wired, 50_000) }

// rawViewer is a viewer without our client: it reads only when it is told to.
type rawViewer struct {
	conn net.Conn
	read *bufio.Reader
}

// rawView asks for a stream over plain HTTP, with a receive buffer of the given size if that is not 0.
func (f *fleet) rawView(host, form, id, query string, buffer int) *rawViewer {
	f.t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		if buffer == 0 {
			return nil
		}
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, buffer)
		})
		if err != nil {
			return err
		}
		return failed
	}}
	conn, err := dialer.DialContext(f.t.Context(), "tcp", net.JoinHostPort(host, itoa(f.port)))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	upgrade := ""
	if form == "ws" {
		upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	}
	request := fmt.Sprintf("GET /api/v1/stream/%s/%s?%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n%s\r\n",
		form, id, query, host, f.token(), upgrade)
	if _, err := conn.Write([]byte(request)); err != nil {
		f.t.Fatal(err)
	}
	v := &rawViewer{conn: conn, read: bufio.NewReaderSize(conn, 16)}
	status, err := v.read.ReadString('\n')
	if err != nil || !strings.Contains(status, " 200 ") && !strings.Contains(status, " 101 ") {
		f.t.Fatalf("%s answers %q, %v", form, status, err)
	}
	return v
}

// faultViewerVanishes takes the network from viewers of every form without a word, idle ones and ones that are being
// written to. The server frees them, and with the last one the agent stops reading.
func faultViewerVanishes(t *testing.T) {
	if !isolated(t) {
		return
	}
	f := newFleetAt(t, "0.0.0.0")
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	hour := 3600
	ids := map[string]string{}
	for _, form := range []string{"ws", "sse", "ndjson"} {
		for _, query := range []string{"", "events=all"} {
			for _, filters := range []wire.Filters{{}, {Pattern: "no line has this"}} {
				id := f.session(wire.StartRequest{AgentID: "edge-1", TimeoutSeconds: &hour, Filters: filters})
				f.rawView(far, form, id, query, 0)
				ids[id] = fmt.Sprintf("%s?%s with the pattern %q", form, query, filters.Pattern)
			}
		}
	}
	viewers := func(id string) int {
		one, err := f.client.Session(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return one.Viewers
	}
	for id, what := range ids {
		f.until(what+" watches", func() bool { return viewers(id) == 1 })
	}
	appendLines(t, log, 1, 100)
	cutNetwork(t, far, "DROP")
	cut := time.Now()
	// The frame of a write that comes now is on its way when the network is gone, and is never acknowledged.
	for len(ids) > 0 && time.Since(cut) < 2*patience {
		<-time.After(200 * time.Millisecond)
		appendLines(t, log, 0, 1)
		for id, what := range ids {
			if viewers(id) == 0 {
				within(t, what+" was freed", time.Since(cut), 30*time.Second)
				delete(ids, id)
			}
		}
	}
	for _, what := range ids {
		t.Errorf("%s is still there after %v", what, time.Since(cut))
	}
	f.until("the agent stops reading", func() bool { return f.stopsReading(log) })
}

// stopsReading says whether the accounts of all sessions stay while lines are written.
func (f *fleet) stopsReading(log string) bool {
	seen := func() uint64 {
		list, err := f.client.Sessions(f.t.Context(), "active")
		if err != nil {
			f.t.Fatal(err)
		}
		var sum uint64
		for _, one := range list.Sessions {
			for _, a := range one.Accounts.Agents {
				sum += a.Seen
			}
		}
		return sum
	}
	before := seen()
	appendLines(f.t, log, 0, 100)
	<-time.After(2 * wire.StatsInterval)
	return seen() == before
}

// faultSlowViewer has one viewer stop reading while a good one reads: the good one is as fast as before, the server's
// memory stays bounded, and the slow one is given all that left the ring once more when it reads again.
func faultSlowViewer(t *testing.T) {
	const (
		lines  = 200_000 // many times the ring, and read well before a viewer that stands still is ended
		before = 20_000
	)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	led := newLedger(t, lines)
	led.seen[0] = 1
	alone := pacedRead(ctx, t, led, stream, log, 1, before)
	slow := f.rawView("127.0.0.1", "ndjson", id, "events=all", 64<<10)
	silent := f.rawView("127.0.0.1", "ws", id, "events=all", 64<<10)
	f.until("all three watch", func() bool {
		one, err := f.client.Session(ctx, id)
		return err == nil && one.Viewers == 3
	})
	memory := rss(t, f.server, "VmRSS")
	beside := pacedRead(ctx, t, led, stream, log, before, 2*before)
	storm := make(chan error, 1)
	go func() { storm <- writeLines(log, 2*before, lines) }()
	led.readSome(ctx, stream, lines-1)
	if err := <-storm; err != nil {
		t.Fatal(err)
	}
	grown := (rss(t, f.server, "VmHWM") - memory) >> 20
	t.Logf("a good viewer's p99 was %v alone and %v beside two that stand still; the server grew by %d MiB",
		alone, beside, grown)
	if beside > 2*alone+250*time.Millisecond {
		t.Errorf("the good viewer's p99 went from %v to %v", alone, beside)
	}
	if grown > 64 {
		t.Errorf("the server grew by %d MiB, want 64 at most", grown)
	}
	if err := slow.conn.(*net.TCPConn).SetReadBuffer(1 << 20); err != nil {
		t.Fatal(err)
	}
	got, gapped := slow.account(t, lines-before)
	if got != lines-before || gapped != 0 {
		t.Errorf("the slow viewer got %d events and was told of %d it missed, want all %d", got, gapped, lines-before)
	}
	if long() {
		began := time.Now()
		f.until("the viewer that stands still is ended", func() bool {
			one, err := f.client.Session(ctx, id)
			return err == nil && one.Viewers == 2
		})
		within(t, "the viewer that stands still was ended", time.Since(began), 2*wire.SlowViewer)
	}
	_ = silent.conn.Close()
	_ = slow.conn.Close()
	led.finish(ctx, f, stream, id)
	led.whole()
}

// pacedRead writes lines at 10,000 a second, reads them, and returns the 99th percentile of the time from the one to
// the other.
func pacedRead(ctx context.Context, t *testing.T, led *ledger, s *client.Stream, log string, from, to int) time.Duration {
	t.Helper()
	const burst = 100
	wrote := make([]time.Time, to-from)
	done := make(chan error, 1)
	go func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for n := from; n < to; n += burst {
			<-tick.C
			for i := n; i < min(n+burst, to); i++ {
				wrote[i-from] = time.Now()
			}
			if err := writeLines(log, n, min(n+burst, to)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	came := make([]time.Time, to-from)
	for last := from; last < to; {
		frame, err := s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if led.take(frame); frame.Log != nil {
			came[last-from] = time.Now()
			last++
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	took := make([]time.Duration, len(came))
	for i := range came {
		took[i] = came[i].Sub(wrote[i])
	}
	return percentile(took, 99)
}

// account reads an NDJSON stream until so many events came or were announced.
func (v *rawViewer) account(t *testing.T, events uint64) (got, gapped uint64) {
	t.Helper()
	// To close the body would read it to its end; the caller closes the connection.
	resp, err := http.ReadResponse(bufio.NewReader(io.MultiReader(
		strings.NewReader("HTTP/1.1 200 OK\r\n"), v.read)), nil)
	if err != nil {
		t.Fatal(err)
	}
	scan := bufio.NewScanner(resp.Body)
	scan.Buffer(nil, 1<<20)
	for got+gapped < events && scan.Scan() {
		frame := decode(t, scan.Bytes())
		switch c := frame.Control; {
		case frame.Log != nil:
			got++
		case c.Event == wire.EventGap && c.Unit == wire.UnitEvents:
			gapped += c.Count
		}
	}
	if err := scan.Err(); err != nil {
		t.Errorf("the slow viewer got %d and %d: %v", got, gapped, err)
	}
	return got, gapped
}

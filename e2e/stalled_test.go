//go:build soak

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// The limits of TestSoakStalledViewers.
const (
	stalledExtra = 64 << 20
	freedWithin  = 5 * time.Second
	// freedSlack is what the heap of a server under a storm may differ by from one moment to another.
	freedSlack = 8 << 20
)

// footprint is what a server holds.
type footprint struct{ rss, heap, goroutines, files float64 }

// footprint reads what the server holds now.
func (f *fleet) footprint(t *testing.T) footprint {
	t.Helper()
	g := f.gauges(t)
	return footprint{
		rss:        g["process_resident_memory_bytes"],
		heap:       g["go_memstats_heap_inuse_bytes"] + g["go_memstats_stack_inuse_bytes"],
		goroutines: g["go_goroutines"],
		files:      g["process_open_fds"],
	}
}

// most is the larger of each.
func (p footprint) most(q footprint) footprint {
	return footprint{
		max(p.rss, q.rss), max(p.heap, q.heap), max(p.goroutines, q.goroutines), max(p.files, q.files),
	}
}

// String is the footprint in few words.
func (p footprint) String() string {
	return fmt.Sprintf("%.1f MB resident, %.1f MB heap and stacks, %.0f goroutines, %.0f files", p.rss/1e6, p.heap/1e6,
		p.goroutines, p.files)
}

// delays are the times from write to viewer.
type delays struct {
	mu   sync.Mutex
	list []time.Duration // since the last call of p99, guarded by mu
}

// add notes the delay of a line.
func (d *delays) add(one time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, one)
}

// p99 is that of the lines since it was asked last, and how many they were.
func (d *delays) p99() (at99 time.Duration, lines int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	slices.Sort(d.list)
	if lines = len(d.list); lines > 0 {
		at99 = d.list[lines*99/100]
	}
	d.list = d.list[:0]
	return at99, lines
}

// TestSoakStalledViewers connects many viewers that read nothing to a session under a storm. They must cost little, the
// one viewer that reads must not feel them, and nothing may stay of them when they have gone.
func TestSoakStalledViewers(t *testing.T) {
	viewers, calm, stall := soak(200, 1000), soak(2*time.Second, 20*time.Second), soak(4*time.Second, 60*time.Second)
	// A viewer stands still only when the kernel takes no more for it.
	fills := soak(time.Second, 10*time.Second)
	perSecond := soak(10_000, 50_000)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	timeout := 3600
	id := f.session(wire.StartRequest{AgentID: "edge-1", TimeoutSeconds: &timeout})
	ctx, cancel := context.WithCancel(t.Context())
	stream := f.watch(ctx, id)
	var good delays
	var group sync.WaitGroup
	group.Go(func() { good.follow(ctx, stream) })
	wrote := make(chan error, 1)
	go func() { wrote <- stampedStorm(ctx, log, perSecond) }()
	// What is first used stays; the figures are of a server that is at work.
	f.hold(t, calm/2, nil)
	good.p99()
	before := f.hold(t, calm, nil)
	p99Before, linesBefore := good.p99()
	stalled := &crowd{fleet: f, id: id, others: int(f.footprint(t).files)}
	stalled.fill(t, viewers)
	f.until("the viewers are there", func() bool { return stalled.viewers() > viewers })
	good.p99()
	during := f.hold(t, fills, nil)
	p99Filling, linesFilling := good.p99()
	during = during.most(f.hold(t, stall, func() { stalled.fill(t, viewers) }))
	p99During, linesDuring := good.p99()
	stalled.close()
	closed := time.Now()
	var after footprint
	free := func() bool {
		after = f.footprint(t)
		s, err := f.client.Session(ctx, id)
		return err == nil && s.Viewers == 1 && after.heap <= before.heap+freedSlack &&
			after.goroutines <= before.goroutines+4 && after.files <= before.files+4
	}
	f.until("the server is free of the stalled viewers", free)
	freed := time.Since(closed)
	cancel()
	group.Wait()
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	t.Logf("before: %s; p99 %v of %d lines", before, p99Before, linesBefore)
	t.Logf("while buffers of the kernel fill for %d viewers: p99 %v of %d lines", viewers, p99Filling, linesFilling)
	t.Logf("with %d stalled viewers (%d connections in all) for %v: %s; p99 %v of %d lines", viewers, stalled.made, stall,
		during, p99During, linesDuring)
	t.Logf("%v after they closed: %s", freed.Round(time.Millisecond), after)
	if extra := during.rss - before.rss; extra > stalledExtra {
		t.Errorf("%d stalled viewers cost %.1f MB, want at most %.1f", viewers, extra/1e6, stalledExtra/1e6)
	}
	if linesDuring == 0 {
		t.Error("the viewer that reads got nothing")
	}
	if !soaking() {
		return
	}
	// Below the floor it is the machine that is measured.
	if limit := max(2*p99Before, 20*time.Millisecond); p99During > limit {
		t.Errorf("the p99 of the viewer that reads went from %v to %v, want at most %v", p99Before, p99During, limit)
	}
	if freed > freedWithin {
		t.Errorf("freed after %v, want %v", freed, freedWithin)
	}
}

// hold lets time pass and returns the most that the server held meanwhile; each second it calls again, if given.
func (f *fleet) hold(t *testing.T, length time.Duration, again func()) footprint {
	t.Helper()
	var most footprint
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(length); time.Now().Before(end); <-tick.C {
		most = most.most(f.footprint(t))
		if again != nil {
			again()
		}
	}
	return most.most(f.footprint(t))
}

// stampMark begins a line of the storm; the time of its writing follows, in Unix nanoseconds.
const stampMark = "stamp "

// stampedStorm writes lines with the time of their writing until ctx ends.
func stampedStorm(ctx context.Context, path string, perSecond int) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	const ticks = 200
	tick := time.NewTicker(time.Second / ticks)
	defer tick.Stop()
	var buf []byte
	for ctx.Err() == nil {
		buf = buf[:0]
		now := time.Now().UnixNano()
		for range perSecond / ticks {
			buf = fmt.Appendf(buf, "%s%d of a storm that some do not want to see, padded as usual\n", stampMark, now)
		}
		if _, err := file.Write(buf); err != nil {
			return err
		}
		<-tick.C
	}
	return nil
}

// follow notes the delays of a stream until ctx ends.
func (d *delays) follow(ctx context.Context, stream *client.Stream) {
	for {
		frame, err := stream.Next(ctx)
		if err != nil {
			return
		}
		var stamp int64
		if frame.Log == nil {
			continue
		}
		if text, ok := strings.CutPrefix(frame.Log.Message, stampMark); ok {
			for i := 0; i < len(text) && text[i] >= '0' && text[i] <= '9'; i++ {
				stamp = stamp*10 + int64(text[i]-'0')
			}
			d.add(time.Since(time.Unix(0, stamp)))
		}
	}
}

// crowd are viewers that read nothing.
type crowd struct {
	*fleet
	id string
	// others is how many files the server has open beside their connections.
	others int
	conns  []net.Conn
	made   int
}

// fill connects as many viewers as lack: the server ends those that read nothing for long, and others take their places
// once it has let go of them.
func (c *crowd) fill(t *testing.T, viewers int) {
	t.Helper()
	token := c.token()
	for range c.others + viewers - int(c.footprint(t).files) {
		c.conns = append(c.conns, c.stall(t, token))
		c.made++
	}
}

// viewers is how many the session has.
func (c *crowd) viewers() int {
	c.t.Helper()
	s, err := c.client.Session(c.t.Context(), c.id)
	if err != nil {
		c.t.Fatal(err)
	}
	return s.Viewers
}

// stall opens a WebSocket by hand and never reads from it, nor lets the kernel do it.
func (c *crowd) stall(t *testing.T, token string) net.Conn {
	t.Helper()
	addr := strings.TrimPrefix(c.url(), "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(conn, "GET "+wire.BasePath+"/stream/ws/"+c.id+"?batch=1&events=all HTTP/1.1\r\nHost: "+addr+
		"\r\nAuthorization: Bearer "+token+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// close ends all connections.
func (c *crowd) close() {
	for _, conn := range c.conns {
		_ = conn.Close()
	}
}

// gauges reads what the server tells Prometheus of itself: the values without labels, by name.
func (f *fleet) gauges(t *testing.T) map[string]float64 {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, f.url()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %s", resp.Status)
	}
	out := map[string]float64{}
	scan := bufio.NewScanner(resp.Body)
	for scan.Scan() {
		name, text, _ := strings.Cut(scan.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			out[name] = value
		}
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const (
	// probeLimit bounds how long one line may take to be seen.
	probeLimit = 60 * time.Second
	// clockTicks is USER_HZ, which Linux shows to every program as 100.
	clockTicks = 100
	kibi       = 1024
)

// usage is what the agent takes: memory in MiB.
type usage struct {
	rss, pss, peak float64
	fds            int
	cpu            time.Duration
}

// usage reads it from /proc.
func (f *crowd) usage() (usage, error) {
	var u usage
	dir := filepath.Join("/proc", strconv.Itoa(f.agent))
	stat, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return u, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	for _, at := range []int{11, 12} { // utime and stime, counted from the state on
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(n) * time.Second / clockTicks
	}
	if u.rss, err = field(filepath.Join(dir, "status"), "VmRSS:"); err != nil {
		return u, err
	}
	if u.peak, err = field(filepath.Join(dir, "status"), "VmHWM:"); err != nil {
		return u, err
	}
	if u.pss, err = field(filepath.Join(dir, "smaps_rollup"), "Pss:"); err != nil {
		return u, err
	}
	fds, err := os.ReadDir(filepath.Join(dir, "fd"))
	u.fds = len(fds)
	return u, err
}

// field is a number of KiB in a file of /proc, in MiB.
func field(path, name string) (float64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			return float64(n) / kibi, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, name)
}

// delays are the times from write to viewer, sorted by at.
type delays []time.Duration

// at is the quantile q.
func (d delays) at(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

// probe writes a line to one quiet file after another and waits for each at a viewer.
func (f *crowd) probe(ctx context.Context, s *settings) (delays, error) {
	conn, id, err := f.Watch(ctx, "live")
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.CloseNow() }()
	began := time.Now()
	if err := awaitStreaming(ctx, conn); err != nil {
		return nil, err
	}
	fmt.Printf("%-34s %.1f ms\n", "session opened in", ms(time.Since(began)))
	var d delays
	for i := range s.probes {
		mark := fmt.Sprintf("probe-%d-end", i)
		began := time.Now()
		if err := appendTo(f.logs[rand.IntN(len(f.logs))], "level=info msg="+mark+"\n"); err != nil {
			return d, err
		}
		if err := await(ctx, conn, mark); err != nil {
			return d, fmt.Errorf("probe %d: %w", i, err)
		}
		d = append(d, time.Since(began))
	}
	return d, f.Stop(id)
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if _, err := file.WriteString(text); err != nil {
		return err
	}
	return file.Close()
}

// await reads until a message holds mark.
func await(ctx context.Context, conn *websocket.Conn, mark string) error {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if bytes.Contains(data, []byte(mark)) {
			return nil
		}
	}
}

// awaitStreaming reads until the agent is known to stream.
func awaitStreaming(ctx context.Context, conn *websocket.Conn) error {
	return await(ctx, conn, `"streaming"`)
}

// busy writes lines to all files in turn and watches what the agent takes.
func (f *crowd) busy(ctx context.Context, s *settings, row func(name, form string, args ...any)) error {
	var seen int
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if s.session {
		conn, _, err := f.Watch(ctx, "live")
		if err != nil {
			return err
		}
		defer func() { _ = conn.CloseNow() }()
		if err := awaitStreaming(ctx, conn); err != nil {
			return err
		}
		go func() {
			for {
				_, data, err := conn.Read(ctx)
				if err != nil {
					close(done)
					return
				}
				seen += bytes.Count(data, []byte(`{"type":"log",`))
			}
		}()
	}
	before, err := f.usage()
	if err != nil {
		return err
	}
	most := 0.0
	wrote := make(chan error, 1)
	var lines int
	began := time.Now()
	go func() {
		var err error
		lines, err = f.write(s)
		wrote <- err
	}()
	tick := time.NewTicker(time.Second / 2)
	defer tick.Stop()
	for going := true; going; {
		select {
		case err := <-wrote:
			if err != nil {
				return err
			}
			going = false
		case <-tick.C:
			u, err := f.usage()
			if err != nil {
				return err
			}
			most = max(most, u.rss)
		}
	}
	took := time.Since(began)
	after, err := f.usage()
	if err != nil {
		return err
	}
	row("busy: lines/s written", "%.0f", float64(lines)/took.Seconds())
	row("busy: RSS most, descriptors", "%.1f MiB, %d", most, after.fds)
	row("busy: share of a core", "%.1f %%", 100*(after.cpu-before.cpu).Seconds()/took.Seconds())
	if s.session {
		time.Sleep(3 * time.Second)
		cancel()
		<-done
		row("busy: lines seen by the viewer", "%d of %d", seen, lines)
	}
	return nil
}

// restart ends the agent, starts it again from its checkpoint, and tells what that takes.
func (f *crowd) restart(s *settings, row func(name, form string, args ...any)) error {
	began := time.Now()
	if err := f.StopAgent(f.agent); err != nil {
		return err
	}
	row("restart: time to stop", "%.2f s", time.Since(began).Seconds())
	if err := f.startAgent(s); err != nil {
		return err
	}
	row("restart: start to online", "%.2f s", f.online.Seconds())
	time.Sleep(s.settle)
	u, err := f.usage()
	if err != nil {
		return err
	}
	row("restart: RSS, PSS, most", "%.1f, %.1f, %.1f MiB", u.rss, u.pss, u.peak)
	row("restart: processor time", "%.2f s", u.cpu.Seconds())
	return nil
}

// write appends lines to all files in turn and returns how many.
func (f *crowd) write(s *settings) (int, error) {
	const perSecond = 100
	files := make([]*os.File, min(len(f.logs), 10_000))
	for i := range files {
		file, err := os.OpenFile(f.logs[i], os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return 0, err
		}
		defer func() { _ = file.Close() }()
		files[i] = file
	}
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	n, next := 0, 0
	var buf []byte
	const together = 10 // lines of one write
	for end := time.Now().Add(s.busy); time.Now().Before(end); {
		<-tick.C
		for range s.rate / perSecond / together {
			buf = buf[:0]
			for range together {
				buf = fmt.Appendf(buf, "time=2026-01-15T10:00:00.000Z level=info msg=\"request served\" n=%d "+
					"path=/api/v1/items user_id=%d elapsed=12ms\n", n, n%99999)
				n++
			}
			if _, err := files[next%len(files)].Write(buf); err != nil {
				return n, err
			}
			next++
		}
	}
	return n, nil
}

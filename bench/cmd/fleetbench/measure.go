package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// stampMark is what stands before the time in a line of the latency runs.
const stampMark = "stamp="

// runLimit bounds one run beyond the time that it writes.
const runLimit = 60 * time.Second

// delays are the times from write to reader, sorted by at.
type delays []time.Duration

// at is the quantile q.
func (d delays) at(q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(int(q*float64(len(d))), len(d)-1)]
}

// result is what a throughput run saw.
type result struct {
	written, lines, gapped int
	bytes                  int64
	took                   time.Duration
}

// stampLines appends rate lines a second with the time of their writing.
func stampLines(path string, rate int, length time.Duration) (int, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	n := 0
	for end := time.Now().Add(length); time.Now().Before(end); n++ {
		<-tick.C
		line := fmt.Sprintf("level=info msg=\"a line that is measured\" user_id=12345 %s%d\n",
			stampMark, time.Now().UnixNano())
		if _, err := file.WriteString(line); err != nil {
			return n, err
		}
	}
	return n, nil
}

// stamps adds the delay of each stamp in data, read now.
func stamps(d delays, data []byte) delays {
	now := time.Now()
	for {
		i := bytes.Index(data, []byte(stampMark))
		json := bytes.Index(data, []byte(`"stamp":`))
		if i < 0 && json < 0 {
			return d
		}
		if i < 0 || json >= 0 && json < i {
			i = json + len(`"stamp":`)
		} else {
			i += len(stampMark)
		}
		data = bytes.TrimLeft(data[i:], `"`)
		end := 0
		for end < len(data) && data[end] >= '0' && data[end] <= '9' {
			end++
		}
		if ns, err := strconv.ParseInt(string(data[:end]), 10, 64); err == nil {
			d = append(d, now.Sub(time.Unix(0, ns)))
		}
		data = data[end:]
	}
}

// latency measures from the write of a line to its arrival at a viewer.
func (f *follower) latency(rate int, length time.Duration) (delays, error) {
	ctx, cancel := context.WithTimeout(context.Background(), length+runLimit)
	defer cancel()
	conn, id, err := f.Watch(ctx, "live")
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.CloseNow() }()
	if err := awaitStreaming(ctx, conn); err != nil {
		return nil, err
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := stampLines(f.log, rate, length)
		_ = f.Stop(id)
		wrote <- err
	}()
	var d delays
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			break
		}
		d = stamps(d, data)
	}
	return d, <-wrote
}

// awaitStreaming reads until the agent is known to stream.
func awaitStreaming(ctx context.Context, conn *websocket.Conn) error {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		if bytes.Contains(data, []byte(`"streaming"`)) {
			return nil
		}
	}
}

// tailLatency measures the same with tail -F.
func (f *follower) tailLatency(rate int, length time.Duration) (delays, error) {
	cmd := exec.Command("tail", "-n0", "-F", f.log)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := stampLines(f.log, rate, length)
		_ = cmd.Process.Kill()
		wrote <- err
	}()
	var d delays
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			break
		}
		d = stamps(d, line)
	}
	_ = cmd.Wait()
	return d, <-wrote
}

// plainLines appends n lines, rate a second, or all at once if rate is 0, and returns their bytes.
func plainLines(path string, n, rate int) (int64, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	const perSecond = 200
	burst := n
	if rate > 0 {
		burst = rate / perSecond
	}
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	var total int64
	var buf []byte
	for i := 0; i < n; {
		buf = buf[:0]
		for range min(burst, n-i) {
			buf = fmt.Appendf(buf, "time=2026-01-15T10:00:00.000Z level=info msg=\"request served\" n=%d "+
				"path=/api/v1/items user_id=%d elapsed=12ms\n", i, i%99999)
			i++
		}
		if rate > 0 {
			<-tick.C
		}
		if _, err := file.Write(buf); err != nil {
			return total, err
		}
		total += int64(len(buf))
	}
	return total, nil
}

// throughput passes rate lines a second to one viewer.
func (f *follower) throughput(mode string, rate, seconds int) (result, error) {
	return f.pass(mode, rate*seconds, rate)
}

// backlog passes n lines that are written as fast as the disk takes them.
func (f *follower) backlog(n int) (result, error) { return f.pass("complete", n, 0) }

// pass writes n lines and counts what a viewer gets.
func (f *follower) pass(mode string, n, rate int) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*runLimit)
	defer cancel()
	conn, id, err := f.Watch(ctx, mode)
	if err != nil {
		return result{}, err
	}
	defer func() { _ = conn.CloseNow() }()
	if err := awaitStreaming(ctx, conn); err != nil {
		return result{}, err
	}
	r := result{written: n}
	began := time.Now()
	wrote := make(chan error, 1)
	go func() {
		var err error
		r.bytes, err = plainLines(f.log, n, rate)
		wrote <- err
	}()
	for r.lines+r.gapped < n {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return r, fmt.Errorf("after %d lines and %d in gaps: %w", r.lines, r.gapped, err)
		}
		count(&r, data)
	}
	r.took = time.Since(began)
	if err := <-wrote; err != nil {
		return r, err
	}
	return r, f.Stop(id)
}

// count adds the frames of one message.
func count(r *result, data []byte) {
	r.lines += bytes.Count(data, []byte(`{"type":"log",`))
	if !bytes.Contains(data, []byte(`"event":"gap"`)) {
		return
	}
	for line := range bytes.Lines(data) {
		var c struct {
			Event, Unit string
			Count       int
		}
		if json.Unmarshal(line, &c) == nil && c.Event == "gap" && c.Unit == "events" {
			r.gapped += c.Count
		}
	}
}

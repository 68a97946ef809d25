package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// Times of a fleet.
const (
	startLimit = 20 * time.Second
	endLimit   = 20 * time.Second
	agentName  = "bench"
)

// fleet is Spile as a follower: a server, an agent and a viewer in mode complete.
type fleet struct {
	place   *place
	procs   []*exec.Cmd
	client  *client.Client
	session string
	stream  *client.Stream
	check   client.Verifier
	told    told          // the reader's until done
	err     error         // the reader's until done
	done    chan struct{} // closed when the stream has ended
	cancel  context.CancelFunc
}

// build builds the program.
func build(dir string) (string, error) {
	path := filepath.Join(dir, "spile")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/spile")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return path, nil
}

// startSpile starts the processes and connects the viewer.
func startSpile(p *place) (follower, error) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &fleet{place: p, done: make(chan struct{}), cancel: cancel, check: client.Verifier{Origin: true}}
	if err := f.begin(ctx); err != nil {
		close(f.done)
		f.close()
		return nil, err
	}
	go f.read(ctx)
	return f, nil
}

// begin starts server, agent and viewer, in turn.
func (f *fleet) begin(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listen := l.Addr().String()
	_ = l.Close()
	data := filepath.Join(f.place.dir, "server")
	if err := f.run("serve", "--listen", listen, "--data", data); err != nil {
		return err
	}
	token := filepath.Join(data, "admin.token")
	err = await(func() error {
		text, err := os.ReadFile(token)
		if err != nil {
			return err
		}
		f.client, err = client.New(client.Options{BaseURL: "http://" + listen, Token: strings.TrimSpace(string(text))})
		if err != nil {
			return err
		}
		_, err = f.client.Agents(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	err = f.run("agent", "--server", "http://"+listen, "--name", agentName, "--data", filepath.Join(f.place.dir, "agent"),
		"--enrol-token-file", filepath.Join(data, "enrol.token"), "--file", "app="+f.place.log)
	if err != nil {
		return err
	}
	return f.watch(ctx)
}

// watch starts the session and connects the viewer.
func (f *fleet) watch(ctx context.Context) error {
	err := await(func() error {
		a, err := f.client.Agent(ctx, agentName)
		if err == nil && a.Status != wire.AgentOnline {
			err = fmt.Errorf("is %s", a.Status)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	s, err := f.client.Start(ctx, wire.StartRequest{AgentID: agentName, Mode: wire.ModeComplete})
	if err != nil {
		return err
	}
	f.session = s.SessionID
	f.stream, err = f.client.Stream(ctx, s.SessionID, client.StreamOptions{AllEvents: true, Observe: f.check.Take})
	if err != nil {
		return err
	}
	// What is written before the agent has opened the session does not belong to it.
	for {
		frame, err := f.stream.Next(ctx)
		if err != nil {
			return err
		}
		if c := frame.Control; c != nil && c.Event == wire.EventAgentStatus && c.Status == wire.StreamStreaming {
			return nil
		}
	}
}

// run starts one process.
func (f *fleet) run(args ...string) error {
	cmd := exec.Command(f.place.spile, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	f.procs = append(f.procs, cmd)
	return nil
}

// await tries until what another process brings about is there.
func await(try func() error) error {
	for end := time.Now().Add(startLimit); ; time.Sleep(10 * time.Millisecond) {
		err := try()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// read counts what the viewer gets.
func (f *fleet) read(ctx context.Context) {
	defer close(f.done)
	for {
		frame, err := f.stream.Next(ctx)
		if err != nil {
			f.err = err
			return
		}
		switch c := frame.Control; {
		case frame.Log != nil:
			f.place.seen.line([]byte(frame.Log.Message))
		case c.Event == wire.EventGap:
			f.told.gap(c)
		}
	}
}

// gap adds one announcement.
func (t *told) gap(c *wire.Control) {
	if !slices.Contains(t.reasons, c.Reason) {
		t.reasons = append(t.reasons, c.Reason)
	}
	if c.Reason == wire.ReasonHole {
		t.holes += c.Count
		return
	}
	if c.Unit == wire.UnitBytes {
		t.bytes += c.Count
		t.atLeast = t.atLeast || c.AtLeast
		return
	}
	t.events += c.Count
}

// end stops the session, reads it to its end and checks its accounts.
func (f *fleet) end() (told, error) {
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	if _, err := f.client.Stop(ctx, f.session); err != nil {
		return told{}, err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return told{}, fmt.Errorf("the session does not end within %v", endLimit)
	}
	if !errors.Is(f.err, io.EOF) {
		return told{}, f.err
	}
	v := f.check.Verdict()
	f.told.broken = v.Problems
	for i := range v.Agents {
		f.told.broken = append(f.told.broken, v.Agents[i].Problems...)
	}
	return f.told, nil
}

// close ends the processes and waits for the reader.
func (f *fleet) close() {
	f.cancel()
	<-f.done
	if f.stream != nil {
		_ = f.stream.Close()
	}
	for _, p := range f.procs {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
}

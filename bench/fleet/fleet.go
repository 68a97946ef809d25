// Package fleet starts a server and agents as processes of their own, for measuring them from outside.
package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

// agentName is the name of the one agent.
const agentName = "bench"

// serverLimit bounds how long the server may take to be ready.
const serverLimit = 20 * time.Second

// stopLimit bounds how long the server may take to notice that the agent is gone.
const stopLimit = 60 * time.Second

// Fleet is a server, with an agent once it was started, and the folder of both.
type Fleet struct {
	// Dir is the folder, which Close removes; Spile is the program.
	Dir, Spile string
	url, token string
	procs      []*exec.Cmd
}

// New builds the program, from the folder above, unless spile names one, and starts a server in a folder made below
// parent (empty: the system's for temporary files). The caller closes the fleet.
func New(spile, parent string) (f *Fleet, err error) {
	dir, err := os.MkdirTemp(parent, "spile-bench-")
	if err != nil {
		return nil, err
	}
	f = &Fleet{Dir: dir, Spile: spile}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if spile == "" {
		f.Spile = filepath.Join(dir, "spile")
		build := exec.Command("go", "build", "-o", f.Spile, "./cmd/spile")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			return f, fmt.Errorf("build: %w: %s", err, out)
		}
	}
	return f, f.serve()
}

// serve starts the server and waits until it is ready.
func (f *Fleet) serve() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listen := l.Addr().String()
	_ = l.Close()
	f.url = "http://" + listen
	data := filepath.Join(f.Dir, "server")
	if _, err := f.start(f.Spile, "serve", "--listen", listen, "--data", data); err != nil {
		return err
	}
	if err := f.wait(serverLimit, func() bool { return f.Get("/readyz", nil) == nil }); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	f.token = strings.TrimSpace(string(token))
	return err
}

// StartAgent starts the agent on the files of a glob, by way of the command wrapper if there is one, and waits at most
// limit until it is online. It returns the id of the process.
func (f *Fleet) StartAgent(glob string, limit time.Duration, wrapper ...string) (pid int, err error) {
	args := append(wrapper, f.Spile, "agent", "--server", f.url, "--name", agentName,
		"--data", filepath.Join(f.Dir, "agent"), "--enrol-token-file", filepath.Join(f.Dir, "server", "enrol.token"),
		"--file", "app="+glob)
	if pid, err = f.start(args[0], args[1:]...); err != nil {
		return 0, err
	}
	return pid, f.wait(limit, f.online)
}

// StopAgent ends the process that StartAgent returned, as a service manager does, and waits for it.
func (f *Fleet) StopAgent(pid int) error {
	for i, p := range f.procs {
		if p.Process.Pid != pid {
			continue
		}
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		err := p.Wait()
		f.procs = append(f.procs[:i], f.procs[i+1:]...)
		if err != nil {
			return fmt.Errorf("stop agent: %w", err)
		}
		return f.wait(stopLimit, func() bool { return !f.online() })
	}
	return fmt.Errorf("stop agent: no process %d", pid)
}

// online says whether the server has the agent.
func (f *Fleet) online() bool {
	var a struct{ Status string }
	return f.Get("/api/v1/agents/"+agentName, &a) == nil && a.Status == "online"
}

// start starts one process and returns its id.
func (f *Fleet) start(name string, args ...string) (int, error) {
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	f.procs = append(f.procs, cmd)
	return cmd.Process.Pid, nil
}

// Close ends the processes and removes the folder.
func (f *Fleet) Close() {
	for _, p := range f.procs {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
	_ = os.RemoveAll(f.Dir)
}

// wait polls for what another process brings about.
func (f *Fleet) wait(limit time.Duration, cond func() bool) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if cond() {
			return nil
		}
	}
	return fmt.Errorf("not there after %v", limit)
}

// Get reads one resource into out, which may be nil.
func (f *Fleet) Get(path string, out any) error { return f.call(http.MethodGet, path, nil, out) }

// call makes one request.
func (f *Fleet) call(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(method, f.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+f.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, data)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// Watch starts a session on the agent and connects a viewer that takes batches; the caller closes it and stops the
// session, whose id comes second.
func (f *Fleet) Watch(ctx context.Context, mode string) (*websocket.Conn, string, error) {
	var s struct {
		ID string `json:"session_id"`
	}
	err := f.call(http.MethodPost, "/api/v1/stream/start",
		map[string]any{"agent_id": agentName, "mode": mode, "timeout_seconds": 600}, &s)
	if err != nil {
		return nil, "", err
	}
	conn, _, err := websocket.Dial(ctx, f.url+"/api/v1/stream/ws/"+s.ID+"?batch=1&events=all", &websocket.DialOptions{
		HTTPHeader: http.Header{"Authorization": {"Bearer " + f.token}},
	})
	if err != nil {
		return nil, "", err
	}
	conn.SetReadLimit(64 << 20)
	return conn, s.ID, nil
}

// Stop ends a session.
func (f *Fleet) Stop(id string) error {
	return f.call(http.MethodPost, "/api/v1/stream/stop", map[string]any{"session_id": id}, nil)
}

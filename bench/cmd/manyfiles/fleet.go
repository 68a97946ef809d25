package main

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

// startLimit bounds how long a process may take to be there.
const startLimit = 600 * time.Second

// firstLines is how many lines each file has at the start.
const firstLines = 20

// fleet is a server and an agent that follows many files.
type fleet struct {
	dir, url, token string
	logs            []string
	procs           []*exec.Cmd
	agent           int // its process
	online          time.Duration
}

// newFleet makes the files, builds the program if need be and starts the processes.
func newFleet(s *settings) (*fleet, error) {
	dir, err := os.MkdirTemp(s.dir, "manyfiles-")
	if err != nil {
		return nil, err
	}
	f := &fleet{dir: dir}
	if s.spile == "" {
		s.spile = filepath.Join(dir, "spile")
		build := exec.Command("go", "build", "-o", s.spile, "./cmd/spile")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			return f, fmt.Errorf("build: %w: %s", err, out)
		}
	}
	if err := f.makeFiles(s); err != nil {
		f.close()
		return nil, err
	}
	if err := f.startAll(s); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// makeFiles makes files of some lines each.
func (f *fleet) makeFiles(s *settings) error {
	var text []byte
	for i := range firstLines {
		text = fmt.Appendf(text, "time=2026-01-15T10:00:00.000Z level=info msg=\"a line of the past\" n=%d\n", i)
	}
	for i := range s.files {
		folder := filepath.Join(f.dir, "logs", fmt.Sprintf("service-%05d", i%s.folders))
		if i < s.folders {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
		}
		path := filepath.Join(folder, fmt.Sprintf("instance-%06d.log", i))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		f.logs = append(f.logs, path)
	}
	return nil
}

// startAll starts the server and the agent and waits until the agent is online.
func (f *fleet) startAll(s *settings) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	listen := l.Addr().String()
	_ = l.Close()
	f.url = "http://" + listen
	data := filepath.Join(f.dir, "server")
	if err := f.start(s.spile, "serve", "--listen", listen, "--data", data); err != nil {
		return err
	}
	if err := f.wait(func() bool { return f.get("/readyz", nil) == nil }); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	token, err := os.ReadFile(filepath.Join(data, "admin.token"))
	if err != nil {
		return err
	}
	f.token = strings.TrimSpace(string(token))
	limits := "true"
	if s.nofile > 0 {
		limits = fmt.Sprintf("ulimit -n %d", s.nofile)
	}
	script := limits + ` && exec "$0" "$@"`
	args := []string{
		"sh", "-c", script, s.spile, "agent", "--server", f.url, "--name", "bench",
		"--data", filepath.Join(f.dir, "agent"), "--enrol-token-file", filepath.Join(data, "enrol.token"),
		"--file", "app=" + filepath.Join(f.dir, "logs", "*", "*.log"),
	}
	if s.noInotify {
		args[2] = "echo 0 > /proc/sys/user/max_inotify_instances && " + script
		args = append([]string{"unshare", "-Ur"}, args...)
	}
	began := time.Now()
	if err := f.start(args[0], args[1:]...); err != nil {
		return err
	}
	f.agent = f.procs[len(f.procs)-1].Process.Pid
	err = f.wait(func() bool {
		var a struct{ Status string }
		return f.get("/api/v1/agents/bench", &a) == nil && a.Status == "online"
	})
	f.online = time.Since(began)
	return err
}

// start starts one process.
func (f *fleet) start(name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stderr = io.Discard
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	f.procs = append(f.procs, cmd)
	return nil
}

// close ends the processes and removes the folder.
func (f *fleet) close() {
	for _, p := range f.procs {
		_ = p.Process.Kill()
		_ = p.Wait()
	}
	_ = os.RemoveAll(f.dir)
}

// wait polls for what another process brings about.
func (f *fleet) wait(cond func() bool) error {
	for deadline := time.Now().Add(startLimit); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if cond() {
			return nil
		}
	}
	return fmt.Errorf("not there after %v", startLimit)
}

// get reads one resource into out.
func (f *fleet) get(path string, out any) error { return f.call(http.MethodGet, path, nil, out) }

// call makes one request.
func (f *fleet) call(method, path string, in, out any) error {
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

// watch starts a session and connects a viewer that takes batches.
func (f *fleet) watch(ctx context.Context, mode string) (*websocket.Conn, string, error) {
	var s struct {
		ID string `json:"session_id"`
	}
	err := f.call(http.MethodPost, "/api/v1/stream/start",
		map[string]any{"agent_id": "bench", "mode": mode, "timeout_seconds": 600}, &s)
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

// stop ends a session.
func (f *fleet) stop(id string) error {
	return f.call(http.MethodPost, "/api/v1/stream/stop", map[string]any{"session_id": id}, nil)
}

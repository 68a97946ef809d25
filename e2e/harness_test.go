package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// patience is how long a test waits for what must come; it bounds a hang and measures nothing.
const patience = 60 * time.Second

// scratch is a folder for the whole run, made and removed by TestMain.
var scratch string

// rowsAtOnce is how many parallel tests run at once: most of them only wait.
const rowsAtOnce = "8"

func TestMain(m *testing.M) {
	flag.Parse()
	err := flag.Set("test.parallel", rowsAtOnce)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if scratch, err = os.MkdirTemp("", "spile-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(status)
}

// binary builds the program under test at its first call and returns its path.
var binary = sync.OnceValues(func() (string, error) {
	if built := os.Getenv(builtName); built != "" {
		return built, nil
	}
	path := filepath.Join(scratch, "spile")
	build := exec.Command("go", "build", "-o", path, "./cmd/spile")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return path, nil
})

// process is one running program.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed by the waiter when the process has ended
}

// output keeps what a process printed.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds to the output.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String is everything printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// start runs the program with arguments; it is killed when the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, args[0], exec.Command(path, args...))
}

// launch runs a command; it is killed when the test ends.
func launch(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, out: &output{}, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.out
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", p.name, tail(p.out.String(), 4000))
		}
	})
	return p
}

// tail is the end of s.
func tail(s string, n int) string { return s[max(0, len(s)-n):] }

// kill ends the process at once and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
}

// exit waits for the process to end by itself and returns its status.
func (p *process) exit() int {
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end; it printed:\n%s", p.name, p.out)
	}
	return p.cmd.ProcessState.ExitCode()
}

// fleet is a server, its agents' settings and a client.
type fleet struct {
	t   *testing.T
	dir string
	// listen is the address at which the server listens; it is reached at 127.0.0.1 in any case.
	listen string
	port   int
	// program is the program under test if it is not the usual one, env what its environment has more.
	program string
	env     []string
	server  *process
	client  *client.Client
}

// newFleet starts a server on a free port.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	return newFleetAt(t, "127.0.0.1")
}

// newFleetAt starts a server on a free port of an address.
func newFleetAt(t *testing.T, listen string) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), listen: listen, port: freePort(t)}
	f.start()
	return f
}

// start starts the server for the first time, and makes the client.
func (f *fleet) start() {
	f.t.Helper()
	f.startServer()
	var err error
	if f.client, err = client.New(client.Options{BaseURL: f.url(), Token: f.token()}); err != nil {
		f.t.Fatal(err)
	}
}

// run starts the program under test with arguments.
func (f *fleet) run(args ...string) *process {
	f.t.Helper()
	if f.program == "" {
		return start(f.t, args...)
	}
	cmd := exec.Command(f.program, args...)
	cmd.Env = append(os.Environ(), f.env...)
	return launch(f.t, args[0], cmd)
}

// url is the server's base URL.
func (f *fleet) url() string { return fmt.Sprintf("http://127.0.0.1:%d", f.port) }

// startServer starts the server and waits until it answers.
func (f *fleet) startServer() {
	f.t.Helper()
	f.server = f.run("serve", "--listen", net.JoinHostPort(f.listen, itoa(f.port)),
		"--data", filepath.Join(f.dir, "server"))
	f.until("the server answers", func() bool {
		resp, err := http.Get(f.url() + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// startAgent starts an agent that follows the globs.
func (f *fleet) startAgent(name string, globs ...string) *process {
	f.t.Helper()
	return f.startAgentAt(f.url(), name, globs...)
}

// startAgentAt starts an agent that reaches the server at url, and waits until it is online.
func (f *fleet) startAgentAt(url, name string, globs ...string) *process {
	f.t.Helper()
	p := f.run(f.agentArgs(url, name, globs...)...)
	f.online(name)
	return p
}

// agentArgs are the arguments of an agent.
func (f *fleet) agentArgs(url, name string, globs ...string) []string {
	args := []string{
		"agent", "--server", url, "--name", name, "--data", filepath.Join(f.dir, name),
		"--enrol-token-file", filepath.Join(f.dir, "server", "enrol.token"),
	}
	for _, g := range globs {
		args = append(args, "--file", g)
	}
	return args
}

// online waits until the server sees the agent.
func (f *fleet) online(name string) {
	f.t.Helper()
	f.until(name+" is online", func() bool {
		a, err := f.client.Agent(f.t.Context(), name)
		return err == nil && a.Status == wire.AgentOnline
	})
}

// until waits for a condition that another process brings about.
func (f *fleet) until(what string, cond func() bool) {
	f.t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			f.t.Fatalf("gave up waiting until %s", what)
		case <-tick.C:
		}
	}
}

// freePort is a port that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// session starts a session.
func (f *fleet) session(req wire.StartRequest) string {
	f.t.Helper()
	s, err := f.client.Start(f.t.Context(), req)
	if err != nil {
		f.t.Fatal(err)
	}
	return s.SessionID
}

// watch connects a viewer and waits until the agent streams: a session begins where the files are when the agent has
// opened it, so what is written before does not belong to it.
func (f *fleet) watch(ctx context.Context, id string) *client.Stream {
	f.t.Helper()
	s, err := f.client.Stream(ctx, id, client.StreamOptions{AllEvents: true, MaxOffline: patience})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = s.Close() })
	for {
		frame, err := s.Next(ctx)
		if err != nil {
			f.t.Fatal(err)
		}
		if c := frame.Control; c != nil && c.Event == wire.EventAgentStatus && c.Status == wire.StreamStreaming {
			return s
		}
	}
}

// token is the administrator's.
func (f *fleet) token() string {
	f.t.Helper()
	token, err := os.ReadFile(filepath.Join(f.dir, "server", "admin.token"))
	if err != nil {
		f.t.Fatal(err)
	}
	return strings.TrimSpace(string(token))
}

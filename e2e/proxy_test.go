package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// idleLimit is the silence after which the proxies of these tests cut a connection. It stands for the usual 60 s: what
// matters is whether it is longer than a heartbeat's 15 s, as those 60 s and the 18 s of the fault matrix are, or
// shorter as this is.
const idleLimit = 2 * time.Second

// nginxAround is nginx with one location; what stands in it besides is the test's.
const nginxAround = `daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr warn;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		listen 127.0.0.1:%[2]d;
		location / {
			proxy_pass http://127.0.0.1:%[3]d;
			%[4]s
		}
	}
}
`

// Lines of a location.
const (
	// nginxUpgrades is what the manual gives for WebSockets.
	nginxUpgrades = `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; ` +
		`proxy_set_header Connection $http_connection; `
	// nginxBuffers holds every answer back, whatever it says of itself.
	nginxBuffers = `proxy_ignore_headers X-Accel-Buffering; `
	// nginxIdles gives up after little silence.
	nginxIdles = `proxy_read_timeout 2s; proxy_send_timeout 2s; `
)

// proxyProgram is the path of a proxy.
func proxyProgram(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return filepath.Join("/usr/sbin", name)
}

// behindNginx starts nginx before the server and returns its URL.
func (f *fleet) behindNginx(location string) string {
	f.t.Helper()
	dir, port := filepath.Join(f.dir, "nginx"), freePort(f.t)
	file := filepath.Join(dir, "nginx.conf")
	write(f.t, file, fmt.Sprintf(nginxAround, dir, port, f.port, location))
	launch(f.t, "nginx", exec.Command(proxyProgram("nginx"), "-e", "stderr", "-c", file))
	return f.answering(port)
}

// answering waits until the server answers through a port, and returns its URL.
func (f *fleet) answering(port int) string {
	f.t.Helper()
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	f.until("the proxy answers", func() bool {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return url
}

// TestTailBehindProxies watches through nginx as people have it: the first line comes soon, by the best way that there
// is, and nothing is lost, whatever is stripped, held back and cut.
func TestTailBehindProxies(t *testing.T) {
	for _, test := range []struct {
		name, location string
		// notice is what tail says about the way, none if it is the usual one.
		notice string
	}{
		{"as-it-comes", "", "going on by server-sent events"},
		{"upgrades", nginxUpgrades, ""},
		{"buffers", nginxBuffers, "going on by polling"},
		{"upgrades-and-cuts-when-idle", nginxUpgrades + nginxIdles, ""},
		{"strips-and-cuts-when-idle", nginxIdles, "going on by server-sent events"},
		{"buffers-and-cuts-when-idle", nginxBuffers + nginxIdles, "going on by polling"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			said := ""
			// A machine that is busy for two seconds takes a good way for a bad one, but not each time.
			for range 3 {
				f := newFleet(t)
				log := filepath.Join(f.dir, "logs", "app.log")
				appendLines(t, log, 0, 100)
				f.startAgent("edge-1", "app="+log)
				said = tailThrough(t, f, log, f.behindNginx(test.location))
				if strings.Contains(said, test.notice) && (test.notice != "" || !strings.Contains(said, "going on by")) {
					return
				}
			}
			t.Errorf("tail said %q, want %q", said, test.notice)
		})
	}
}

// tailThrough watches through a proxy: the last lines, what comes then, and what comes after a silence that is too long
// for the proxy. It returns what tail said besides.
func tailThrough(t *testing.T, f *fleet, log, url string) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "tail", "edge-1", "-n", "10", "--server", url, "--token-file",
		filepath.Join(f.dir, "server", "admin.token"), "--verify", "-o", "json")
	notices, lines := &output{}, &output{}
	cmd.Stderr, cmd.Stdout = notices, lines
	began := time.Now()
	tail := launch(t, "tail", cmd)
	seen := func() int { return strings.Count(lines.String(), `{"type":"log"`) }
	f.until("the last lines come", func() bool { return seen() >= 10 })
	within(t, "the first lines came", time.Since(began), patience)
	next := 100
	for range 3 {
		wrote := time.Now()
		appendLines(t, log, next, next+50)
		next += 50
		f.until("new lines come", func() bool { return seen() >= next-90 })
		within(t, "new lines came", time.Since(wrote), patience)
		<-time.After(idleLimit + idleLimit/2)
	}
	if err := tail.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	if status := tail.exit(); status != 0 {
		t.Errorf("tail ended with %d: %s", status, notices)
	}
	within(t, "tail ended", time.Since(stopped), patience)
	want := 90
	for line := range strings.Lines(lines.String()) {
		var frame struct {
			Type, Message string
		}
		if err := json.Unmarshal([]byte(line), &frame); err != nil {
			t.Fatal(err)
		}
		if frame.Type == "log" {
			if !strings.Contains(frame.Message, fmt.Sprint(want)) {
				t.Errorf("line %d is %q", want, frame.Message)
			}
			want++
		}
	}
	if want != next {
		t.Errorf("lines up to %d came, %d were written", want, next)
	}
	return notices.String()
}

package e2e

import (
	"bufio"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// proxyIdle is the silence after which the proxies cut a connection: longer than a heartbeat, and as short as that
// allows, since the usual 60 s would only take longer to show the same.
const proxyIdle = 18 * time.Second

// nginxConf is nginx as it comes, with the three lines that its manual gives for WebSockets.
const nginxConf = `daemon off;
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
	gzip on;
	gzip_types *;
	map $http_upgrade $connection_upgrade { default upgrade; '' close; }
	server {
		listen 127.0.0.1:%[2]d;
		location / {
			proxy_pass http://127.0.0.1:%[3]d;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_upgrade;
			proxy_read_timeout %[4]ds;
			proxy_send_timeout %[4]ds;
		}
	}
}
`

// haproxyConf is HAProxy as its manual begins.
const haproxyConf = `global
	maxconn 100
defaults
	mode http
	timeout connect 5s
	timeout client %[4]ds
	timeout server %[4]ds
	timeout tunnel %[4]ds
frontend in
	bind 127.0.0.1:%[2]d
	default_backend spile
backend spile
	server one 127.0.0.1:%[3]d
`

// faultProxies puts the usual proxies before the server, for people and agents alike, and lets the streams be silent
// for longer than the proxies stand. The streams live on, and what comes then comes at once.
func faultProxies(t *testing.T) {
	for _, proxy := range []struct {
		name, conf string
		args       func(file string) []string
	}{
		{"nginx", nginxConf, func(file string) []string { return []string{"-e", "stderr", "-c", file} }},
		{"haproxy", haproxyConf, func(file string) []string { return []string{"-db", "-f", file} }},
	} {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			dir, port := filepath.Join(f.dir, proxy.name), freePort(t)
			file := filepath.Join(dir, "proxy.conf")
			write(t, file, fmt.Sprintf(proxy.conf, dir, port, f.port, int(proxyIdle.Seconds())))
			launch(t, proxy.name, exec.Command(program(proxy.name), proxy.args(file)...))
			streamThrough(t, f, fmt.Sprintf("http://127.0.0.1:%d", port))
		})
	}
}

// program is the path of a program that may be where only root looks.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	return filepath.Join("/usr/sbin", name)
}

// streamThrough streams in every form through a proxy.
func streamThrough(t *testing.T, f *fleet, url string) {
	t.Helper()
	log := filepath.Join(f.dir, "logs", "app.log")
	write(t, log, "before\n")
	f.until("the proxy answers", func() bool {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	agent := f.startAgentAt(url, "edge-1", "app="+log)
	ctx, id, direct := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	through, err := client.New(client.Options{BaseURL: url, Token: f.token()})
	if err != nil {
		t.Fatal(err)
	}
	var lost []error
	stream, err := through.Stream(ctx, id, client.StreamOptions{AllEvents: true, OnStatus: func(s client.ConnStatus) {
		lost = append(lost, s.Err)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	// Those without events=all are sent no heartbeat frames.
	lines := map[string]<-chan string{}
	for _, form := range []string{"sse", "ndjson", "ws"} {
		for _, query := range []string{"", "?events=all"} {
			lines[form+query] = f.lines(url, form, id, query)
		}
	}
	for round := range times(2, 5) {
		text := fmt.Sprintf("line %d", round)
		write(t, log, text+"\n")
		wrote := time.Now()
		collect(ctx, t, direct, says(text))
		collect(ctx, t, stream, says(text))
		for what, came := range lines {
			waitLine(t, what, came, text)
		}
		within(t, "the line came in every form", time.Since(wrote), 2*time.Second)
		if round == 0 || long() {
			<-time.After(proxyIdle + 3*time.Second)
		}
	}
	if len(lost) > 0 {
		t.Errorf("the client had to return: %v", lost)
	}
	if strings.Contains(agent.out.String(), "link_lost") {
		t.Error("the agent had to return")
	}
}

// waitLine waits until a stream carries the text.
func waitLine(t *testing.T, what string, lines <-chan string, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case line, ok := <-lines:
			if !ok {
				t.Errorf("%s ended before %q", what, text)
				return
			}
			if strings.Contains(line, text) {
				return
			}
		case <-deadline:
			t.Errorf("%s does not bring %q", what, text)
			return
		}
	}
}

// lines are the lines or messages of a stream as a program without our client gets them; closed at its end.
func (f *fleet) lines(url, form, id, query string) <-chan string {
	f.t.Helper()
	out := make(chan string, 1000)
	target := url + "/api/v1/stream/" + form + "/" + id + query
	header := http.Header{"Authorization": {"Bearer " + f.token()}, "Accept-Encoding": {"gzip"}}
	ctx := f.t.Context()
	if form == "ws" {
		conn, _, err := websocket.Dial(ctx, target, &websocket.DialOptions{HTTPHeader: header})
		if err != nil {
			f.t.Fatal(err)
		}
		conn.SetReadLimit(maxMessage)
		go func() {
			defer close(out)
			defer conn.CloseNow()
			for {
				_, message, err := conn.Read(ctx)
				if err != nil {
					return
				}
				out <- string(message)
			}
		}()
		return out
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header = header
	req.Header.Del("Accept-Encoding") // The transport asks for gzip itself then, and unpacks.
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Cache-Control") != "no-store" {
		f.t.Errorf("%s answers %s with %v", form, resp.Status, resp.Header)
	}
	go func() {
		defer close(out)
		defer resp.Body.Close()
		scan := bufio.NewScanner(resp.Body)
		for scan.Scan() {
			out <- scan.Text()
		}
	}()
	return out
}

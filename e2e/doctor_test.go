package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/client"
)

// haproxyAround is HAProxy with what a test adds to its defaults and to its frontend.
const haproxyAround = `global
	maxconn 100
defaults
	mode http
	timeout connect 5s
	%[3]s
frontend in
	bind 127.0.0.1:%[1]d
	%[4]s
	default_backend spile
backend spile
	server one 127.0.0.1:%[2]d
`

// Lines for HAProxy.
const (
	haproxyWaits = "timeout client 60s\n\ttimeout server 60s\n\ttimeout tunnel 60s"
	haproxyIdles = "timeout client 2s\n\ttimeout server 2s\n\ttimeout tunnel 2s"
)

// behindHAProxy starts HAProxy before the server and returns its URL.
func (f *fleet) behindHAProxy(defaults, frontend string) string {
	f.t.Helper()
	port, file := freePort(f.t), filepath.Join(f.dir, "haproxy", "haproxy.cfg")
	write(f.t, file, fmt.Sprintf(haproxyAround, port, f.port, defaults, frontend))
	launch(f.t, "haproxy", exec.Command(proxyProgram("haproxy"), "-db", "-f", file))
	return f.answering(port)
}

// examine runs spile doctor and returns what it found.
func (f *fleet) examine(url string, args ...string) (found client.Examination, status int) {
	f.t.Helper()
	path, err := binary()
	if err != nil {
		f.t.Fatal(err)
	}
	args = append([]string{
		"doctor", "-o", "json", "--server", url, "--token-file", filepath.Join(f.dir, "server", "admin.token"),
	}, args...)
	cmd := exec.CommandContext(f.t.Context(), path, args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			f.t.Fatal(err)
		}
		status = exit.ExitCode()
	}
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		f.t.Fatalf("%s: %v", out.Bytes(), err)
	}
	return found, status
}

// TestDoctorNamesTheCause examines the way through proxies that do one thing wrong, and through some that do not.
func TestDoctorNamesTheCause(t *testing.T) {
	type causes map[client.Check]client.Cause
	nginx := func(location string) func(*fleet) string {
		return func(f *fleet) string { return f.behindNginx(location) }
	}
	haproxy := func(defaults, frontend string) func(*fleet) string {
		return func(f *fleet) string { return f.behindHAProxy(defaults, frontend) }
	}
	for _, test := range []struct {
		name  string
		proxy func(*fleet) string
		idle  bool
		want  causes
		// hop is who is to blame for everything, cure stands among what helps.
		hop, cure string
		through   client.Transport
		status    int
	}{
		{name: "nothing", proxy: (*fleet).url, want: causes{}, through: client.TransportWebSocket},
		{name: "nginx-well-set", proxy: nginx(nginxUpgrades), want: causes{}, through: client.TransportWebSocket},
		{name: "haproxy-well-set", proxy: haproxy(haproxyWaits, ""), want: causes{}, through: client.TransportWebSocket},
		{
			name: "nginx-as-it-comes", proxy: nginx(""), want: causes{client.CheckWebSocket: client.CauseUpgradeStripped},
			hop: "nginx", cure: "proxy_set_header Upgrade $http_upgrade;", through: client.TransportSSE, status: 1,
		},
		{
			name: "haproxy-strips", proxy: haproxy(haproxyWaits, "http-request del-header Upgrade"),
			want: causes{client.CheckWebSocket: client.CauseUpgradeStripped}, hop: "a proxy",
			cure: "http-request del-header Upgrade", through: client.TransportSSE, status: 1,
		},
		{
			// Over HTTP/1.1 nginx passes on each chunk, whatever it is told; over 1.0 it waits for full buffers.
			name: "nginx-buffers", proxy: nginx(nginxBuffers),
			want: causes{
				client.CheckWebSocket: client.CauseUpgradeStripped, client.CheckSSE: client.CauseBuffered,
				client.CheckNDJSON: client.CauseBuffered,
			},
			hop: "nginx", cure: "proxy_buffering off;", through: client.TransportPoll, status: 1,
		},
		{
			name: "nginx-idle", proxy: nginx(nginxUpgrades + nginxIdles), idle: true,
			want: causes{client.CheckIdle: client.CauseIdleTimeout}, hop: "nginx", cure: "proxy_read_timeout 75s;",
			through: client.TransportWebSocket, status: 1,
		},
		{
			name: "haproxy-idle", proxy: haproxy(haproxyIdles, ""), idle: true,
			want: causes{client.CheckIdle: client.CauseIdleTimeout}, hop: "a proxy", cure: "timeout tunnel 1h",
			through: client.TransportWebSocket, status: 1,
		},
		{
			name: "nginx-compresses", proxy: nginx(nginxUpgrades + "gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1;"),
			want: causes{client.CheckSSE: client.CauseCompressed, client.CheckNDJSON: client.CauseCompressed},
			hop:  "nginx", cure: "gzip off;", through: client.TransportWebSocket,
		},
		{
			name: "nginx-removes-a-header", proxy: nginx(nginxUpgrades + "proxy_hide_header Cache-Control;"),
			want: causes{client.CheckSSE: client.CauseHeader, client.CheckNDJSON: client.CauseHeader},
			hop:  "nginx", cure: "proxy_hide_header Cache-Control", through: client.TransportWebSocket, status: 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			var args []string
			if test.idle {
				args = []string{"--idle", (2 * idleLimit).String()}
			}
			found, status := f.examine(test.proxy(f), args...)
			got, helps := causes{}, ""
			for _, r := range found.Results {
				for _, finding := range r.Findings {
					if !strings.HasPrefix(finding.Hop, test.hop) {
						t.Errorf("%s is put down to %q", finding.Text, finding.Hop)
					}
					helps += fmt.Sprint(finding.Cures)
					got[r.Check] = finding.Cause
				}
			}
			if !strings.Contains(helps, test.cure) {
				t.Errorf("cured by %s", helps)
			}
			if diff := cmp.Diff(test.want, got); diff != "" || status != test.status || found.Transport != test.through {
				t.Errorf("status %d, by %s, %+v\n%s", status, found.Transport, found.Results, diff)
			}
		})
	}
}

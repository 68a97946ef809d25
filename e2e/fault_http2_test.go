package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// The proxies of faultProxies, which speak HTTP/2 with those who come. It goes without TLS here: the frames are the same.
var (
	nginxHTTP2   = strings.Replace(nginxConf, "listen 127.0.0.1:%[2]d;", "listen 127.0.0.1:%[2]d http2;", 1)
	haproxyHTTP2 = strings.Replace(haproxyConf, "bind 127.0.0.1:%[2]d", "bind 127.0.0.1:%[2]d proto h2", 1)
)

// faultHTTP2 has three viewers on one HTTP/2 connection: one that reads, one that stands still until its window is
// full, and one that goes by RST_STREAM. The first has every line, the last is freed at once.
func faultHTTP2(t *testing.T) {
	for _, proxy := range []struct {
		name, conf string
		args       func(file string) []string
	}{
		{"nginx", nginxHTTP2, func(file string) []string { return []string{"-e", "stderr", "-c", file} }},
		{"haproxy", haproxyHTTP2, func(file string) []string { return []string{"-db", "-f", file} }},
	} {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			dir, port := filepath.Join(f.dir, proxy.name), freePort(t)
			file := filepath.Join(dir, "proxy.conf")
			write(t, file, fmt.Sprintf(proxy.conf, dir, port, f.port, int(patience.Seconds())))
			launch(t, proxy.name, exec.Command(program(proxy.name), proxy.args(file)...))
			streamTogether(t, f, fmt.Sprintf("http://127.0.0.1:%d", port))
		})
	}
}

// streamTogether streams to three viewers at once over one connection to url.
func streamTogether(t *testing.T, f *fleet, url string) {
	t.Helper()
	const lines = 40_000 // more than the windows of one stream and the buffers on the way
	var dials atomic.Int32
	protocols := &http.Protocols{}
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols, DialContext: func(ctx context.Context, network, at string) (net.Conn, error) {
		dials.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, at)
	}}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Transport: transport}
	f.until("the proxy answers", func() bool {
		resp, err := browser.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err == nil && resp.StatusCode == http.StatusOK && resp.ProtoMajor == 2
	})
	dials.Store(1)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	hour := 3600
	id := f.session(wire.StartRequest{AgentID: "edge-1", Mode: wire.ModeComplete, TimeoutSeconds: &hour})
	reader, err := client.New(client.Options{BaseURL: url, Token: f.token(), HTTP: browser})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := reader.Stream(ctx, id, client.StreamOptions{
		AllEvents: true, Transports: []client.Transport{client.TransportSSE},
		OnStatus: func(s client.ConnStatus) { t.Errorf("the reader's connection: %+v", s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	still, leave := context.WithCancel(ctx)
	defer leave()
	f.openEvents(still, browser, url, id)
	gone, reset := context.WithCancel(ctx)
	defer reset()
	f.openEvents(gone, browser, url, id)
	viewers := func(most int) {
		f.until(fmt.Sprintf("%d watch", most), func() bool {
			one, err := f.client.Session(ctx, id)
			return err == nil && one.Viewers <= most
		})
	}
	f.until("three watch", func() bool {
		one, err := f.client.Session(ctx, id)
		return err == nil && one.Viewers == 3
	})
	led := newLedger(t, lines)
	led.seen[0] = 1
	led.readTo(ctx, stream, "the agent", told(wire.StreamStreaming))
	appendLines(t, log, 1, lines/2)
	reset()
	viewers(2)
	appendLines(t, log, lines/2, lines)
	led.readSome(ctx, stream, lines-1)
	leave()
	viewers(1)
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections were made, so this shows nothing", n)
	}
	led.finish(ctx, f, stream, id)
	led.whole()
}

// openEvents opens a stream of server-sent events of which nothing is read, until ctx ends.
func (f *fleet) openEvents(ctx context.Context, c *http.Client, url, id string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/api/v1/stream/sse/"+id, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token())
	resp, err := c.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	context.AfterFunc(ctx, func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		f.t.Fatalf("%s by %s", resp.Status, resp.Proto)
	}
}

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// toxiproxyPath is the path of toxiproxy, which is installed at the first call.
var toxiproxyPath = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("../ci/toxiproxy.sh").Output()
	if err != nil {
		return "", fmt.Errorf("install toxiproxy: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// toxiproxy is a running toxiproxy, with proxies by name.
type toxiproxy struct {
	t   *testing.T
	url string
}

// toxic is a disturbance as toxiproxy's manual names it.
type toxic struct {
	Type       string         `json:"type"`
	Attributes map[string]int `json:"attributes"`
}

// startToxiproxy starts one; it ends with the test.
func (f *fleet) startToxiproxy() *toxiproxy {
	f.t.Helper()
	path, err := toxiproxyPath()
	if err != nil {
		f.t.Fatal(err)
	}
	port := freePort(f.t)
	launch(f.t, "toxiproxy", exec.Command(path, "-port", itoa(port)))
	p := &toxiproxy{t: f.t, url: fmt.Sprintf("http://127.0.0.1:%d", port)}
	f.until("toxiproxy answers", func() bool {
		resp, err := http.Get(p.url + "/version")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

// way makes a proxy to a port of this machine and returns the URL at which it begins.
func (p *toxiproxy) way(name string, to int) string {
	p.t.Helper()
	port := freePort(p.t)
	p.call(http.MethodPost, "/proxies", map[string]any{
		"name": name, "listen": fmt.Sprintf("127.0.0.1:%d", port), "upstream": fmt.Sprintf("127.0.0.1:%d", to),
		"enabled": true,
	})
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// poison disturbs what passes a proxy, both ways.
func (p *toxiproxy) poison(name string, what toxic) {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		p.call(http.MethodPost, "/proxies/"+name+"/toxics", map[string]any{
			"name": stream, "stream": stream, "type": what.Type, "toxicity": 1, "attributes": what.Attributes,
		})
	}
}

// cure takes all disturbances away. Toxiproxy first passes on what it holds, and has no patience with itself.
func (f *fleet) cure(p *toxiproxy) {
	f.t.Helper()
	f.until("toxiproxy is as before", func() bool {
		resp, err := http.Post(p.url+"/reset", "", nil)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode < http.StatusMultipleChoices
	})
}

// call calls toxiproxy's API.
func (p *toxiproxy) call(method, path string, body any) {
	p.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		answer, _ := io.ReadAll(resp.Body)
		p.t.Fatalf("toxiproxy answers %s to %s %s: %s", resp.Status, method, path, answer)
	}
}

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// deployed reads a file that people take to run Spile, with other words in the place of some.
func deployed(t *testing.T, name string, words ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(words); i += 2 {
		if !strings.Contains(string(text), words[i]) {
			t.Errorf("%s has no %q", name, words[i])
		}
	}
	return strings.NewReplacer(words...).Replace(string(text))
}

// certified writes the certificate of a test server and its key into dir, and returns a client that trusts it.
func certified(t *testing.T, dir string) (certificate, key string, trusting *http.Client) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pair := s.TLS.Certificates[0]
	raw, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certificate, key = filepath.Join(dir, "proxy.crt"), filepath.Join(dir, "proxy.key")
	public := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	private := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
	write(t, certificate, public)
	write(t, key, private)
	write(t, filepath.Join(dir, "proxy.pem"), public+private)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return certificate, key, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
}

// TestDeployedProxies starts nginx and HAProxy with the configurations that people take, and examines the way.
func TestDeployedProxies(t *testing.T) {
	for _, name := range []string{"nginx", "haproxy"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t)
			dir, port := filepath.Join(f.dir, name), freePort(t)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			certificate, key, trusting := certified(t, dir)
			log, server := filepath.Join(dir, "spile.log"), fmt.Sprintf("127.0.0.1:%d", f.port)
			listen := fmt.Sprintf("127.0.0.1:%d", port)
			file := filepath.Join(dir, "proxy.conf")
			var cmd *exec.Cmd
			if name == "nginx" {
				write(t, filepath.Join(dir, "spile.conf"), deployed(t, "proxy/nginx.conf", "listen 443", "listen "+listen,
					"127.0.0.1:7800", server, "/var/log/nginx/spile.log", log,
					"/etc/ssl/spile.example.org.crt", certificate, "/etc/ssl/spile.example.org.key", key))
				write(t, file, fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr warn; events {}
http {
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	include %[1]s/spile.conf;
}
`, dir))
				cmd = exec.Command(proxyProgram(name), "-e", "stderr", "-c", file)
			} else {
				write(t, file, deployed(t, "proxy/haproxy.cfg", "bind :443", "log stdout format raw local0\n\tbind "+listen,
					"127.0.0.1:7800", server, "/etc/ssl/spile.example.org.pem", filepath.Join(dir, "proxy.pem")))
				cmd = exec.Command(proxyProgram(name), "-db", "-f", file)
			}
			said := &output{}
			cmd.Stdout = said
			launch(t, name, cmd)
			url := "https://" + listen
			f.until("the proxy answers", func() bool {
				resp, err := trusting.Get(url + "/readyz")
				if err != nil {
					return false
				}
				defer resp.Body.Close()
				return resp.StatusCode == http.StatusOK
			})
			f.examineDeployed(url, certificate)
			resp, err := trusting.Get(url + "/api/v1/stream/sse/none?token=" + f.token())
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			logged := func() string {
				text, err := os.ReadFile(log)
				if err != nil && name == "nginx" {
					return ""
				}
				return string(text) + said.String()
			}
			f.until("the request is logged", func() bool { return strings.Contains(logged(), "/api/v1/stream/sse/none") })
			if strings.Contains(logged(), f.token()) {
				t.Error("the proxy writes down the token")
			}
		})
	}
}

// examineDeployed asks spile doctor: nothing is in the way. A busy machine may take a good way for a bad one, but not
// each time.
func (f *fleet) examineDeployed(url, certificate string) {
	f.t.Helper()
	path, err := binary()
	if err != nil {
		f.t.Fatal(err)
	}
	var text []byte
	for range 3 {
		cmd := exec.Command(path, "doctor", "--server", url, "--token-file", filepath.Join(f.dir, "server", "admin.token"))
		cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+certificate)
		if text, err = cmd.CombinedOutput(); err == nil && strings.Contains(string(text), "Streams come by WebSocket") {
			return
		}
	}
	f.t.Errorf("%v: %s", err, text)
}

// TestDeployedUnits lets systemd look at the units, where it is there.
func TestDeployedUnits(t *testing.T) {
	systemd, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Log("this machine has no systemd-analyze: the units are not looked at")
		return
	}
	dir := t.TempDir()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"verify", "--man=no"}
	for _, unit := range []string{"spile-agent.service", "spile-server.service"} {
		file := filepath.Join(dir, unit)
		write(t, file, deployed(t, "systemd/"+unit, "/usr/local/bin/spile", path))
		args = append(args, file)
	}
	write(t, filepath.Join(dir, "spile-agent.service.d", "all-files.conf"), deployed(t, "systemd/spile-agent-all-files.conf"))
	// What it does not know it only says.
	out, err := exec.Command(systemd, args...).CombinedOutput()
	if err != nil || strings.Contains(string(out), dir) {
		t.Errorf("%v: %s", err, out)
	}
}

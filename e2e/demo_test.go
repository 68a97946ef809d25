package e2e

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// demo is a running demo.
type demo struct {
	*process
	stdin io.Writer
}

// startDemo runs the demo until it has printed what to try.
func startDemo(t *testing.T, f *fleet) *demo {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "demo")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, "demo", cmd)
	f.until("the demo says what to try", func() bool { return strings.Contains(p.out.String(), "Ctrl-C ends") })
	return &demo{process: p, stdin: stdin}
}

// line is the first printed line that holds text.
func (d *demo) line(text string) string {
	d.t.Helper()
	for _, line := range strings.Split(d.out.String(), "\n") {
		if strings.Contains(line, text) {
			return strings.TrimSpace(line)
		}
	}
	d.t.Fatalf("the demo printed no line with %q:\n%s", text, d.out)
	return ""
}

// try runs a printed line as it stands until it has printed something with want in it.
func (d *demo) try(f *fleet, line, want string) {
	d.t.Helper()
	cmd := exec.Command("bash", "-c", line)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stderr = &output{}
	p := launch(d.t, line, cmd)
	f.until("this prints "+want+": "+line, func() bool { return strings.Contains(p.out.String(), want) })
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGINT)
	<-p.done
}

func TestDemo(t *testing.T) {
	f := &fleet{t: t}
	d := startDemo(t, f)
	d.try(f, d.line("curl -sSN"), `"type":"log"`)
	d.try(f, d.line("tail demo --min-level"), " ")
	folder := regexp.MustCompile(`/\S*spile-demo-\d+`).FindString(d.out.String())
	d.login(t)
	links := strings.Count(d.out.String(), "/login?code=")
	if _, err := io.WriteString(d.stdin, "\n"); err != nil {
		t.Fatal(err)
	}
	f.until("Enter prints a new login", func() bool { return strings.Count(d.out.String(), "/login?code=") > links })
	second := startDemo(t, f)
	if !strings.Contains(second.out.String(), "7800") {
		t.Errorf("the second demo does not say that the port is taken:\n%s", second.out)
	}
	for _, one := range []*demo{second, d} {
		_ = one.cmd.Process.Signal(syscall.SIGINT)
		if status := one.exit(); status != 0 {
			t.Errorf("the demo ended with status %d", status)
		}
	}
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("the folder %s stays: %v", folder, err)
	}
}

// login follows the printed link: looking does not use it up, the first post does.
func (d *demo) login(t *testing.T) {
	t.Helper()
	link := d.line("/login?code=")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	for range 2 {
		if body := fetch(t, browser, link); !strings.Contains(body, "<form") {
			t.Fatalf("the login page has no form:\n%s", body)
		}
	}
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	base := u.Scheme + "://" + u.Host
	form := url.Values{"code": {u.Query().Get("code")}}
	post := func(c *http.Client) int {
		resp, err := c.PostForm(base+"/login", form)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if status := post(browser); status != http.StatusOK {
		t.Errorf("the first post of the login ended at %d, want the page", status)
	}
	if body := fetch(t, browser, base+"/api/v1/agents"); !strings.Contains(body, `"demo"`) {
		t.Errorf("after the login the page cannot list agents: %s", body)
	}
	if status := post(&http.Client{}); status < http.StatusBadRequest {
		t.Errorf("the second post of the login gave %d, want a refusal", status)
	}
}

// fetch is the body of a page.
func fetch(t *testing.T, c *http.Client, link string) string {
	t.Helper()
	resp, err := c.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

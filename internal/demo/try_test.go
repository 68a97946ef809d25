package demo

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
)

func TestQuote(t *testing.T) {
	for _, test := range []struct{ name, word, want string }{
		{"plain", "/tmp/spile-demo-1/admin.token", "/tmp/spile-demo-1/admin.token"},
		{"empty", "", "''"},
		{"space", "/my files/x", "'/my files/x'"},
		{"pattern", "checkout|cart", "'checkout|cart'"},
		{"quote", "it's", `'it'\''s'`},
		{"variable", "$HOME`id`", "'$HOME`id`'"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := quote(test.word); got != test.want {
				t.Errorf("quote(%q) = %s, want %s", test.word, got, test.want)
			}
			out, err := exec.Command("sh", "-c", "printf %s "+quote(test.word)).Output()
			if err != nil {
				t.Fatal(err)
			}
			if string(out) != test.word {
				t.Errorf("the shell reads %s as %q", quote(test.word), out)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	dir := t.TempDir()
	onPath := filepath.Join(dir, programName)
	other := filepath.Join(t.TempDir(), programName)
	for _, path := range []string{onPath, other} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ name, path, executable, want string }{
		{"the-one-on-path", dir, onPath, programName},
		{"another-on-path", dir, other, other},
		{"none-on-path", t.TempDir(), other, other},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("PATH", test.path)
			if got := command(test.executable); got != test.want {
				t.Errorf("command(%q) = %q, want %q", test.executable, got, test.want)
			}
		})
	}
}

func TestAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	var notice strings.Builder
	d := &demo{cfg: Config{Listen: taken.Addr().String(), Stderr: &notice}}
	got, err := d.address(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	_, text, err := net.SplitHostPort(got)
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	if n, err := strconv.Atoi(text); err != nil || n <= port || n >= port+maxPorts {
		t.Errorf("address = %s, want one of the ports after %d", got, port)
	}
	if want := "port " + strconv.Itoa(port) + " is taken, using " + text + "\n"; notice.String() != want {
		t.Errorf("notice = %q, want %q", notice.String(), want)
	}
}

func TestAddressRefuses(t *testing.T) {
	for _, test := range []struct{ name, listen, want string }{
		{"no-port", "127.0.0.1", "missing port"},
		{"word", "127.0.0.1:http", "port must be 0 to 65535"},
		{"too-high", "127.0.0.1:65536", "port must be 0 to 65535"},
		{"not-ours", "203.0.113.1:7800", "try listen address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := &demo{cfg: Config{Listen: test.listen, Stderr: io.Discard}}
			got, err := d.address(context.Background())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("address of %q = %q, %v, want %q", test.listen, got, err, test.want)
			}
		})
	}
}

func TestFileSpecs(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "a[1]{b}*?.log")
	if err := os.WriteFile(odd, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, arg, matches, wantErr string }{
		{"odd-name", odd, odd, ""},
		{"glob", filepath.Join(dir, "*.txt"), filepath.Join(dir, "new.txt"), ""},
		{"folder", dir, "", "is a folder"},
		{"absent", filepath.Join(dir, "absent.log"), "", "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			specs, err := fileSpecs([]string{test.arg})
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) {
					t.Errorf("fileSpecs(%q) error = %v, want %q", test.arg, err, test.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := doublestar.PathMatch(specs[0].Glob, test.matches); err != nil || !ok {
				t.Errorf("glob %q does not match %q: %v", specs[0].Glob, test.matches, err)
			}
		})
	}
	t.Chdir(dir)
	specs, err := fileSpecs([]string{"*.log"})
	if err != nil || len(specs) != 1 || !filepath.IsAbs(specs[0].Glob) {
		t.Errorf("fileSpecs of a relative glob = %v, %v, want one absolute glob", specs, err)
	}
}

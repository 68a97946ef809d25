package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// badName is a package with one finding that has a fix and one that has none.
const badName = `package shop

import (
	"log/slog"
	"time"
)

func sell(item string, took time.Duration) {
	slog.Error("selling_error", "reason", "none left", "duration", took)
	slog.Info("item_sold", item, 1)
}
`

// mended is badName after its fixes.
const mended = `package shop

import (
	"log/slog"
	"time"
)

func sell(item string, took time.Duration) {
	slog.Error("selling_failed", "reason", "none left", "duration", took.Milliseconds())
	slog.Info("item_sold", item, 1)
}
`

// The lines that are printed for badName.
const (
	lineName     = `shop.go:9:13: EV03 warning: "selling_error" ends in _error`
	lineDuration = `shop.go:9:53: RC05 warning: duration is time.Duration: must be a whole number`
	lineKey      = `shop.go:10:25: LC03 warning: the key is not a constant`
)

// buildTool builds the program.
func buildTool(t *testing.T) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "spile-lint")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return tool
}

// writeModule makes a module of the files.
func writeModule(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	// A repository's root, above which no settings are looked for.
	for name, text := range map[string]string{"go.mod": "module example.org/shop\n\ngo 1.26.0\n", ".git": ""} {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// call runs a program in dir and gives its exit status and what it printed.
func call(t *testing.T, dir, program string, args ...string) (exit int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "GOPROXY=off")
	err := cmd.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestStandalone(t *testing.T) {
	tool := buildTool(t)
	for _, test := range []struct {
		name   string
		files  map[string]string
		args   []string
		exit   int
		stdout []string
		stderr string
	}{
		{
			name: "findings", files: map[string]string{"shop.go": badName}, args: []string{"./..."},
			exit: exitFindings, stdout: []string{lineName, lineDuration, lineKey},
		},
		{name: "clean", files: map[string]string{"shop.go": "package shop\n"}, args: []string{"./..."}},
		{
			name: "only-errors", files: map[string]string{"shop.go": badName},
			args: []string{"-severity", "error", "./..."},
		},
		{
			name: "rule-off", files: map[string]string{"shop.go": badName}, args: []string{"-off", "EV03,RC05", "./..."},
			exit: exitFindings, stdout: []string{lineKey},
		},
		{
			name: "tests-on-demand", files: map[string]string{"shop.go": "package shop\n", "shop_test.go": badName},
			args: []string{"-tests", "-off", "LC03,RC05", "."},
			exit: exitFindings, stdout: []string{strings.Replace(lineName, "shop.go", "shop_test.go", 1)},
		},
		{
			name: "settings-found", files: map[string]string{
				"a/shop.go": badName, ".spile-lint.yml": "severities: {EV03: off, RC05: off}",
			},
			args: []string{"-off", "LC03", "./..."},
		},
		{
			name: "settings-named", files: map[string]string{
				"shop.go": badName, "x.yml": "severities: {EV03: off, RC05: off}",
			},
			args: []string{"-config", "x.yml", "-off", "LC03", "./..."},
		},
		{
			name: "bad-settings", files: map[string]string{"shop.go": badName, ".spile-lint.yml": "max_lenght: 3"},
			args: []string{"./..."}, exit: exitFailed, stderr: `unknown field "max_lenght"`,
		},
		{
			name: "no-settings-file", files: map[string]string{"shop.go": badName},
			args: []string{"-config", "none.yml", "."}, exit: exitFailed, stderr: "read settings: open none.yml",
		},
		{
			name: "unknown-rule", args: []string{"-off", "EV99", "."},
			files: map[string]string{}, exit: exitFailed, stderr: `unknown rule "EV99": must be LC01 to LC05`,
		},
		{
			name: "unknown-severity", args: []string{"-severity", "loud", "."},
			files: map[string]string{}, exit: exitFailed, stderr: `unknown severity "loud"`,
		},
		{name: "no-packages", files: map[string]string{}, exit: exitFailed, stderr: "name packages, such as ./..."},
		{
			name: "does-not-compile", files: map[string]string{"shop.go": "package shop\n\nvar x = y\n"},
			args: []string{"./..."}, exit: exitFailed, stderr: "undefined: y",
		},
		{name: "help", files: map[string]string{}, args: []string{"-help"}, stderr: "Exit status: 0 clean"},
	} {
		t.Run(test.name, func(t *testing.T) {
			exit, stdout, stderr := call(t, writeModule(t, test.files), tool, test.args...)
			if exit != test.exit || !strings.Contains(stderr, test.stderr) || (stderr == "") != (test.stderr == "") {
				t.Errorf("exit %d, want %d; standard error, want %q:\n%s", exit, test.exit, test.stderr, stderr)
			}
			lines := strings.SplitAfter(stdout, "\n")
			if len(lines) != len(test.stdout)+1 {
				t.Fatalf("standard output, want %d lines:\n%s", len(test.stdout), stdout)
			}
			for i, want := range test.stdout {
				if !strings.HasPrefix(lines[i], want) {
					t.Errorf("line %d is %q, want %q", i+1, lines[i], want)
				}
			}
		})
	}
}

func TestFix(t *testing.T) {
	dir := writeModule(t, map[string]string{"shop.go": badName})
	exit, stdout, stderr := call(t, dir, buildTool(t), "-fix", "./...")
	if exit != exitFindings || !strings.HasPrefix(stdout, lineKey) || strings.Count(stdout, "\n") != 1 {
		t.Errorf("exit %d, want the finding that has no fix:\n%s%s", exit, stdout, stderr)
	}
	got, err := os.ReadFile(filepath.Join(dir, "shop.go"))
	if err != nil || string(got) != mended {
		t.Errorf("error %v; got\n%s", err, got)
	}
}

func TestVetTool(t *testing.T) {
	tool := buildTool(t)
	dir := writeModule(t, map[string]string{"shop.go": badName, "a/b/shop.go": "package b\n"})
	vet := func(flags ...string) (int, string) {
		t.Helper()
		args := append(append([]string{"vet", "-vettool=" + tool}, flags...), "./...")
		exit, stdout, stderr := call(t, dir, "go", args...)
		return exit, stdout + stderr
	}
	exit, out := vet()
	for _, line := range []string{lineName, lineDuration, lineKey} {
		if exit == 0 || !strings.Contains(out, line) {
			t.Errorf("exit %d, want %q in\n%s", exit, line, out)
		}
	}
	if exit, out := vet("-severity=error"); exit != 0 {
		t.Errorf("exit %d with -severity=error:\n%s", exit, out)
	}
	// Settings that change are noticed, whatever go vet keeps in its cache.
	settings := filepath.Join(dir, ".spile-lint.yml")
	if err := os.WriteFile(settings, []byte("severities: {EV03: off, RC05: off}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if exit, out := vet("-off=LC03"); exit != 0 {
		t.Errorf("exit %d although all rules that fire are off:\n%s", exit, out)
	}
	if err := os.WriteFile(settings, []byte("severities: {RC05: off}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if exit, out := vet("-off=LC03"); exit == 0 || !strings.Contains(out, lineName) {
		t.Errorf("exit %d after the settings were made stricter:\n%s", exit, out)
	}
}

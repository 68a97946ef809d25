package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/wire"
)

// lintInput runs spile lint on standard input.
func lintInput(ctx context.Context, in io.Reader, args ...string) result {
	stdout, stderr := &buffer{}, &buffer{}
	exit := Main(ctx, append([]string{"lint", "-"}, args...), Surroundings{
		Stdin: in, Stdout: stdout, Stderr: stderr, Getenv: func(string) string { return "" },
	})
	return result{exit, stdout.buf.String(), stderr.buf.String()}
}

func TestLintLines(t *testing.T) {
	full := `{"what":"disk_full","text":"` + strings.Repeat("x", wire.MaxLine-len(`{"what":"disk_full","text":""}`)) + `"}`
	tests := []struct {
		name, input, want string
	}{
		{name: "nothing", want: "0 records, 0 findings, 0 lines of other formats\n"},
		{name: "blank-lines", input: "\n  \r\n\n", want: "0 records, 0 findings, 0 lines of other formats\n"},
		{name: "carriage-returns", input: "what=disk_full\r\nwhat=disk_freed\r\n", want: "2 records, 0 findings"},
		{name: "byte-order-mark", input: "\ufeff{\"code\":\"200\"}", want: "stdin:1: EV01 error"},
		{name: "no-newline-at-the-end", input: "what=disk_full\nwhat=Disk", want: "stdin:2: EV02 error"},
		{name: "longest", input: full + "\r\nwhat=disk_full", want: "2 records, 0 findings, 0 lines of other formats\n"},
		{
			name: "too-long", input: full[:len(full)-2] + "x\"}\n" + strings.Repeat("y", 3*wire.MaxLine) + "\nwhat=Disk\n",
			want: "1 records, 1 findings, 0 lines of other formats, 2 lines too long to judge\n",
		},
		{name: "empty-name", input: `{"what":""}`, want: "stdin:1: EV01 error"},
		{name: "name-that-is-no-text", input: `{"what":["a"]}`, want: "stdin:1: EV02 error"},
		{name: "not-an-object", input: "[1]\n5\n\"x\"\n", want: "0 records, 0 findings, 3 lines of other formats\n"},
		{name: "broken-object", input: `{"what":"disk_full"`, want: "0 records, 0 findings, 1 lines of other formats\n"},
		{name: "empty-object", input: `{}`, want: "stdin:1: EV01 error"},
		{name: "texts-of-logfmt", input: "what=disk_full code=200 tags=[a]", want: "1 records, 0 findings"},
		{name: "texts-of-json", input: `{"what":"disk_full","code":"200"}`, want: `RC05 warning: code is text "200"`},
		{name: "no-number", input: `what=disk_full code=none`, want: `RC05 warning: code is text "none"`},
		{name: "msg-beside-what", input: `{"level":"warning","what":"unexpected_info","msg":"x"}`, want: "1 records, 0 findings"},
		{name: "msg-is-missing", input: `{"level":"warning","what":"unexpected_info","text":"x"}`, want: "must have msg"},
		{name: "controls", input: `{"what":"disk_full","code":"\u001b[2J"}`, want: `code is text "\x1b[2J"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := lintInput(t.Context(), strings.NewReader(tt.input))
			if !strings.Contains(got.stdout, tt.want) {
				t.Errorf("exit %d, want %q in\n%s%s", got.exit, tt.want, got.stdout, got.stderr)
			}
		})
	}
}

func TestLintReadsCompressedFiles(t *testing.T) {
	const log = "what=disk_full\nwhat=Disk\n"
	var gz, zst bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{g, z} {
		if _, err := io.WriteString(w, log); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		data []byte
		exit int
		want string
	}{
		{name: "a.log.gz", data: gz.Bytes(), exit: wire.ExitFailed, want: "a.log.gz:2: EV02 error"},
		{name: "a.log.zst", data: zst.Bytes(), exit: wire.ExitFailed, want: "a.log.zst:2: EV02 error"},
		{name: "cut.gz", data: gz.Bytes()[:gz.Len()-4], exit: wire.ExitUsage, want: "unexpected EOF"},
		{name: "cut.zst", data: zst.Bytes()[:zst.Len()-4], exit: wire.ExitUsage, want: "unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			noLeak(t)
			path := filepath.Join(t.TempDir(), tt.name)
			if err := os.WriteFile(path, tt.data, 0o600); err != nil {
				t.Fatal(err)
			}
			got := run(t.Context(), nil, "lint", path)
			if got.exit != tt.exit || !strings.Contains(got.stdout+got.stderr, tt.want) {
				t.Errorf("exit %d, want %d and %q\n%s%s", got.exit, tt.exit, tt.want, got.stdout, got.stderr)
			}
		})
	}
}

// endless is a log without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	const line = "what=Disk\n"
	n := 0
	for n+len(line) <= len(p) {
		n += copy(p[n:], line)
	}
	return n, nil
}

// zeros is a line that never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// last is a log of which only the first part is read before the run is told to end.
type last struct {
	io.Reader
	cancel context.CancelFunc
}

func (l last) Read(p []byte) (int, error) {
	l.cancel()
	return l.Reader.Read(p)
}

func TestLintStopsWhenToldTo(t *testing.T) {
	for _, tt := range []struct {
		name    string
		in      io.Reader
		exit    int
		records string
	}{
		{name: "between-lines", in: endless{}, exit: wire.ExitFailed, records: "6553 records, "},
		{name: "within-a-line", in: zeros{}, exit: wire.ExitOK, records: "0 records, "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			got := lintInput(ctx, last{tt.in, cancel})
			if got.exit != tt.exit || !strings.Contains(got.stdout, tt.records) ||
				!strings.Contains(got.stderr, "-- stopped; the summary is of what was read until then\n") {
				t.Errorf("exit %d\n%s%s", got.exit, got.stdout, got.stderr)
			}
		})
	}
}

// gone is an output that nobody reads any more.
type gone struct{ err error }

func (g gone) Write([]byte) (int, error) { return 0, g.err }

func TestLintWritesNoMoreThanIsRead(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		exit int
	}{
		{name: "reader-gone", err: syscall.EPIPE, exit: wire.ExitOK},
		{name: "disk-full", err: errors.New("no space"), exit: wire.ExitFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// All are printed, so that the run ends only because of the error.
			exit := Main(t.Context(), []string{"lint", "-", "--max", "0", "--repeats"}, Surroundings{
				Stdin: endless{}, Stdout: gone{tt.err}, Stderr: io.Discard, Getenv: func(string) string { return "" },
			})
			if exit != tt.exit {
				t.Errorf("exit %d, want %d", exit, tt.exit)
			}
		})
	}
}

func TestLintReportKeepsFewFindings(t *testing.T) {
	p := newLintReport(io.Discard, &lintFlags{output: outputPretty})
	for i := range 2 * maxLintKinds {
		if err := p.finding(lintFinding{Rule: "EV02", Severity: convention.Error, Message: strings.Repeat("x", i%7) + string(rune(i))}); err != nil {
			t.Fatal(err)
		}
	}
	if len(p.seen) > maxLintKinds {
		t.Errorf("keeps %d kinds, want at most %d", len(p.seen), maxLintKinds)
	}
}

package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"spile": main})
}

// patience is how long a script waits for what has to come.
const patience = 20 * time.Second

// pollEvery is the period of looking.
const pollEvery = 20 * time.Millisecond

func TestScripts(t *testing.T) {
	// What runs under nohup hands it on to its children, which then heed no terminal that closes.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) }) // not before the scripts are through, which run beside one another
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("TZ", "UTC")
			// Under the race detector every process would sleep a second at its end.
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"waitfile": waitFile, "waithttp": waitHTTP, "append": appendLine,
			"waitout": waitOut, "freeport": freePort,
		},
	})
}

// eventually waits until ok.
func eventually(ts *testscript.TestScript, what string, ok func() bool) {
	limit := time.After(patience)
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-limit:
			ts.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// waitFile waits until a file exists, with a text in it if one is named: waitfile FILE [TEXT].
func waitFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waitfile FILE [TEXT]")
	}
	eventually(ts, "waitfile "+strings.Join(args, " "), func() bool {
		data, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && (len(args) == 1 || strings.Contains(string(data), args[1]))
	})
}

// waitHTTP waits until a URL answers 200, with a text if one is named: waithttp URL [TEXT].
func waitHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waithttp URL [TEXT]")
	}
	eventually(ts, "waithttp "+strings.Join(args, " "), func() bool {
		resp, err := http.Get(args[0])
		if err != nil {
			return false
		}
		body, err := io.ReadAll(resp.Body)
		return errors.Join(err, resp.Body.Close()) == nil && resp.StatusCode == http.StatusOK &&
			(len(args) == 1 || strings.Contains(string(body), args[1]))
	})
}

// waitOut runs a command again and again until it prints a text: waitout TEXT COMMAND...
func waitOut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitout TEXT COMMAND...")
	}
	eventually(ts, "waitout "+strings.Join(args, " "), func() bool {
		return ts.Exec(args[1], args[2:]...) == nil && strings.Contains(ts.ReadFile("stdout"), args[0])
	})
}

// freePort puts a free port into a variable: freeport NAME.
func freePort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeport NAME")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	ts.Check(l.Close())
}

// appendLine appends a line to a file: append FILE LINE.
func appendLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: append FILE LINE")
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = f.WriteString(args[1] + "\n")
	ts.Check(err)
	ts.Check(f.Close())
}

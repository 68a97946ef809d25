package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// fillDisk mounts a file system of 256 KiB at dir and returns a function that fills it to the last byte.
func fillDisk(t *testing.T, dir string) (fill, empty func()) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=40", "none", dir)
	t.Cleanup(func() { unmount(t, dir) })
	ballast := filepath.Join(dir, "ballast")
	fill = func() {
		t.Helper()
		file, err := os.Create(ballast)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for err == nil {
			_, err = file.Write(make([]byte, 512))
		}
		if !strings.Contains(err.Error(), "no space left") {
			t.Fatal(err)
		}
	}
	return fill, func() {
		t.Helper()
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}

// unmount takes a file system away, whoever still uses it.
func unmount(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("umount", "--lazy", dir).CombinedOutput(); err != nil {
		t.Errorf("umount %s: %v: %s", dir, err, out)
	}
}

// faultAgentDiskFull fills the disk of the agent's state: the session goes on, the agent says so in its log, and when
// there is room again the journal is written again, so that a kill -9 costs nothing.
func faultAgentDiskFull(t *testing.T) {
	if !isolated(t) {
		return
	}
	const part = 2_000
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	fill, empty := fillDisk(t, filepath.Join(f.dir, "edge-1"))
	agent := f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	led := newLedger(t, 4*part)
	led.seen[0] = 1
	appendLines(t, log, 1, part)
	led.readSome(ctx, stream, part-1)
	fill()
	appendLines(t, log, part, 2*part)
	led.readSome(ctx, stream, 2*part-1)
	f.until("the agent says that it cannot write", func() bool {
		write(t, log, "one more, since the last page of the journal may still have room\n")
		return strings.Contains(agent.out.String(), "journal_write_failed")
	})
	problem := func() string {
		edge, err := f.client.Agent(ctx, "edge-1")
		if err != nil {
			t.Fatal(err)
		}
		return edge.Problem
	}
	f.until("the server tells of it", func() bool { return strings.HasSuffix(problem(), "no space left on device") })
	// Also a session that begins now needs no journal.
	_, _, another := f.begin(wire.StartRequest{})
	appendLines(t, log, 2*part, 2*part+1)
	collect(ctx, t, another, says(strings.TrimSpace(lineText(2*part))))
	empty()
	f.until("the server tells that it is over", func() bool { return problem() == "" })
	appendLines(t, log, 2*part+1, 3*part)
	led.readSome(ctx, stream, 3*part-1)
	journal := filepath.Join(f.dir, "edge-1", "sessions", id+".journal")
	f.until("the journal is written again", func() bool {
		info, err := os.Stat(journal)
		return err == nil && info.Size() > 0
	})
	agent.kill()
	journals(t, filepath.Join(f.dir, "edge-1"))
	appendLines(t, log, 3*part, 4*part)
	f.startAgent("edge-1", "app="+log)
	led.readSome(ctx, stream, 4*part-1)
	led.finish(ctx, f, stream, id)
	led.whole()
}

// faultAgentDiskErrors has the disk of the agent's state fail now and then: sessions go on, and nothing is lost.
func faultAgentDiskErrors(t *testing.T) {
	const part = 1_000
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	usual := f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	usual.kill()
	data := filepath.Join(f.dir, "edge-1")
	// Every third write of the journal finds no room, every second rename fails, and no checkpoint can be synced.
	agent := f.traceAgent("app="+log, "-P", filepath.Join(data, "sessions", id+".journal"),
		"-P", filepath.Join(data, "counter.checkpoint.new"), "-e", "trace=write,renameat,fsync", "-e",
		"inject=write:error=ENOSPC:when=3+3", "-e", "inject=renameat:error=EIO:when=2+2", "-e", "inject=fsync:error=EIO")
	led := newLedger(t, 20*part)
	appendLines(t, log, 1, part)
	led.seen[0] = 1
	led.readSome(ctx, stream, part-1)
	for n := 1; n < 20; n++ {
		appendLines(t, log, n*part, (n+1)*part)
		led.readSome(ctx, stream, (n+1)*part-1)
		<-time.After(100 * time.Millisecond)
	}
	if !strings.Contains(agent.out.String(), "journal_write_failed") {
		t.Error("no write failed, so this shows nothing")
	}
	f.until("the server tells that there is no checkpoint", func() bool {
		edge, err := f.client.Agent(ctx, "edge-1")
		return err == nil && strings.Contains(edge.Problem, "checkpoint") && strings.HasSuffix(edge.Problem, "input/output error")
	})
	led.finish(ctx, f, stream, id)
	led.whole()
}

// faultServerDiskFull fills the disk of the server: open sessions go on, starting another one is refused with a word
// that helps, and it is possible again when there is room.
func faultServerDiskFull(t *testing.T) {
	if !isolated(t) {
		return
	}
	f := &fleet{t: t, dir: t.TempDir(), listen: "127.0.0.1", port: freePort(t)}
	data := filepath.Join(f.dir, "server")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", "-t", "tmpfs", "-o", "size=2m", "none", data)
	t.Cleanup(func() { unmount(t, data) })
	f.start()
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{})
	ballast := filepath.Join(data, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = file.Write(make([]byte, 512))
	}
	_ = file.Close()
	refused := 0
	for range 50 {
		if _, err := f.client.Start(ctx, wire.StartRequest{AgentID: "edge-1"}); err != nil {
			refused++
			if why := (*wire.Error)(nil); !errors.As(err, &why) || why.Code != wire.CodeStorage {
				t.Errorf("refused with %v, want %s", err, wire.CodeStorage)
			}
			break
		}
	}
	if refused == 0 {
		t.Error("no start was refused, so this shows nothing")
	}
	write(t, log, "the open session goes on\n")
	collect(ctx, t, stream, says("goes on"))
	// What is stopped is over, for the viewer too.
	if stopped, err := f.client.Stop(ctx, id); err != nil || stopped.Status != wire.StatusEnded {
		t.Errorf("stop: %+v %v", stopped, err)
	}
	collect(ctx, t, stream, func(f client.Frame) bool {
		return f.Control != nil && f.Control.Event == wire.EventSessionEnded
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	f.until("a session can be started again", func() bool {
		_, err := f.client.Start(ctx, wire.StartRequest{AgentID: "edge-1"})
		return err == nil
	})
	_, _, second := f.begin(wire.StartRequest{})
	write(t, log, "there is room again\n")
	collect(ctx, t, second, says("room again"))
}

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// rotatedNginx is an nginx that logs the number of each request.
const rotatedNginx = `daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log stderr warn;
events {}
http {
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	log_format numbered 'line $arg_n of $remote_addr';
	server {
		listen 127.0.0.1:%[2]d;
		access_log %[1]s/logs/access.log numbered;
		location / { return 204; }
	}
}
`

// faultNginx has the real logrotate rotate the log of a real nginx by rename, as their packages set it up, under load and
// twice in a row: nginx writes to the renamed file until it is told, and nothing of that is lost.
func faultNginx(t *testing.T) {
	rounds := times(6, 60)
	const perRound = 500
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "access.log")
	appendLines(t, log, 0, 1)
	conf, port := filepath.Join(f.dir, "nginx.conf"), freePort(t)
	write(t, conf, fmt.Sprintf(rotatedNginx, f.dir, port))
	launch(t, "nginx", exec.Command(program("nginx"), "-e", "stderr", "-c", conf))
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	f.until("nginx answers", func() bool {
		resp, err := http.Get(url)
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil
	})
	config := filepath.Join(f.dir, "logrotate.conf")
	write(t, config, fmt.Sprintf("%s {\n\tsize 1\n\trotate %d\n\tsu root root\n\tcreate 0644\n\tsharedscripts\n\tpostrotate\n"+
		"\t\tkill -USR1 $(cat %s/nginx.pid)\n\tendscript\n}\n", log, 3*rounds, f.dir))
	f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	lines := 1 + rounds*perRound
	asked := make(chan error, 1)
	go func() { asked <- request(ctx, url, 1, lines) }()
	led := newLedger(t, lines)
	led.seen[0] = 1
	for round := range rounds {
		led.readSome(ctx, stream, 1+round*perRound)
		for range 1 + round%2 {
			command(t, "logrotate", "--force", "--state", config+".state", config)
		}
	}
	led.readSome(ctx, stream, lines-1)
	if err := <-asked; err != nil {
		t.Fatal(err)
	}
	led.finish(ctx, f, stream, id)
	led.whole()
}

// request asks for the numbers from to to-1.
func request(ctx context.Context, url string, from, to int) error {
	for n := from; n < to; n++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"?n="+itoa(n), nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
	}
	return nil
}

// faultRefill cuts a file and writes it anew beyond where it was read, within one look of the agent: a size alone does
// not show it. What was read before must not come twice, and the new lines must come whole.
func faultRefill(t *testing.T) {
	const perRound = 50
	rounds := times(20, 500)
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	lines := 1 + perRound*rounds*(rounds+1)/2
	led := newLedger(t, lines)
	led.seen[0] = 1
	written := 1
	for round := range rounds {
		// Each life is longer than the one before, and begins with other bytes.
		var text bytes.Buffer
		for range perRound * (round + 1) {
			text.WriteString(lineText(written))
			written++
		}
		file, err := os.OpenFile(log, os.O_WRONLY|os.O_TRUNC, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(text.Bytes()); err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		led.readSome(ctx, stream, written-1)
	}
	led.finish(ctx, f, stream, id)
	led.whole()
}

// ext4 is the number of the file system whose free inodes are handed out again at once.
const ext4 = 0xef53

// reusingFolder is a folder on ext4: the usual one where that is on it, else one in a mounted image.
func reusingFolder(t *testing.T, dir string) string {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if fs.Type == ext4 {
		return dir
	}
	if os.Geteuid() != 0 {
		t.Fatal("this row needs ext4, which hands out inodes again: run it as root, or with TMPDIR on ext4")
	}
	image, mounted := filepath.Join(dir, "ext4.img"), filepath.Join(dir, "ext4")
	if err := os.MkdirAll(mounted, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "dd", "if=/dev/zero", "of="+image, "bs=1M", "count=16", "status=none")
	command(t, "/sbin/mkfs.ext4", "-q", "-F", image)
	command(t, "mount", "-o", "loop", image, mounted)
	t.Cleanup(func() { unmount(t, mounted) })
	return mounted
}

// faultInodeReuse has files deleted and made again while no agent holds them open, so that the file system gives the
// new ones the inodes of the old ones: a thousand lives. An agent that comes back knows the inode and an offset in it,
// and yet reads each new life from its first line.
func faultInodeReuse(t *testing.T) {
	const files = 50
	rounds := times(20, 200)
	f := newFleet(t)
	dir := filepath.Join(reusingFolder(t, f.dir), "logs")
	name := func(n int) string { return filepath.Join(dir, fmt.Sprintf("app-%02d.log", n)) }
	lives, same := 0, 0
	inodes := map[uint64]bool{}
	// Lives are of one length, so that the offset of the one before is within each.
	live := func(life int) {
		for n := range files {
			write(t, name(n), lifeText(life, n))
			info, err := os.Stat(name(n))
			if err != nil {
				t.Fatal(err)
			}
			if inode := info.Sys().(*syscall.Stat_t).Ino; inodes[inode] {
				same++
			} else {
				inodes[inode] = true
			}
			lives++
		}
	}
	write(t, filepath.Join(dir, "other.log"), "before\n")
	agent := f.startAgent("edge-1", "app="+filepath.Join(dir, "*.log"))
	ctx, _, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	live(0)
	f.readLives(ctx, stream, 0, files)
	for life := 1; life <= rounds; life++ {
		agent.kill()
		for n := range files {
			if err := os.Remove(name(n)); err != nil {
				t.Fatal(err)
			}
		}
		live(life)
		agent = f.startAgent("edge-1", "app="+filepath.Join(dir, "*.log"))
		f.readLives(ctx, stream, life, files)
	}
	t.Logf("of %d lives %d had the inode of an earlier one; each came from its first line", lives, same)
	if same < (lives-files)/2 {
		t.Errorf("only %d of %d inodes were reused, so this shows little", same, lives)
	}
}

// linesOfLife is how many lines a file of faultInodeReuse has.
const linesOfLife = 5

// lifeText is what one life of a file holds.
func lifeText(life, file int) string {
	var text strings.Builder
	for line := range linesOfLife {
		fmt.Fprintf(&text, "life %04d of file %02d, line %d\n", life, file, line)
	}
	return text.String()
}

// readLives reads one life of each file and checks that it comes whole and in order.
func (f *fleet) readLives(ctx context.Context, s *client.Stream, life, files int) {
	f.t.Helper()
	next := make([]int, files)
	for left := files * linesOfLife; left > 0; {
		frame, err := s.Next(ctx)
		if err != nil {
			f.t.Fatalf("%d lines of life %d are still to come: %v", left, life, err)
		}
		if frame.Log == nil {
			continue
		}
		var of, file, line int
		if _, err := fmt.Sscanf(frame.Log.Message, "life %d of file %d, line %d", &of, &file, &line); err != nil {
			continue
		}
		if of != life || line != next[file] {
			f.t.Fatalf("%q came, want line %d of life %d", frame.Log.Message, next[file], life)
		}
		next[file]++
		left--
	}
}

// faultGzip has the real logrotate pack what it rotates, under a glob that the packed files match too: no packed byte
// is streamed, and no line comes a second time.
func faultGzip(t *testing.T) {
	const perRound = 500
	rounds := times(6, 50)
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	log := filepath.Join(dir, "app.log")
	config := filepath.Join(f.dir, "logrotate.conf")
	write(t, config, log+" {\n\tsize 1\n\trotate 100\n\tsu root root\n\tcreate 0644\n\tcompress\n\tdelaycompress\n}\n")
	appendLines(t, log, 0, 1)
	f.startAgent("edge-1", "app="+filepath.Join(dir, "app.log*"))
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	led := newLedger(t, 1+rounds*perRound)
	led.seen[0] = 1
	for round := range rounds {
		from := 1 + round*perRound
		appendLines(t, log, from, from+perRound)
		command(t, "logrotate", "--force", "--state", config+".state", config)
		led.readSome(ctx, stream, from+perRound-1)
	}
	packed, err := filepath.Glob(filepath.Join(dir, "*.gz"))
	if err != nil || len(packed) != rounds-1 {
		t.Errorf("%d files were packed, %v; want %d", len(packed), err, rounds-1)
	}
	<-time.After(time.Second) // The packed files were there for several looks.
	led.finish(ctx, f, stream, id)
	led.whole()
	one, err := f.client.Session(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range one.Accounts.Agents {
		if a.Seen != uint64(rounds*perRound) {
			t.Errorf("%d lines were seen, want the %d that were written", a.Seen, rounds*perRound)
		}
	}
}

// faultSymlinkFlips flips a link to the next of several files while they are written: the link is followed from file
// to file as a rotation, and a flip to a file outside the folder is refused.
func faultSymlinkFlips(t *testing.T) {
	const perFile = 200
	files := times(30, 300)
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	link := filepath.Join(dir, "current")
	flip := func(target string) { command(t, "ln", "-sfn", target, link) }
	name := func(n int) string { return fmt.Sprintf("app-%04d.log", n) }
	appendLines(t, filepath.Join(dir, name(0)), 0, 1)
	flip(name(0))
	f.startAgent("edge-1", "app="+link)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	led := newLedger(t, 1+files*perFile)
	led.seen[0] = 1
	for n := range files {
		from := 1 + n*perFile
		appendLines(t, filepath.Join(dir, name(n)), from, from+perFile/2)
		if n+1 < files {
			appendLines(t, filepath.Join(dir, name(n+1)), 0, 0)
		}
		// A late line in the old file comes after the flip, as a writer does that was not told yet.
		led.readSome(ctx, stream, from+perFile/2-1)
		if n+1 < files {
			flip(name(n + 1))
		}
		appendLines(t, filepath.Join(dir, name(n)), from+perFile/2, from+perFile)
	}
	led.readSome(ctx, stream, files*perFile)
	outside := filepath.Join(f.dir, "secret.log")
	write(t, outside, "nobody may see this\n")
	flip(outside)
	f.problem("edge-1", "app", "out of its folder")
	write(t, outside, "nor this\n")
	<-time.After(500 * time.Millisecond)
	led.finish(ctx, f, stream, id)
	led.swapped = 0 // The late lines of one file may come after the first of the next.
	led.whole()
	one, err := f.client.Session(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range one.Accounts.Agents {
		if a.Seen != uint64(files*perFile) {
			t.Errorf("%d lines were seen, want the %d that were written", a.Seen, files*perFile)
		}
	}
}

// faultHole truncates a file under a writer that goes on at its old place, so that the file begins with a hole: the
// hole is not streamed as a line of zeros, and what is written behind it comes.
func faultHole(t *testing.T) {
	const hole = 1 << 30
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	write(t, log, "before\n")
	agent := f.startAgent("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	stale, err := os.OpenFile(log, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer stale.Close()
	if _, err := stale.WriteAt([]byte("at its place\n"), int64(len("before\n"))); err != nil {
		t.Fatal(err)
	}
	collect(ctx, t, stream, says("at its place"))
	if err := os.Truncate(log, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := stale.WriteAt([]byte("behind the hole\nand on\n"), hole); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	got := collect(ctx, t, stream, says("and on"))
	within(t, "what is behind 1 GiB of zeros came", time.Since(began), 10*time.Second)
	if len(got) != 2 || got[0].Log.Message != "behind the hole" {
		t.Errorf("%d events came: %s; want the two lines", len(got), messages(got))
	}
	if most := rss(t, agent, "VmHWM"); most > 64<<20 {
		t.Errorf("the agent took %d MiB", most>>20)
	}
	if _, err := f.client.Stop(ctx, id); err != nil {
		t.Fatal(err)
	}
}

// faultSpecialFiles puts into the folder what is no file with lines: nothing of it holds the agent up, nothing is read,
// the source says so, and the healthy file beside it is streamed.
func faultSpecialFiles(t *testing.T) {
	f := newFleet(t)
	dir := filepath.Join(f.dir, "logs")
	write(t, filepath.Join(dir, "app.log"), "before\n")
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.log"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.log"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The path of a socket may have no more than 108 bytes.
	short, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	listener, err := net.Listen("unix", filepath.Join(short, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := os.Rename(filepath.Join(short, "s"), filepath.Join(dir, "socket.log")); err != nil {
		t.Fatal(err)
	}
	strange := []string{"fifo", "folder", "socket"}
	links := map[string]string{"null": "/dev/null", "zero": "/dev/zero", "kmsg": "/proc/kmsg", "loop": "loop.log"}
	for name, target := range links {
		strange = append(strange, name)
		if err := os.Symlink(target, filepath.Join(dir, name+".log")); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		device := int(1<<8 | 5) // that of /dev/zero
		if err := syscall.Mknod(filepath.Join(dir, "device.log"), syscall.S_IFCHR|0o644, device); err != nil {
			t.Fatal(err)
		}
		strange = append(strange, "device")
	}
	agent := f.startAgent("edge-1", filepath.Join(dir, "*.log"))
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	write(t, filepath.Join(dir, "app.log"), "the healthy file goes on\n")
	got := collect(ctx, t, stream, says("goes on"))
	if len(got) != 1 {
		t.Errorf("%d events came: %s", len(got), messages(got))
	}
	f.problem("edge-1", "app", "")
	for _, name := range strange {
		f.problem("edge-1", name, name+".log")
	}
	if open := openFiles(t, agent, ".log"); open != 1 {
		t.Errorf("the agent holds %d files open, want the healthy one", open)
	}
	if _, err := f.client.Stop(ctx, id); err != nil {
		t.Fatal(err)
	}
}

// faultPermission takes the right to read from an agent that is not root, and gives it back: the source says so, and
// the agent goes on where it was.
func faultPermission(t *testing.T) {
	f := newFleet(t)
	log := filepath.Join(f.dir, "logs", "app.log")
	write(t, log, "before\n")
	agent := f.startNobody("edge-1", "app="+log)
	ctx, id, stream := f.begin(wire.StartRequest{Mode: wire.ModeComplete})
	write(t, log, "with the right\n")
	collect(ctx, t, stream, says("with the right"))
	for round := range times(2, 20) {
		forbid(t, log, 0)
		agent.kill() // What is open stays readable; only a new agent needs the right again.
		agent = f.startNobody("edge-1", "app="+log)
		f.problem("edge-1", "app", "permission denied")
		text := fmt.Sprintf("without the right %d", round)
		write(t, log, text+"\n")
		forbid(t, log, 0o644)
		began := time.Now()
		got := collect(ctx, t, stream, says(text))
		within(t, "what was written without the right came", time.Since(began), 5*time.Second)
		if len(got) != 1 {
			t.Errorf("%d events came: %s; want the one", len(got), messages(got))
		}
		f.problem("edge-1", "app", "")
	}
	if _, err := f.client.Stop(ctx, id); err != nil {
		t.Fatal(err)
	}
}

// forbid changes a file's mode.
func forbid(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// startNobody starts an agent as a user without rights, since root may read everything.
func (f *fleet) startNobody(name, glob string) *process {
	f.t.Helper()
	path, err := binary()
	if err != nil {
		f.t.Fatal(err)
	}
	args := f.agentArgs(f.url(), name, glob)
	if os.Geteuid() != 0 {
		return f.startAgent(name, glob)
	}
	// Everything on the way must be open to the user, and the state be the user's.
	for _, dir := range []string{f.dir, filepath.Dir(f.dir), scratch, filepath.Join(f.dir, "server")} {
		forbid(f.t, dir, 0o755)
	}
	forbid(f.t, filepath.Join(f.dir, "server", "enrol.token"), 0o644)
	const nobody = 65534
	data := filepath.Join(f.dir, name)
	if err := os.MkdirAll(data, 0o700); err != nil {
		f.t.Fatal(err)
	}
	command(f.t, "chown", "-R", itoa(nobody), data)
	p := launch(f.t, "agent", exec.Command("setpriv", append([]string{
		"--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", path,
	}, args...)...))
	f.online(name)
	return p
}

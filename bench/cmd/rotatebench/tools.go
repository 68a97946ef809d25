package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/nxadm/tail"
)

// The names of the followers.
const (
	nameTail    = "tail -F"
	nameNxadm   = "nxadm/tail"
	nameRsyslog = "rsyslog imfile"
	nameSpile   = "Spile"
)

// errNotInstalled is the error of a follower that this machine lacks.
var errNotInstalled = errors.New("not installed")

// place is where a follower works.
type place struct {
	dir, log string
	seen     *tally
	spile    string
}

// tool is a kind of follower.
type tool struct {
	name  string
	start func(*place) (follower, error)
}

// follower is a running one.
type follower interface {
	// end waits for what it still has to say and returns what it told of losses.
	end() (told, error)
	// close stops it; it may be called after end.
	close()
}

// tools are the columns.
func tools() []tool {
	return []tool{
		{nameTail, startTail},
		{nameNxadm, startNxadm},
		{nameRsyslog, startRsyslog},
		{nameSpile, startSpile},
	}
}

// program is a follower that is a process which prints lines.
type program struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when its output has ended
}

// startProgram starts a process and counts the lines that it prints.
func startProgram(p *place, cmd *exec.Cmd) (*program, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f := &program{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		scan(p, out)
	}()
	return f, nil
}

// scan counts the lines of an output.
func scan(p *place, out io.Reader) {
	r := bufio.NewReaderSize(out, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		p.seen.line(line)
	}
}

// end ends the process.
func (f *program) end() (told, error) {
	f.close()
	return told{}, nil
}

// close kills the process.
func (f *program) close() {
	_ = f.cmd.Process.Kill()
	<-f.done
	_ = f.cmd.Wait()
}

// startTail starts coreutils' tail.
func startTail(p *place) (follower, error) {
	return startProgram(p, exec.Command("tail", "-n", "+1", "-F", p.log))
}

// rsyslogConfig is a whole configuration: one file to the standard output, with what serves imfile best where a file is
// truncated.
const rsyslogConfig = `global(workDirectory=%q maxMessageSize="64k")
module(load="imfile" mode="inotify")
template(name="line" type="string" string="%%msg%%\n")
input(type="imfile" file=%q tag="bench" reopenOnTruncate="on")
action(type="omfile" file="/dev/stdout" template="line")
`

// startRsyslog starts rsyslog with a configuration and a folder of its own.
func startRsyslog(p *place) (follower, error) {
	path, err := exec.LookPath("rsyslogd")
	if err != nil {
		path = "/usr/sbin/rsyslogd"
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("rsyslogd: %w", errNotInstalled)
		}
	}
	work := filepath.Join(p.dir, "rsyslog")
	if err := os.Mkdir(work, 0o755); err != nil {
		return nil, err
	}
	config := filepath.Join(work, "rsyslog.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, rsyslogConfig, work, p.log), 0o644); err != nil {
		return nil, err
	}
	return startProgram(p, exec.Command(path, "-n", "-f", config, "-i", filepath.Join(work, "pid")))
}

// startNxadm starts nxadm/tail in a process of its own: this program, which then does nothing else.
func startNxadm(p *place) (follower, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), followEnv+"="+p.log)
	return startProgram(p, cmd)
}

// followEnv names the file that this program is to follow with nxadm/tail.
const followEnv = "ROTATEBENCH_FOLLOW"

// follow prints the lines of a file until it is killed.
func follow(path string) error {
	t, err := tail.TailFile(path, tail.Config{Follow: true, ReOpen: true, Logger: tail.DiscardingLogger})
	if err != nil {
		return err
	}
	for line := range t.Lines {
		if _, err := os.Stdout.WriteString(line.Text + "\n"); err != nil {
			return err
		}
	}
	return t.Wait()
}

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spilelog/spile/bench/fleet"
)

// startLimit bounds how long the agent may take to be online.
const startLimit = 600 * time.Second

// firstLines is how many lines each file has at the start.
const firstLines = 20

// crowd is a fleet whose agent follows many files.
type crowd struct {
	*fleet.Fleet
	logs   []string
	agent  int // its process
	online time.Duration
}

// newCrowd makes the files and starts the fleet.
func newCrowd(s *settings) (*crowd, error) {
	one, err := fleet.New(s.spile, s.dir)
	if err != nil {
		return nil, err
	}
	f := &crowd{Fleet: one}
	if err = f.makeFiles(s); err == nil {
		err = f.startAgent(s)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// makeFiles makes files of some lines each.
func (f *crowd) makeFiles(s *settings) error {
	var text []byte
	for i := range firstLines {
		text = fmt.Appendf(text, "time=2026-01-15T10:00:00.000Z level=info msg=\"a line of the past\" n=%d\n", i)
	}
	for i := range s.files {
		folder := filepath.Join(f.Dir, "logs", fmt.Sprintf("service-%05d", i%s.folders))
		if i < s.folders {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
		}
		path := filepath.Join(folder, fmt.Sprintf("instance-%06d.log", i))
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
		f.logs = append(f.logs, path)
	}
	return nil
}

// startAgent starts the agent with the limits of the settings and tells how long it took to be online.
func (f *crowd) startAgent(s *settings) (err error) {
	limits := "true"
	if s.nofile > 0 {
		limits = fmt.Sprintf("ulimit -n %d", s.nofile)
	}
	script := limits + ` && exec "$0" "$@"`
	wrapper := []string{"sh", "-c", script}
	if s.noInotify {
		wrapper = []string{"unshare", "-Ur", "sh", "-c", "echo 0 > /proc/sys/user/max_inotify_instances && " + script}
	}
	began := time.Now()
	f.agent, err = f.StartAgent(filepath.Join(f.Dir, "logs", "*", "*.log"), startLimit, wrapper...)
	f.online = time.Since(began)
	return err
}

// Command manyfiles measures an agent that follows very many files: what it takes of memory, descriptors and processor
// while nothing happens, how soon it sees a line in a file that was quiet, and its memory while lines come. The server
// and the agent are processes of their own.
//
//	cd bench && go run ./cmd/manyfiles -files 100000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

// settings are the flags.
type settings struct {
	spile, dir     string
	files, folders int
	nofile         int
	noInotify      bool
	settle, idle   time.Duration
	probes         int
	rate           int
	busy           time.Duration
	session        bool
	restart        bool
}

func main() {
	var s settings
	flag.StringVar(&s.spile, "spile", "", "the program to measure; empty builds it from the module above")
	flag.StringVar(&s.dir, "dir", "", "where the files are made; empty means a temporary folder")
	flag.IntVar(&s.files, "files", 100_000, "how many files are made")
	flag.IntVar(&s.folders, "folders", 1, "over how many folders they are spread")
	flag.IntVar(&s.nofile, "nofile", 0, "the agent's limit of open descriptors; 0 leaves it as it is")
	flag.BoolVar(&s.noInotify, "no-inotify", false, "the agent gets no inotify instance (needs user namespaces)")
	flag.DurationVar(&s.settle, "settle", 20*time.Second, "how long the agent may settle after its start")
	flag.DurationVar(&s.idle, "idle", 60*time.Second, "how long nothing happens")
	flag.IntVar(&s.probes, "probes", 20, "how many quiet files are written to, one after another")
	flag.IntVar(&s.rate, "rate", 0, "lines a second over all files in a last run; 0 leaves it out")
	flag.DurationVar(&s.busy, "busy", 30*time.Second, "how long that run writes")
	flag.BoolVar(&s.session, "session", false, "a session streams the lines of the last run")
	flag.BoolVar(&s.restart, "restart", true, "the agent is restarted at the end, and goes on from its checkpoint")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "manyfiles:", err)
		os.Exit(1)
	}
}

// run makes files and fleet and prints the table.
func run(s settings) error {
	f, err := newCrowd(&s)
	if err != nil {
		return err
	}
	defer f.Close()
	row := func(name, form string, args ...any) { fmt.Printf("%-34s %s\n", name, fmt.Sprintf(form, args...)) }
	row("files, folders", "%d, %d", s.files, s.folders)
	row("start to online", "%.2f s", f.online.Seconds())
	time.Sleep(s.settle)
	before, err := f.usage()
	if err != nil {
		return err
	}
	row("processor time until settled", "%.2f s", before.cpu.Seconds())
	time.Sleep(s.idle)
	after, err := f.usage()
	if err != nil {
		return err
	}
	row("idle: RSS, PSS, most", "%.1f, %.1f, %.1f MiB", after.rss, after.pss, after.peak)
	row("idle: share of a core", "%.2f %%", 100*(after.cpu-before.cpu).Seconds()/s.idle.Seconds())
	row("idle: descriptors", "%d", after.fds)
	if s.probes > 0 {
		d, err := f.probe(context.Background(), &s)
		if err != nil {
			return err
		}
		row("write to viewer, quiet files", "%d of %d lines, p50 %.1f ms, max %.1f ms",
			len(d), s.probes, ms(d.at(0.5)), ms(d.at(1)))
	}
	if s.rate > 0 {
		if err := f.busy(context.Background(), &s, row); err != nil {
			return err
		}
	}
	if s.restart {
		return f.restart(&s, row)
	}
	return nil
}

// ms is d in milliseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

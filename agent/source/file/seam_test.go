package file

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/spilelog/spile/agent/source"
)

// seam rotates a file that is written while readers begin in its history, again and again.
type seam struct {
	*rig
	copied, delayed bool
	next            int
}

// stamped are lines with a time of their own, a second apart.
func stamped(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "%s entry %d\n", time.Unix(int64(i), 0).UTC().Format(time.RFC3339), i)
	}
	return b.String()
}

// rotate does what logrotate does, in its order.
func (s *seam) rotate() error {
	for n := 60; n > 0; n-- {
		for _, end := range []string{"", ".gz"} {
			_ = os.Rename(s.path(fmt.Sprintf("app.log.%d%s", n, end)), s.path(fmt.Sprintf("app.log.%d%s", n+1, end)))
		}
	}
	if s.copied {
		s.copyTo("app.log", "app.log.1")
		s.truncate("app.log")
	} else if err := os.Rename(s.path("app.log"), s.path("app.log.1")); err != nil {
		return err
	}
	if !s.copied {
		s.write("app.log", "")
	}
	if s.delayed {
		return s.gzip("app.log.2")
	}
	return s.gzip("app.log.1")
}

// gzip compresses a file as gzip does, piece by piece under the final name.
func (s *seam) gzip(name string) error {
	in, err := os.Open(s.path(name))
	if os.IsNotExist(err) {
		return nil
	} else if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(s.path(name + ".gz"))
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	z := gzip.NewWriter(out)
	for {
		n, err := io.CopyN(z, in, 4<<10)
		if err := z.Flush(); err != nil {
			return err
		}
		if err != nil || n == 0 {
			break
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	if err := os.Chtimes(s.path(name+".gz"), info.ModTime(), info.ModTime()); err != nil {
		return err
	}
	return os.Remove(s.path(name))
}

// run writes so many lines, at a pace that leaves each life of the file long enough to be seen.
func (s *seam) run(lines int, pace time.Duration) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for s.next < lines {
		<-tick.C
		if s.next > 0 && s.next%1_000 == 0 {
			if err := s.rotate(); err != nil {
				return err
			}
		}
		s.write("app.log", stamped(s.next, s.next+100))
		s.next += 100
	}
	return nil
}

// TestSeam opens readers with since and tail at all moments of rotations and wants from each every line exactly once
// and in order, the live ones included.
func TestSeam(t *testing.T) {
	const lines = 12_000
	for name, s := range map[string]*seam{
		"rename":            {},
		"rename-delayed":    {delayed: true},
		"copytruncate":      {copied: true},
		"copytruncate-late": {copied: true, delayed: true},
	} {
		t.Run(name, func(t *testing.T) {
			s.rig = newRig(t)
			s.write("app.log", stamped(0, 100))
			s.next = 100
			s.set.scan()
			written := make(chan error, 1)
			var wg sync.WaitGroup
			failed := make(chan error, 100)
			go func() { written <- s.run(lines, 4*time.Millisecond) }()
			done := false
			for i := 0; !done; i++ {
				start := origin(0, 0)
				if i%2 == 1 {
					start = origin(-1, 10*lines)
				}
				rd := s.open(start)
				wg.Go(func() {
					if err := follow(rd, lines); err != nil {
						failed <- fmt.Errorf("reader %d: %w", i, err)
					}
				})
				select {
				case err := <-written:
					if err != nil {
						t.Fatal(err)
					}
					done = true
				case <-time.After(9 * time.Millisecond):
				}
			}
			wg.Wait()
			close(failed)
			for err := range failed {
				t.Error(err)
			}
		})
	}
}

// follow reads numbered lines from 0 on, in their order.
func follow(rd source.Reader, lines int) error {
	timeout := time.After(4 * deadline)
	for next := 0; next < lines; {
		b, err := rd.Next()
		if err != nil {
			select {
			case <-rd.Ready():
				continue
			case <-timeout:
				return fmt.Errorf("%d of %d lines", next, lines)
			}
		}
		if b.Gap != nil && b.Gap.Bytes > 0 { // a truncation may always have torn lines
			return fmt.Errorf("gap %+v at line %d", *b.Gap, next)
		}
		for line := range strings.Lines(string(b.Data)) {
			if want := stamped(next, next+1); line != want {
				return fmt.Errorf("line %q, want %q", line, want)
			}
			next++
		}
	}
	return nil
}

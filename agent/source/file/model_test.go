package file

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/agent/source"
)

// model writes numbered lines through every kind of rotation and remembers them.
type model struct {
	*rig
	rd      source.Reader
	got     taken
	next    int
	partial bool
	at      []source.Position
}

func (m *model) number() string {
	m.next++
	return fmt.Sprintf("line %07d of the model, long enough to be told from others", m.next-1)
}

func (m *model) lines(n int) {
	var b strings.Builder
	for range n {
		if m.partial {
			m.partial = false
			b.WriteString(" and its end\n")
			continue
		}
		b.WriteString(m.number() + "\n")
	}
	m.write("app.log", b.String())
}

// whole ends a line that is not finished: a rotation would otherwise part it, rightly.
func (m *model) whole() {
	if m.partial {
		m.lines(1)
	}
}

// catchUp reads what was written so far, as every place where bytes may be destroyed needs.
func (m *model) catchUp() {
	collect(m.t, m.rd, &m.got, atLeast(m.done()))
}

// done is how many whole lines were written.
func (m *model) done() int {
	if m.partial {
		return m.next - 1
	}
	return m.next
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "spile-model-")
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		m := &model{rig: &rig{t: t, dir: dir}}
		m.start("*.log")
		defer func() { m.stop() }()
		m.rd = m.open(source.Start{Resume: []source.Position{}})
		rt.Repeat(map[string]func(*rapid.T){
			"write": func(rt *rapid.T) { m.lines(rapid.IntRange(1, 40).Draw(rt, "lines")) },
			"write-partial": func(*rapid.T) {
				if !m.partial {
					m.write("app.log", m.number())
					m.partial = true
				}
			},
			"rename": func(*rapid.T) {
				m.whole()
				if m.next > 0 {
					m.shift("app.log")
					_ = os.Rename(m.path("app.log"), m.path("app.log.1"))
				}
			},
			"copy-truncate": func(*rapid.T) {
				m.whole()
				if info, err := os.Stat(m.path("app.log")); err == nil && info.Size() > 0 {
					m.shift("app.log")
					m.copyTo("app.log", "app.log.1")
					m.truncate("app.log")
				}
			},
			"delete": func(*rapid.T) {
				m.whole()
				m.catchUp()
				_ = os.Remove(m.path("app.log"))
			},
			"read": func(*rapid.T) { drain(m.t, m.rd, &m.got) },
			"restart": func(*rapid.T) {
				m.catchUp() // a place that was never seen has no position to go on from
				m.at = slices.Collect(m.rd.Positions())
				_ = m.rd.Close()
				m.stop()
				m.start("*.log")
				m.rd = m.open(source.Start{Resume: m.at})
			},
			"late": func(*rapid.T) { m.set.scan() },
		})
		m.whole()
		m.catchUp()
		m.check(rt)
		_ = m.rd.Close()
	})
}

// check compares what was read with what was written: nothing missing, nothing doubled.
func (m *model) check(rt *rapid.T) {
	drain(m.t, m.rd, &m.got)
	seen := make([]int, m.next)
	for _, line := range m.got.lines {
		var n int
		if _, err := fmt.Sscanf(line, "line %d of", &n); err != nil || n >= m.next {
			rt.Fatalf("strange line %q: %v", line, err)
		}
		seen[n]++
	}
	for n, times := range seen {
		if times != 1 {
			rt.Fatalf("line %d was read %d times of %d lines", n, times, m.next)
		}
	}
	for _, g := range m.got.gaps {
		if g.Bytes != 0 {
			rt.Fatalf("gap %+v", g)
		}
	}
}

// TestManyReaders is for the race detector: readers come and go while a file grows and rotates.
func TestManyReaders(t *testing.T) {
	const lines = 4_000
	r := newRig(t)
	r.write("app.log", "")
	done := make(chan error, 8)
	for i := range 8 {
		rd := r.open(source.Start{Accept: func(name string) bool { return name == "app" }})
		go func() { done <- count(rd, lines, i) }()
	}
	for n := 0; n < lines; n += 100 {
		r.write("app.log", numbered(n, n+100))
		if n%1000 == 500 {
			r.shift("app.log")
			r.rename("app.log", "app.log.1")
		}
		_ = r.set.Sources()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func count(rd source.Reader, lines, i int) error {
	timeout := time.After(deadline)
	for n := 0; n < lines; {
		b, err := rd.Next()
		if errors.Is(err, source.ErrDry) {
			select {
			case <-rd.Ready():
				continue
			case <-timeout:
				return fmt.Errorf("reader %d has %d of %d lines", i, n, lines)
			}
		}
		if err != nil {
			return fmt.Errorf("reader %d: %w", i, err)
		}
		n += strings.Count(string(b.Data), "\n")
	}
	return nil
}

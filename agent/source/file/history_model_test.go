package file

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/agent/source"
)

// chronicle writes numbered lines, each a second after the last, to several files that rotate, and knows what a reader
// of their history has to return.
type chronicle struct {
	*rig
	rt    *rapid.T
	rd    source.Reader
	got   taken
	next  int    // the number of the next line
	of    []int  // by line: the file that it went to
	live  []bool // by file: it has lines
	from  int    // the first line that is expected
	known int    // how many lines there were when the reader was opened
	moved bool   // the reader was opened again
}

const chronicleFiles = 2

func (m *chronicle) name(i int) string { return fmt.Sprintf("app%d.log", i) }

func (m *chronicle) writeSome() {
	i := rapid.IntRange(0, chronicleFiles-1).Draw(m.rt, "file")
	m.writeTo(i, rapid.IntRange(1, 400).Draw(m.rt, "lines"))
}

func (m *chronicle) writeTo(i, lines int) {
	var b strings.Builder
	for range lines {
		fmt.Fprintf(&b, "%s line %d of the chronicle\n",
			time.Unix(int64(m.next), 0).UTC().Format(time.RFC3339), m.next)
		m.of = append(m.of, i)
		m.next++
	}
	m.write(m.name(i), b.String())
	m.live[i] = true
}

// shiftAll renames N to N+1, in whatever form it is.
func (m *chronicle) shiftAll(name string) {
	for n := 60; n > 0; n-- {
		for _, end := range []string{"", ".gz", ".zst"} {
			old := fmt.Sprintf("%s.%d%s", name, n, end)
			if _, err := os.Lstat(m.path(old)); err == nil {
				m.rename(old, fmt.Sprintf("%s.%d%s", name, n+1, end))
			}
		}
	}
}

// rotate rotates one file; dated names are given in turn with numbers only from the second file on.
func (m *chronicle) rotate() {
	i := rapid.IntRange(0, chronicleFiles-1).Draw(m.rt, "file")
	if !m.live[i] {
		return
	}
	name := m.name(i)
	m.shiftAll(name)
	if rapid.Bool().Draw(m.rt, "copy") {
		m.copyTo(name, name+".1")
		m.truncate(name)
	} else {
		m.rename(name, name+".1")
	}
	m.live[i] = false
	m.look()
}

// look lets the tracker see what happened before the next thing does: the bytes may be nowhere else soon.
func (m *chronicle) look() {
	if m.set != nil {
		m.set.scan()
	}
}

// compress compresses one plain rotated file, as gzip and zstd do: under the final name, which appears first.
func (m *chronicle) compress() {
	names, _ := os.ReadDir(m.dir)
	var plain []string
	for _, e := range names {
		if rotationNumber(e.Name()) > 0 && !strings.HasSuffix(e.Name(), "z") && !strings.HasSuffix(e.Name(), "zst") {
			plain = append(plain, e.Name())
		}
	}
	if len(plain) == 0 {
		return
	}
	name := rapid.SampledFrom(plain).Draw(m.rt, "name")
	how := rapid.SampledFrom([]format{formatGzip, formatZstd}).Draw(m.rt, "format")
	data, err := os.ReadFile(m.path(name))
	if err != nil {
		m.rt.Fatal(err)
	}
	info, err := os.Stat(m.path(name))
	if err != nil {
		m.rt.Fatal(err)
	}
	m.putBytes(name+"."+string(how), packed(m.t, how, string(data)), 0)
	if rapid.Bool().Draw(m.rt, "keeps time") {
		if err := os.Chtimes(m.path(name+"."+string(how)), info.ModTime(), info.ModTime()); err != nil {
			m.rt.Fatal(err)
		}
	}
	if err := os.Remove(m.path(name)); err != nil {
		m.rt.Fatal(err)
	}
}

// begin opens the reader at a beginning that is drawn.
func (m *chronicle) begin() {
	m.known = m.next
	since, tail := -1, 0
	if rapid.Bool().Draw(m.rt, "has since") {
		since = rapid.IntRange(0, m.next+2).Draw(m.rt, "since")
	}
	if since < 0 || rapid.Bool().Draw(m.rt, "has tail") {
		tail = rapid.IntRange(1, m.next+2).Draw(m.rt, "tail")
	}
	m.from = max(since, 0)
	if tail > 0 {
		m.from = max(m.from, m.next-tail)
	}
	m.from = min(m.from, m.next)
	m.rd = m.open(origin(since, tail))
}

// step reads a few blocks.
func (m *chronicle) step() {
	for range rapid.IntRange(1, 30).Draw(m.rt, "blocks") {
		b, err := m.rd.Next()
		if err != nil {
			return
		}
		m.got.take(b)
	}
}

// restart goes on where a process died, after what is drawn happened meanwhile.
func (m *chronicle) restart() {
	m.look()
	at := slices.Collect(m.rd.Positions())
	_ = m.rd.Close()
	m.stop()
	m.set = nil
	m.tick() // what happens while nobody looks happens later
	for range rapid.IntRange(0, 4).Draw(m.rt, "events") {
		switch rapid.IntRange(0, 2).Draw(m.rt, "event") {
		case 0:
			m.writeSome()
		case 1:
			m.rotate()
		case 2:
			m.compress()
		}
	}
	m.start("*.log")
	start := origin(-1, 0)
	start.Resume = at
	m.rd = m.open(start)
	m.moved = true
}

// gather reads until so many lines came, or nothing comes any more.
func (m *chronicle) gather(lines int) {
	timeout := time.After(deadline)
	for drain(m.t, m.rd, &m.got); len(m.got.lines) < lines; drain(m.t, m.rd, &m.got) {
		select {
		case <-m.rd.Ready():
		case <-timeout:
			m.rt.Logf("positions %+v", slices.Collect(m.rd.Positions()))
			return
		}
	}
}

// check wants each line once, history in its order and before what came later.
func (m *chronicle) check() {
	m.gather(m.next - m.from)
	var numbers []int
	for _, line := range m.got.lines {
		n, err := strconv.Atoi(strings.Split(line+"   ", " ")[2])
		if err != nil || n >= m.next {
			m.rt.Fatalf("strange line %q: %v", line, err)
		}
		numbers = append(numbers, n)
	}
	order := slices.Clone(numbers)
	slices.Sort(order)
	for i, n := range order {
		if n != m.from+i {
			m.rt.Fatalf("line %d of file %d is missing or doubled near %d: %d lines, want %d to %d",
				m.from+i, m.of[m.from+i], n, len(order), m.from, m.next-1)
		}
	}
	if len(order) != m.next-m.from {
		m.rt.Fatalf("%d lines, want %d", len(order), m.next-m.from)
	}
	for _, g := range m.got.gaps {
		if g.Bytes != 0 {
			m.rt.Fatalf("gap %+v", g)
		}
	}
	m.checkOrder(numbers)
}

func (m *chronicle) checkOrder(numbers []int) {
	last := make([]int, chronicleFiles)
	for i, n := range numbers {
		if n >= m.known {
			continue
		}
		if !m.moved && n != m.from+i {
			m.rt.Fatalf("history has line %d at %d", n, i)
		}
		if n < last[m.of[n]] {
			m.rt.Fatalf("line %d comes after %d", n, last[m.of[n]])
		}
		last[m.of[n]] = n
	}
	if want := min(m.known-m.from, len(numbers)); !m.moved && slices.Max(append(numbers[:want], 0)) > m.known {
		m.rt.Fatal("live lines come before history")
	}
}

func TestHistoryModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "spile-history-")
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		m := &chronicle{rig: &rig{t: t, dir: dir}, rt: rt, live: make([]bool, chronicleFiles)}
		m.writeTo(0, 1)
		m.writeTo(1, 1)
		for range rapid.IntRange(0, 25).Draw(rt, "before") {
			switch rapid.IntRange(0, 4).Draw(rt, "event") {
			case 0, 1:
				m.writeSome()
			case 2:
				m.rotate()
			case 3, 4:
				m.compress()
			}
		}
		for i := range chronicleFiles { // a family is found by its live file
			if !m.live[i] {
				m.writeTo(i, 1)
			}
		}
		m.start("*.log")
		defer func() { m.stop() }()
		m.begin()
		for range rapid.IntRange(0, 15).Draw(rt, "during") {
			switch rapid.IntRange(0, 9).Draw(rt, "event") {
			case 0, 1:
				m.writeSome()
			case 2, 3:
				m.rotate()
			case 4, 5:
				m.compress()
			case 6:
				m.restart()
			default:
				m.step()
			}
		}
		m.check()
		_ = m.rd.Close()
	})
}

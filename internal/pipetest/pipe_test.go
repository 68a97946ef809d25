package pipetest

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile/wire"
)

const (
	// workers is how many sequences run beside one another: they mostly wait.
	workers = 8
	// sequences is how many are run among all other tests, few enough to wait for; soakSequences with SPILE_SOAK=1.
	sequences     = 200
	soakSequences = 10_000
	// seed draws the same sequences in every run that is not for long, so that what fails there was made to fail by a
	// change; the moments at which they meet still differ. A long run draws others, as does -rapid.seed.
	seed = 3
	// steps is the mean length of a sequence.
	steps = 16
	// nobody is a user without rights.
	nobody = 65534
)

// setDefault sets a flag that the command line did not set.
func setDefault(t *testing.T, name, value string) {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// humble gives up the rights of root until the test ends: root may read what nobody may.
func humble(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := syscall.Setreuid(-1, nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setreuid(-1, 0); err != nil {
			t.Error(err)
		}
	})
}

// TestSoakPipe lets everything happen in any order: writing, every kind of rotation, deaths, cuts, slow viewers. With
// SPILE_SOAK=1 it runs for long; -rapid.checks is the number of sequences of each worker, -rapid.seed repeats one.
func TestSoakPipe(t *testing.T) {
	count := soakSequences
	if os.Getenv("SPILE_SOAK") == "" {
		count = sequences
		setDefault(t, "rapid.seed", strconv.Itoa(seed))
	}
	setDefault(t, "rapid.checks", strconv.Itoa(count/workers))
	setDefault(t, "rapid.steps", strconv.Itoa(steps))
	// A sequence is told by what was done; the same draws need not meet the same moments again.
	setDefault(t, "rapid.nofailfile", "true")
	humble(t)
	began := time.Now()
	// Not t.Parallel, which would let only so many run as there are processors: they wait for one another's sockets.
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() { t.Run(fmt.Sprint(i), func(t *testing.T) { rapid.Check(t, shifted(i)) }) })
	}
	group.Wait()
	t.Logf("%d sequences in %v", count, time.Since(began).Round(time.Second))
}

// shifted is sequence for worker i: from one seed each draws others.
func shifted(i int) func(*rapid.T) {
	return func(rt *rapid.T) {
		for range i {
			rapid.Uint64().Draw(rt, "shift")
		}
		sequence(rt)
	}
}

// sequence is one of them.
func sequence(rt *rapid.T) {
	m := newModel(rt, drawMode(rt))
	defer m.close()
	file := func(rt *rapid.T) *logFile {
		return m.disk.files[rapid.IntRange(0, len(m.disk.files)-1).Draw(rt, "file")]
	}
	viewer := func(rt *rapid.T) *viewer {
		return m.viewers[rapid.IntRange(0, maxViewers-1).Draw(rt, "viewer")%len(m.viewers)]
	}
	write := func(rt *rapid.T) {
		mask := rapid.Uint64().Draw(rt, "keep")
		lines := rapid.IntRange(1, 30).Draw(rt, "lines")
		m.write(file(rt), lines, 20, func(i int) bool { return mask>>(i%64)&1 == 0 })
	}
	yes := func(rt *rapid.T, what string) bool { return rapid.Bool().Draw(rt, what) }
	rt.Repeat(map[string]func(*rapid.T){
		"":              func(*rapid.T) { m.sound(false) },
		"write":         write,
		"write-more":    write,
		"write-half":    func(rt *rapid.T) { m.half(file(rt)) },
		"flood":         func(rt *rapid.T) { m.write(file(rt), floodLines, floodPad, nil) },
		"rotate":        func(rt *rapid.T) { m.rotate(file(rt), yes(rt, "stale")) },
		"copy-truncate": func(rt *rapid.T) { m.copyTruncate(file(rt)) },
		"truncate":      func(rt *rapid.T) { m.truncate(file(rt)) },
		"delete":        func(rt *rapid.T) { m.remove(file(rt), yes(rt, "stale")) },
		"expire":        func(rt *rapid.T) { m.expire(file(rt)) },
		"recreate":      func(rt *rapid.T) { m.reopen(file(rt)) },
		"chmod":         func(rt *rapid.T) { m.deny(file(rt)) },
		"flip":          func(*rapid.T) { m.flip() },
		"kill-agent":    func(*rapid.T) { m.killAgent() },
		"start-agent":   func(*rapid.T) { m.startAgent() },
		"kill-server":   func(*rapid.T) { m.killServer() },
		"start-server":  func(*rapid.T) { m.startServer() },
		"cut-agent":     func(rt *rapid.T) { m.cutAgent(yes(rt, "stay")) },
		"heal-agent":    func(*rapid.T) { m.healAgent() },
		"cut-viewer":    func(rt *rapid.T) { m.cutViewer(viewer(rt), yes(rt, "stay")) },
		"heal-viewer":   func(rt *rapid.T) { viewer(rt).road.heal() },
		"slow":          func(rt *rapid.T) { m.slow(viewer(rt), true) },
		"fast":          func(rt *rapid.T) { m.slow(viewer(rt), false) },
		"join":          func(*rapid.T) { m.join() },
		"settle":        func(*rapid.T) { m.settle() },
		"stop":          func(rt *rapid.T) { m.again(drawMode(rt)) },
	})
	m.finish()
}

// drawMode draws a mode.
func drawMode(rt *rapid.T) wire.Mode {
	return rapid.SampledFrom([]wire.Mode{wire.ModeComplete, wire.ModeLive}).Draw(rt, "mode")
}

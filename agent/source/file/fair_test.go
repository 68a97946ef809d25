package file

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/agent/source"
)

// TestBusyFileKeepsNobodyWaiting reads a file that always has more: a line of another one comes in its turn.
func TestBusyFileKeepsNobodyWaiting(t *testing.T) {
	r := newRig(t)
	r.write("busy.log", "")
	r.write("quiet.log", "")
	rd := r.open(source.Start{})
	flood := strings.Repeat("a line of a file that is written without end\n", 3*blockSize/40)
	r.write("busy.log", flood)
	var got taken
	collect(t, rd, &got, func(k *taken) bool { return len(k.lines) > 0 })
	r.write("quiet.log", "quiet\n")
	until := time.Now().Add(deadline)
	for r.set.quietUnseen() && time.Now().Before(until) {
		<-time.After(time.Millisecond)
	}
	for range 3 { // the block of the busy file's turn, and the quiet one's
		b, err := rd.Next()
		if err != nil {
			t.Fatal(err)
		}
		if b.Source == "quiet" {
			return
		}
	}
	t.Error("the busy file was read on and on")
}

// TestSkippingLeavesWhoIsNotBehind skips the flood of one file, and none of the few lines of others.
func TestSkippingLeavesWhoIsNotBehind(t *testing.T) {
	r := newRig(t)
	names := []string{"busy.log", "one.log", "two.log"}
	for _, name := range names {
		r.write(name, "")
	}
	rd := r.open(source.Start{})
	flood := strings.Repeat("a line of a file that is written without end\n", 3*blockSize/40)
	r.write("busy.log", flood)
	r.write("one.log", "one\n")
	r.write("two.log", "two\n")
	r.set.scan()
	skipped := rd.SkipToEnd()
	if len(skipped) != 1 || skipped[0].Gap.Bytes != int64(len(flood)) {
		t.Fatalf("skipped %+v, want %d bytes of busy.log", skipped, len(flood))
	}
	var k taken
	collect(t, rd, &k, atLeast(2))
	slices.Sort(k.lines)
	if !slices.Equal(k.lines, []string{"one", "two"}) || rd.Backlog() != 0 {
		t.Errorf("lines %q, backlog %d", k.lines, rd.Backlog())
	}
}

// quietUnseen says whether the tracker has not yet seen what quiet.log has.
func (s *Set) quietUnseen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tracks {
		if t.source == "quiet" && t.gen != nil && t.gen.seen > 0 {
			return false
		}
	}
	return true
}

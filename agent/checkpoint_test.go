package agent

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// someCheckpoint is one with everything in it.
func someCheckpoint() *checkpoint {
	return &checkpoint{
		head: checkpointHead{
			Version: checkpointVersion, Globs: []string{"/var/log/*.log", "/srv/**/*.txt"},
			Counts: map[string]wire.SourceCount{
				"app": {Lines: 7, Bytes: 700, Levels: [wire.NumLevels]uint64{0, 1, 6}}, "empty": {},
			},
		},
		positions: []source.Position{
			{Source: "app", Path: "/var/log/app.log", Device: 1, Inode: 2, Print: 1 << 63, PrintLen: 64, Offset: 700},
			{Source: "app", Path: "/var/log/a\xff\n\"pp.log", Device: 1, Inode: 3},
			{Source: "old", Path: "/var/log/old.log", Print: 5, PrintLen: 9, Offset: 3, Packed: "gz"},
		},
	}
}

// written is a checkpoint as it lies on the disk.
func written(t testing.TB, c *checkpoint) []byte {
	t.Helper()
	var b bytes.Buffer
	size, err := writeCheckpoint(&b, &c.head, slices.Values(c.positions))
	if err != nil || size != int64(b.Len()) {
		t.Fatalf("write: %v, told %d bytes of %d", err, size, b.Len())
	}
	return b.Bytes()
}

// same compares checkpoints; the source's name is not restored byte by byte where it is no UTF-8, but nobody needs it.
func same(a, b *checkpoint) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(checkpoint{}))
}

func TestCheckpointIsReadAsItWasWritten(t *testing.T) {
	want := someCheckpoint()
	got, err := readCheckpoint(bytes.NewReader(written(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := same(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDamagedCheckpointIsNotBelieved(t *testing.T) {
	whole := written(t, someCheckpoint())
	for at := range whole {
		if _, err := readCheckpoint(bytes.NewReader(whole[:at])); err == nil {
			t.Errorf("cut at byte %d of %d, and believed", at, len(whole))
		}
		bent := bytes.Clone(whole)
		bent[at] ^= 1
		if got, err := readCheckpoint(bytes.NewReader(bent)); err == nil && same(someCheckpoint(), got) != "" {
			t.Errorf("byte %d bent, and believed", at)
		}
	}
	if _, err := readCheckpoint(bytes.NewReader(append(bytes.Clone(whole), whole...))); err == nil {
		t.Error("two in one file were believed")
	}
}

func TestCheckpointOfAnotherVersionIsNotRead(t *testing.T) {
	c := someCheckpoint()
	c.head.Version++
	_, err := readCheckpoint(bytes.NewReader(written(t, c)))
	if err == nil || !strings.Contains(err.Error(), "version 2, want 1") {
		t.Errorf("error %v, want one that names both versions", err)
	}
}

func TestCheckpointIsBounded(t *testing.T) {
	c := checkpoint{head: checkpointHead{Version: checkpointVersion}}
	long := strings.Repeat("x", 1<<20)
	for i := range maxCheckpoint>>20 + 1 {
		c.positions = append(c.positions, source.Position{Path: long, Inode: uint64(i)})
	}
	var b bytes.Buffer
	if _, err := writeCheckpoint(&b, &c.head, slices.Values(c.positions)); err == nil || b.Len() > maxCheckpoint {
		t.Errorf("%d bytes, error %v; want at most %d and an error", b.Len(), err, maxCheckpoint)
	}
	if _, err := readCheckpoint(strings.NewReader(strings.Repeat("x", maxCheckpoint+1))); err == nil {
		t.Error("more than is ever written was read")
	}
}

func TestCheckpointKeepsNothingOfItsPositions(t *testing.T) {
	const most = 100 // lines that wait in the buffer
	c := someCheckpoint()
	one := c.positions[0]
	var out bytes.Buffer
	kept := 0
	positions := func(yield func(source.Position) bool) {
		for n := range 1000 {
			kept = max(kept, n-bytes.Count(out.Bytes(), []byte{'\n'}))
			if !yield(one) {
				return
			}
		}
	}
	if _, err := writeCheckpoint(&out, &c.head, positions); err != nil || kept > most {
		t.Errorf("%v; %d positions were kept, want at most %d", err, kept, most)
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(written(f, someCheckpoint()))
	f.Add(written(f, &checkpoint{head: checkpointHead{Version: checkpointVersion}}))
	f.Add([]byte("{}\n"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readCheckpoint(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := readCheckpoint(bytes.NewReader(written(t, c)))
		if err != nil || same(c, again) != "" {
			t.Errorf("believed, but not the same when written again: %v %s", err, same(c, again))
		}
	})
}

func BenchmarkCheckpointOf100000Files(b *testing.B) {
	c := checkpoint{head: checkpointHead{Version: checkpointVersion, Globs: []string{"/var/log/**/*.log"}}}
	for i := range 100_000 {
		c.positions = append(c.positions, source.Position{
			Source: "app", Path: fmt.Sprintf("/var/log/customers/app-%06d.log", i), Device: 64_769,
			Inode: uint64(3_000_000 + i), Print: 0x9E3779B97F4A7C15 * uint64(i), PrintLen: 1024, Offset: int64(i) * 777,
		})
	}
	var size int64
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if size, err = writeCheckpoint(bytesOnly{}, &c.head, slices.Values(c.positions)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size), "bytes")
}

// bytesOnly takes and forgets.
type bytesOnly struct{}

func (bytesOnly) Write(p []byte) (int, error) { return len(p), nil }

package spile

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// errRefused is what the writers of these tests say.
var errRefused = errors.New("refused")

// choosy is a writer that takes only as much as it is allowed to.
type choosy struct {
	bytes.Buffer
	allow int
}

func (c *choosy) Write(p []byte) (int, error) {
	n := min(c.allow, len(p))
	c.Buffer.Write(p[:n])
	if n < len(p) {
		return n, errRefused
	}
	return n, nil
}

// TestBufferKeepsWhatIsNotTaken writes records to writers that take any part of them: what was taken and what is waiting
// are always all that was added, in order and whole.
func TestBufferKeepsWhatIsNotTaken(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b buffer
		var added []byte
		w := &choosy{}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				line := rapid.SliceOfN(rapid.Byte(), 1, 20).Draw(t, "line")
				b.add(line)
				added = append(added, line...)
			} else {
				w.allow = rapid.IntRange(0, 60).Draw(t, "allow")
				before := len(b.data) - b.sent
				if err := b.writeTo(w); (err != nil) != (w.allow < before) {
					t.Fatalf("writeTo of %d bytes to a writer that takes %d says %v", before, w.allow, err)
				}
			}
			if got := append(bytes.Clone(w.Bytes()), b.data[b.sent:]...); !bytes.Equal(got, added) {
				t.Fatalf("taken and waiting are %q, added were %q", got, added)
			}
			if len(b.ends) > 0 && (b.sent >= b.ends[0] || b.ends[len(b.ends)-1] != len(b.data)) || len(b.ends) == 0 && len(b.data) > 0 {
				t.Fatalf("ends %v, sent %d of %d bytes", b.ends, b.sent, len(b.data))
			}
		}
	})
}

func TestBufferRestartsARecord(t *testing.T) {
	var b buffer
	b.add([]byte("one\n"))
	b.add([]byte("two\n"))
	if err := b.writeTo(&choosy{allow: 6}); !errors.Is(err, errRefused) || !b.begun() {
		t.Fatalf("begun %v, error %v", b.begun(), err)
	}
	b.restart()
	next := &choosy{allow: 100}
	if err := b.writeTo(next); err != nil || next.String() != "two\n" {
		t.Errorf("the next writer got %q, %v; want the whole second record", next.String(), err)
	}
}

func TestBufferGivesBackMemory(t *testing.T) {
	var b buffer
	b.add(make([]byte, 10+keptBuffer+1))
	b.shrink(10)
	if len(b.data) == 0 {
		t.Error("shrink threw away a record")
	}
	b.reset()
	b.shrink(10)
	if cap(b.data) > 0 {
		t.Errorf("%d bytes kept, want none", cap(b.data))
	}
}

// oddWriter does what its function says.
type oddWriter func(p []byte) (int, error)

func (w oddWriter) Write(p []byte) (int, error) { return w(p) }

func TestWritersThatBreakTheirPromises(t *testing.T) {
	tests := map[string]struct {
		w       oddWriter
		n       int
		wantErr string
	}{
		"short-without-an-error": {func([]byte) (int, error) { return 1, nil }, 1, "short write"},
		"more-than-there-is":     {func(p []byte) (int, error) { return len(p) + 1, nil }, 3, ""},
		"less-than-nothing":      {func([]byte) (int, error) { return -1, errRefused }, 0, "refused"},
		"panic":                  {func([]byte) (int, error) { panic("boom") }, 0, "panic: boom"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			n, err := writeGuarded(tt.w, []byte("abc"))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if n != tt.n || text != tt.wantErr {
				t.Errorf("got %d, %q; want %d, %q", n, text, tt.n, tt.wantErr)
			}
		})
	}
}

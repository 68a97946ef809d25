package spile

import (
	"io"
)

// keptBuffer is how much more memory than it needs, in bytes, a buffer keeps after a record that was too long for it.
const keptBuffer = 64 << 10

// buffer holds whole records until a writer has taken them. The mutex of its owner guards it.
type buffer struct {
	data []byte
	// ends says where each record in data ends.
	ends []int
	// sent is how much of the first record the writer has taken. What is left of it goes out before anything else, so
	// that no line ends in the middle of another.
	sent int
}

// add puts a record behind the others.
func (b *buffer) add(line []byte) {
	b.data = append(b.data, line...)
	b.ends = append(b.ends, len(b.data))
}

// begun says whether the writer has a part of a record.
func (b *buffer) begun() bool { return b.sent > 0 }

// restart makes the record of which the writer has a part one that goes out whole, to another writer.
func (b *buffer) restart() { b.sent = 0 }

// reset forgets all records.
func (b *buffer) reset() { b.data, b.ends, b.sent = b.data[:0], b.ends[:0], 0 }

// writeTo gives w what there is. What w does not take stays.
func (b *buffer) writeTo(w io.Writer) error {
	rest := b.data[b.sent:]
	if len(rest) == 0 {
		return nil
	}
	n, err := writeGuarded(w, rest)
	if n == len(rest) {
		b.reset()
		return nil
	}
	b.took(n)
	return err
}

// took removes the records of which the writer has all after it took n more bytes.
func (b *buffer) took(n int) {
	n += b.sent
	done, cut := 0, 0
	for done < len(b.ends) && b.ends[done] <= n {
		cut = b.ends[done]
		done++
	}
	b.sent = n - cut
	if done == 0 {
		return // A writer that takes nothing is asked often; that must cost little.
	}
	b.data = b.data[:copy(b.data, b.data[cut:])]
	b.ends = b.ends[:copy(b.ends, b.ends[done:])]
	for i := range b.ends {
		b.ends[i] -= cut
	}
}

// shrink gives back memory beyond size that one long record took.
func (b *buffer) shrink(size int) {
	if len(b.data) == 0 && cap(b.data) > size+keptBuffer {
		b.data = nil
	}
}

// writeGuarded is w.Write, with its promises kept: n is between 0 and len(p), less than that comes with an error, and
// a panic is an error. All of p taken is a success, whatever else w says.
func writeGuarded(w io.Writer, p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, errorOf("panic", r)
		}
	}()
	n, err = w.Write(p)
	n = min(max(n, 0), len(p))
	if n < len(p) && err == nil {
		err = io.ErrShortWrite
	}
	return n, err
}

package file

import (
	"bytes"
	"hash/crc64"
	"io"

	"github.com/spilelog/spile/agent/source"
)

// headSize is how much of a file's beginning tells it from another one.
const headSize = 1024

// ecma is a table that is never written.
var ecma = crc64.MakeTable(crc64.ECMA)

// head is the beginning of a generation, behind the hole at offset 0 if there is one; it is never changed, a longer one
// replaces it.
type head struct {
	from  int64
	bytes []byte
	crc   uint64
}

func newHead(from int64, b []byte) *head {
	return &head{from: from, bytes: b, crc: crc64.Checksum(b, ecma)}
}

// readHead reads up to n bytes of a file's beginning.
func readHead(f io.ReaderAt, n int) ([]byte, error) {
	return readAt(f, 0, n)
}

// readAt reads up to n bytes of a file at an offset.
func readAt(f io.ReaderAt, at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := f.ReadAt(b, at)
	if err != nil && err != io.EOF {
		return nil, err
	}
	return b[:got], nil
}

// begins says whether the file begins with the bytes of h; an empty head is the beginning of nothing.
func (h *head) begins(f io.ReaderAt) bool {
	if len(h.bytes) == 0 {
		return false
	}
	b, err := readAt(f, h.from, len(h.bytes))
	return err == nil && bytes.Equal(b, h.bytes)
}

// alike says whether the file, which is not empty, begins with the bytes of h as far as it has them.
func (h *head) alike(f io.ReaderAt) bool {
	b, err := readAt(f, h.from, len(h.bytes))
	return err == nil && startsAlike(h.bytes, b)
}

// start is what a file with this head begins with, the hole included.
func (h *head) start() []byte {
	if h.from == 0 {
		return h.bytes
	}
	start := append(make([]byte, min(h.from, headSize)), h.bytes...)
	return start[:min(len(start), headSize)]
}

// printMatches says whether the file has the print of p.
func printMatches(f io.ReaderAt, p *source.Position) bool {
	if p.PrintLen < 0 || p.PrintLen > headSize || p.PrintAt < 0 {
		return false
	}
	b, err := readAt(f, p.PrintAt, p.PrintLen)
	return err == nil && len(b) == p.PrintLen && crc64.Checksum(b, ecma) == p.Print
}

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
	bytes []byte // nil where n is not 0 but nobody needs them: crc tells them too
	crc   uint64
	n     int32 // of bytes
	odd   oddity
}

func newHead(from int64, b []byte) *head {
	return &head{from: from, bytes: b, crc: crc64.Checksum(b, ecma), n: int32(len(b)), odd: oddityOf(b)}
}

func (h *head) len() int { return int(h.n) }

// prefixes says whether b begins with h.
func (h *head) prefixes(b []byte) bool {
	if h.bytes == nil {
		return len(b) >= h.len() && crc64.Checksum(b[:h.n], ecma) == h.crc
	}
	return bytes.HasPrefix(b, h.bytes)
}

// like says whether b, the beginning of a file, may be that of one with this head. It is not certain where the bytes
// are dropped and b is short.
func (h *head) like(b []byte) bool {
	switch end := h.from + int64(h.n); {
	case h.bytes != nil || h.n == 0:
		return startsAlike(h.start(), b)
	case int64(len(b)) >= end:
		return h.prefixes(b[h.from:])
	}
	return len(b) > 0
}

// rested is h without its bytes.
func (h *head) rested() *head {
	if h.bytes == nil {
		return h
	}
	bare := *h
	bare.bytes = nil
	return &bare
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
	if h.len() == 0 {
		return false
	}
	b, err := readAt(f, h.from, h.len())
	return err == nil && len(b) == h.len() && h.prefixes(b)
}

// alike says whether the file, which is not empty, begins with the bytes of h as far as it has them.
func (h *head) alike(f io.ReaderAt) bool {
	b, err := readAt(f, h.from, h.len())
	if h.bytes == nil {
		return err == nil && h.n > 0 && h.prefixes(b)
	}
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

package file

import (
	"bytes"
	"hash/crc64"
	"io"
)

// headSize is how much of a file's beginning tells it from another one.
const headSize = 1024

// ecma is a table that is never written.
var ecma = crc64.MakeTable(crc64.ECMA)

// head is the beginning of a generation; it is never changed, a longer one replaces it.
type head struct {
	bytes []byte
	crc   uint64
}

func newHead(b []byte) *head {
	return &head{bytes: b, crc: crc64.Checksum(b, ecma)}
}

// readHead reads up to n bytes of a file's beginning.
func readHead(f io.ReaderAt, n int) ([]byte, error) {
	b := make([]byte, n)
	got, err := f.ReadAt(b, 0)
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
	b, err := readHead(f, len(h.bytes))
	return err == nil && bytes.Equal(b, h.bytes)
}

// printMatches says whether the file's first n bytes have the checksum crc.
func printMatches(f io.ReaderAt, crc uint64, n int) bool {
	if n < 0 || n > headSize {
		return false
	}
	b, err := readHead(f, n)
	return err == nil && len(b) == n && crc64.Checksum(b, ecma) == crc
}

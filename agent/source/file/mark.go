package file

import (
	"bytes"
	"hash/crc64"
	"io"
)

// mark is the last bytes of what was seen of a file, window at most.
type mark struct {
	bytes *[window]byte // nil where nobody needs them: sum tells them too
	sum   uint64
	n     uint8
	whole bool // they end with a line's end
}

func newMark(b []byte) mark {
	m := mark{
		bytes: new([window]byte), sum: crc64.Checksum(b, ecma), n: uint8(len(b)), whole: len(b) > 0 && b[len(b)-1] == '\n',
	}
	copy(m.bytes[:], b)
	return m
}

// is says whether b is what the mark is of.
func (m *mark) is(b []byte) bool {
	if m.bytes == nil {
		return len(b) == int(m.n) && crc64.Checksum(b, ecma) == m.sum
	}
	return bytes.Equal(b, m.bytes[:m.n])
}

// marked says whether the file has what was seen last of g.
func (g *generation) marked(f io.ReaderAt) bool {
	if g.mark.n == 0 {
		return true
	}
	b := make([]byte, g.mark.n)
	n, _ := f.ReadAt(b, g.seen-int64(len(b)))
	return g.mark.is(b[:n])
}

// rest drops what of a quiet generation can be read again, where there are very many of them.
func (g *generation) rest(s *Set) {
	if len(s.tracks) <= s.openFiles.limit {
		return
	}
	g.mark.bytes = nil
	if h := g.head.Load(); h.bytes != nil {
		g.head.Store(h.rested())
	}
}

// beginning is the head with its bytes; without them where they cannot be read any more.
func (g *generation) beginning() *head {
	h := g.head.Load()
	f := g.handle.Load()
	if h.bytes != nil || h.n == 0 || f == nil {
		return h
	}
	b, err := readAt(f.f, h.from, h.len())
	if err != nil || !h.prefixes(b) {
		return h
	}
	whole := *h
	whole.bytes = b[:h.n]
	return &whole
}

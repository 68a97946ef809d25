package file

import (
	"bytes"
)

// maxHole bounds the NUL bytes, no hole in the file system, that the tracker looks through for the first other one.
const maxHole = 32 << 20

// hole is the length of the run of NUL bytes at a generation's beginning that a truncation under a writer without
// O_APPEND leaves; 0 where the NULs are data.
func (r *reader) hole(c *cursor, size int64) int64 {
	h := c.gen.handle.Load()
	if h == nil {
		return 0
	}
	run := leadingNULs(h.f, size, size, r.buffer(keepBuffer))
	if run < minHole && !c.gen.hollow {
		return 0
	}
	return run
}

// leadingNULs counts the NUL bytes at a file's beginning, of which it reads most itself.
func leadingNULs(f *lazyFile, size, most int64, buf []byte) int64 {
	var run, looked int64
	for run < size && looked < most {
		// A hint only: file systems without holes answer with the offset itself.
		if next, err := f.data(run); err == nil && next > run {
			run = min(next, size)
			continue
		}
		n, _ := f.ReadAt(buf[:min(size-run, int64(len(buf)))], run)
		nul := len(buf[:n]) - len(bytes.TrimLeft(buf[:n], "\x00"))
		run, looked = run+int64(nul), looked+int64(nul)
		if nul < n || n == 0 {
			break
		}
	}
	return run
}

// dataStart is the offset behind the hole that a stale writer left at the beginning: the first bytes of all such files
// are the same, those behind it tell one from another. It is size where nothing else was written yet.
func (g *generation) dataStart(f *lazyFile, size int64) int64 {
	first := make([]byte, 1)
	if n, _ := f.ReadAt(first, 0); n == 0 || first[0] != 0 {
		return 0
	}
	run := leadingNULs(f, size, maxHole, make([]byte, keepBuffer))
	if run < size {
		next := make([]byte, 1)
		if n, _ := f.ReadAt(next, run); n == 0 || next[0] == 0 || run < minHole && !g.hollow {
			return 0
		}
	}
	return run
}

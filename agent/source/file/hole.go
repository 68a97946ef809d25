package file

import (
	"golang.org/x/sys/unix"
)

// hole is the length of the run of NUL bytes at a generation's beginning that a truncation under a writer without
// O_APPEND leaves; 0 where the NULs are data.
func (r *reader) hole(c *cursor, size int64) int64 {
	h := c.gen.handle.Load()
	if h == nil {
		return 0
	}
	var run int64
	buf := r.buffer(keepBuffer)
	for run < size {
		// A hint only: file systems without holes answer with the offset itself.
		if next, err := unix.Seek(int(h.f.Fd()), run, unix.SEEK_DATA); err == nil && next > run {
			run = min(next, size)
			continue
		}
		n, _ := h.f.ReadAt(buf[:min(size-run, int64(len(buf)))], run)
		nul := leadingNULs(buf[:n])
		run += int64(nul)
		if nul < n || n == 0 {
			break
		}
	}
	if run < minHole && !c.gen.hollow {
		return 0
	}
	return run
}

func leadingNULs(b []byte) int {
	for i, c := range b {
		if c != 0 {
			return i
		}
	}
	return len(b)
}

package parse

import (
	"bytes"
	"unsafe"

	"github.com/spilelog/spile/event"
)

// Counter counts the lines, bytes and levels of one file by byte scan, without parsing and without memory of its own.
// Not safe for concurrent use. The zero value is ready.
type Counter struct {
	// Lines is the number of lines.
	Lines uint64
	// Bytes is the number of bytes, newlines included.
	Bytes uint64
	// Levels is the number of lines of each level, by [event.Level.Index].
	Levels [event.NumLevels]uint64
}

// Count adds a block of whole lines, each ended by a newline; only the last may lack it. It keeps nothing of block.
func (c *Counter) Count(block []byte) {
	c.Bytes += uint64(len(block))
	for len(block) > 0 {
		n := bytes.IndexByte(block, '\n')
		line := block
		if n < 0 {
			block = nil
		} else {
			line, block = block[:n], block[n+1:]
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		c.Lines++
		// The text does not outlive this call, and the block does not change during it.
		text := unsafe.String(unsafe.SliceData(line), len(line))
		c.Levels[classify(stripBOM(text)).level.Index()]++
	}
}

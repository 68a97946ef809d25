package file

import (
	"bytes"

	"github.com/spilelog/spile/agent/source"
)

// remembered returns the whole lines of a destroyed generation that the tracker saw, and still has, of its beginning:
// a small file that is overwritten time and again is often gone before its readers come.
func (r *reader) remembered(c *cursor) *source.Block {
	h := c.gen.head.Load()
	if c.gen.handle.Load() != nil || c.gen.packing() != "" || h.from > 0 {
		return nil
	}
	from := c.off - int64(c.nbefore)
	if c.scan > c.off || c.off >= int64(len(h.bytes)) || !c.saw(h.bytes[from:c.off]) {
		return nil
	}
	data := h.bytes[c.off:]
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	if len(data) == 0 {
		return nil
	}
	c.remember(data)
	r.blockOf(c, data, c.off+int64(len(data)))
	return &r.block
}

package file

import (
	"bytes"
	"errors"
	"io"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// maxStreams bounds the memory of the compressed files that one reader has open, but for the first of them.
const maxStreams = 12 << 20

// streamOf returns the stream of a compressed generation where the cursor stands.
func (r *reader) streamOf(c *cursor) *stream {
	if c.stream != nil && c.stream.base > c.off {
		r.letGo(c)
	}
	if c.stream == nil {
		c.stream = newStream(c.gen.handle.Load().f, c.gen.packing(), r.set.limits, c.off)
		r.streams += c.stream.cost()
	}
	return c.stream
}

// letGo closes what only this cursor holds.
func (r *reader) letGo(c *cursor) {
	if c.stream != nil {
		r.streams -= c.stream.cost()
		c.stream.close()
		c.stream = nil
	}
}

// readPacked returns the next block of a compressed generation, and whether that is finished.
func (r *reader) readPacked(c *cursor) (b *source.Block, finished bool) {
	st := r.streamOf(c)
	if !st.skip(c.off) {
		return r.unpacked(c, st)
	}
	for {
		data := st.pending(c.off)
		if last := bytes.LastIndexByte(data, '\n'); last >= 0 {
			if keep := wholeLines(data[:last+1]); keep > 0 {
				r.blockOf(c, data[:keep], c.off+int64(keep))
				return &r.block, false
			}
			return r.cutPacked(c, st), false
		}
		if len(data) > wire.MaxLine {
			return r.cutPacked(c, st), false
		}
		if st.more(c.off) {
			continue
		}
		if len(data) > 0 && errors.Is(st.err, io.EOF) {
			r.blockOf(c, data, c.off+int64(len(data)))
			return &r.block, false
		}
		return r.unpacked(c, st)
	}
}

// wholeLines is the length of the lines up to the first that is too long.
func wholeLines(data []byte) int {
	keep := 0
	for keep < len(data) {
		part := data[keep:min(len(data), keep+wire.MaxLine+1)]
		last := bytes.LastIndexByte(part, '\n')
		if last < 0 {
			break
		}
		keep += last + 1
	}
	return keep
}

// cutPacked returns the beginning of a line that is too long, and moves over the rest.
func (r *reader) cutPacked(c *cursor, st *stream) *source.Block {
	kept := r.buffer(wire.MaxLine)
	at := c.off
	copy(kept, st.pending(at))
	end, whole := st.lineEnd(at)
	size := end - at
	if whole {
		size--
	}
	r.blockOf(c, kept, end)
	r.block.CutFrom = size
	return &r.block
}

// unpacked ends a compressed generation, with a gap where it did not come to its proper end.
func (r *reader) unpacked(c *cursor, st *stream) (*source.Block, bool) {
	g := c.gen
	g.size.Store(c.off)
	r.gap = source.Gap{Source: g.source, Path: g.name(), AtLeast: true}
	if errors.Is(st.err, io.EOF) && st.base+int64(len(st.buf)) >= c.off {
		r.gap.Bytes, r.gap.Reason = max(0, g.lost.Load()-c.off), wire.ReasonTruncated
		if r.gap.AtLeast = g.torn.Load(); r.gap.Bytes == 0 && !r.gap.AtLeast {
			return nil, true
		}
	} else {
		r.gap.Reason = unpackReason(st.err)
		if info, err := g.handle.Load().f.Stat(); err == nil && st.u != nil {
			r.gap.Bytes = max(0, info.Size()-st.u.in.n)
		}
	}
	r.blockOf(c, nil, c.off)
	r.block.Gap = &r.gap
	return &r.block, true
}

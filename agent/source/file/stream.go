package file

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/spilelog/spile/wire"
)

// streamBuffer is how much of a compressed file is unpacked at a time; the longest line that is kept fits in it.
const streamBuffer = 256 << 10

// stream is what of a compressed file lies unpacked, and what unpacks the rest. It goes forward only.
type stream struct {
	u    *unpacker
	base int64 // the offset of buf[0] in what the file holds
	buf  []byte
	room []byte
	err  error // why nothing comes any more, io.EOF at the proper end
}

// newStream opens a compressed file and leaves out what lies before off. An error is told by the stream.
func newStream(f contents, how format, lim limits, off int64) *stream {
	st := &stream{}
	st.u, st.err = newUnpacker(f, how, lim)
	if errors.Is(st.err, io.EOF) { // not even a header
		st.err = io.ErrUnexpectedEOF
	}
	st.skip(off)
	return st
}

func (st *stream) close() {
	if st != nil && st.u != nil {
		st.u.close()
		st.u = nil
	}
}

// cost is about what the stream holds in memory.
func (st *stream) cost() int {
	if st.u == nil {
		return cap(st.room)
	}
	return st.u.cost + streamBuffer
}

// skip moves on to off and says whether the file reaches so far.
func (st *stream) skip(off int64) bool {
	for st.base+int64(len(st.buf)) < off {
		st.base, st.buf = st.base+int64(len(st.buf)), st.buf[:0]
		if !st.more(st.base) {
			return false
		}
	}
	return off >= st.base
}

// pending is what lies unpacked from off on, which the stream has reached. It is valid until more.
func (st *stream) pending(off int64) []byte { return st.buf[off-st.base:] }

// more unpacks on while it keeps what lies behind off, and says whether anything was added.
func (st *stream) more(off int64) bool {
	if st.err != nil {
		return false
	}
	if st.room == nil {
		st.room = make([]byte, streamBuffer)
	}
	n := copy(st.room, st.pending(off))
	st.base = off
	had := n
	for n < len(st.room) && st.err == nil {
		var got int
		got, st.err = st.u.Read(st.room[n:])
		n += got
	}
	st.buf = st.room[:n]
	return n > had
}

// slice is a copy of what lies between two offsets, the first of which the stream did not leave behind; nil where the
// file does not reach so far.
func (st *stream) slice(from, to int64) []byte {
	out := []byte{}
	for pos := from; st.skip(pos); {
		data := st.pending(pos)
		out = append(out, data[:min(int64(len(data)), to-pos)]...)
		if pos = from + int64(len(out)); pos == to {
			return out
		}
		if len(data) == 0 && !st.more(pos) {
			break
		}
	}
	return nil
}

// lines calls do for each line from off on, cut where it is too long, and returns where they end.
func (st *stream) lines(off int64, do func(off int64, line []byte)) int64 {
	if !st.skip(off) {
		return off
	}
	for {
		data := st.pending(off)
		i := bytes.IndexByte(data, '\n')
		switch {
		case i >= 0:
			do(off, data[:min(i, wire.MaxLine)])
			off += int64(i) + 1
		case len(data) > wire.MaxLine:
			do(off, data[:wire.MaxLine])
			off, _ = st.lineEnd(off)
		case st.more(off):
		case len(data) > 0 && errors.Is(st.err, io.EOF):
			do(off, data)
			return off + int64(len(data))
		default:
			return off
		}
	}
}

// lineEnd moves on to the next line and returns its offset, and whether there is a newline before it.
func (st *stream) lineEnd(off int64) (end int64, whole bool) {
	for {
		data := st.pending(off)
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			return off + int64(i) + 1, true
		}
		off += int64(len(data))
		if !st.more(off) {
			return off, false
		}
	}
}

// since moves to the first line at or after a time and returns its offset; where there is none, to the end of what can
// be unpacked.
func (st *stream) since(at time.Time, timeOf func([]byte) (time.Time, bool)) int64 {
	off, begun := st.base, true
	for {
		data := st.pending(off)
		end := bytes.LastIndexByte(data, '\n') + 1
		if end == 0 && errors.Is(st.err, io.EOF) {
			end = len(data)
		}
		if end > 0 && !begun {
			off, begun = off+int64(lineAfter(data, 0)), true
			continue
		}
		if end > 0 {
			if i, ok := lineSince(data[:end], at, timeOf); ok {
				return off + int64(i)
			}
			off += int64(end)
		} else if len(data) > wire.MaxLine { // one line without an end: it is looked at as far as it is kept
			if when, ok := timeOf(data[:wire.MaxLine]); begun && ok && !when.Before(at) {
				return off
			}
			off, begun = off+int64(len(data)), false
		}
		if !st.more(off) {
			return off
		}
	}
}

// lineSince finds the first line at or after a time in whole lines, which are taken to be in order of time: mostly the
// last one tells that there is none.
func lineSince(data []byte, at time.Time, timeOf func([]byte) (time.Time, bool)) (int, bool) {
	if when, ok := lastTime(data, timeOf); !ok || when.Before(at) {
		return 0, false
	}
	i, _ := firstAt(data, timeOf, func(when time.Time) bool { return !when.Before(at) })
	return i, i < len(data)
}

// lineAfter is where the line behind pos begins.
func lineAfter(data []byte, pos int) int {
	if i := bytes.IndexByte(data[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(data)
}

// lastTime is the time of the last line that has one.
func lastTime(data []byte, timeOf func([]byte) (time.Time, bool)) (time.Time, bool) {
	for len(data) > 0 {
		at := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
		line := bytes.TrimSuffix(data[at:], []byte{'\n'})
		if when, ok := timeOf(line[:min(len(line), wire.MaxLine)]); ok {
			return when, true
		}
		data = data[:at]
	}
	return time.Time{}, false
}

// peek reads the beginning of a compressed file: for its print, and, where timeOf is not nil, for the time of the first
// line that has one. What it returns beside an error is good.
func peek(f contents, how format, lim limits, timeOf func([]byte) (time.Time, bool)) (
	head []byte, first time.Time, timed bool, cost int, err error,
) {
	u, err := newUnpacker(f, how, lim)
	if err != nil {
		return nil, time.Time{}, false, 0, err
	}
	defer u.close()
	var data []byte
	for size := 4 << 10; size <= timedLine && err == nil && !timed; size *= 8 {
		data = append(make([]byte, 0, size), data...)
		for len(data) < size && err == nil {
			var n int
			n, err = u.Read(data[len(data):size])
			data = data[:len(data)+n]
		}
		if timeOf == nil {
			break
		}
		_, first, timed = timedIn(data, 0, len(data), err == nil, timeOf)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return bytes.Clone(data[:min(len(data), headSize)]), first, timed, u.cost, err
}

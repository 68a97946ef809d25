package tap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/wire"
)

// textPattern is how the text format shows an event. A line begins with a date, so none can look like a notice.
const textPattern = "$date $time $metadata[$level] $message\n"

// newText is the formatter of the text format.
func newText() (format.Formatter, error) {
	return format.NewPattern(format.PatternOptions{Pattern: textPattern, AllKeys: true, JSON: true})
}

// rendering is one event in the forms in which the streams want it, each made once.
type rendering struct {
	tap *Tap
	// event is the event with the metadata that is shown.
	event  event.Event
	fields event.Metadata
	bodies [numEncodings]form
	raw    form
}

// form is the event in one form, once it is made.
type form struct {
	data []byte
	made bool
}

// newRendering returns the rendering of e, which free ends.
func (t *Tap) newRendering(e *event.Event) *rendering {
	r, ok := t.scratch.Get().(*rendering)
	if !ok {
		r = &rendering{tap: t}
	}
	r.event = *e
	if !t.o.AllMetadata {
		r.event.Metadata = r.shown(e)
	}
	return r
}

// free keeps the memory of r for the next event, unless it is much.
func (t *Tap) free(r *rendering) {
	r.event = event.Event{}
	clear(r.fields)
	r.raw.reset()
	for i := range r.bodies {
		r.bodies[i].reset()
	}
	t.scratch.Put(r)
}

// reset empties f.
func (f *form) reset() {
	f.data, f.made = f.data[:0], false
	if cap(f.data) > keepScratch {
		f.data = nil
	}
}

// shown is the metadata of e that is shown. If a value panics, that is shown instead.
func (r *rendering) shown(e *event.Event) (m event.Metadata) {
	defer func() {
		if p := recover(); p != nil {
			m = failure(p)
		}
	}()
	r.fields = r.fields[:0]
	for _, key := range r.tap.o.Metadata {
		found := false
		for v := range e.Metadata.All(key) {
			found = true
			r.fields = append(r.fields, event.Field{Key: key, Value: v})
		}
		if found {
			continue
		}
		if v, ok := r.tap.place(key, e); ok {
			r.fields = append(r.fields, event.Field{Key: key, Value: v})
		}
	}
	return r.fields
}

// body is the event in an encoding, without what differs from stream to stream.
func (r *rendering) body(e encoding) []byte {
	switch e {
	case encodingHTML:
		return r.make(&r.bodies[e], r.tap.o.HTML)
	case encodingText:
		return r.make(&r.bodies[e], r.tap.o.Text)
	default:
		f := &r.bodies[encodingJSON]
		if !f.made {
			f.data, f.made = r.tap.appendLog(f.data, &r.event), true
		}
		return f.data
	}
}

// make is the text of the event by a formatter.
func (r *rendering) make(f *form, by format.Formatter) []byte {
	if !f.made {
		f.data, f.made = format.Append(by, f.data, &r.event), true
	}
	return f.data
}

// line is the line of the event, which patterns are matched against.
func (r *rendering) line() []byte {
	line := bytes.TrimSuffix(r.make(&r.raw, r.tap.logfmt), []byte("\n"))
	return line[:min(len(line), wire.MaxLine)]
}

// appendLog appends the log frame of e up to its number, which appendFrame adds.
func (t *Tap) appendLog(dst []byte, e *event.Event) []byte {
	start := len(dst)
	dst, foreign, p := appendMembers(append(dst, `{"type":"log",`...), e)
	if p != nil {
		bare := *e
		bare.Metadata = failure(p)
		dst, foreign, _ = appendMembers(append(dst[:start], `{"type":"log",`...), &bare)
	}
	dst = append(dst, `,"agent":"`...)
	dst = append(dst, t.agent...)
	dst = append(dst, `","epoch":1,"seq":`...)
	if !foreign {
		return dst
	}
	return oneLine(dst, start)
}

// appendMembers appends the members of e, and says whether some of that is JSON which a program made; if a value
// panics, it gives back what was there, and the panic.
func appendMembers(dst []byte, e *event.Event) (out []byte, foreign bool, panicked any) {
	defer func() {
		if panicked = recover(); panicked != nil {
			out = dst
		}
	}()
	out = event.AppendMembers(dst, e)
	return out, hasForeign(e.Metadata), nil
}

// hasForeign says whether m has a value whose JSON is not made here. To look for one is cheaper than to look at every
// byte of a frame.
func hasForeign(m event.Metadata) bool {
	for i := range m {
		v := &m[i].Value
		switch v.Kind() {
		case event.KindJSON:
			return true
		case event.KindAny:
			a := v.Any()
			_, own := a.(json.Marshaler)
			if _, text := a.(error); own || !text {
				return true
			}
		case event.KindGroup:
			if hasForeign(v.Fields()) {
				return true
			}
		}
	}
	return false
}

// oneLine makes dst from start on one line of valid UTF-8 without control characters. It nearly always is: only JSON
// that a program vouches for may be otherwise.
func oneLine(dst []byte, start int) []byte {
	frame := dst[start:]
	if clean(frame) {
		return dst
	}
	dst = dst[:start]
	for _, r := range string(frame) {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			dst = append(dst, ' ') // Valid JSON has them between values only.
		case isControl(r):
			// The others are in strings.
			dst = fmt.Appendf(dst, "\\u%04x", r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// clean says that there is nothing to do, mostly.
func clean(frame []byte) bool {
	for _, b := range [...]byte{'\n', '\r', '\t', 0x7f, 0xc2} {
		if bytes.IndexByte(frame, b) >= 0 {
			return false
		}
	}
	return !bytes.Contains(frame, []byte("\u2028")[:2]) && utf8.Valid(frame)
}

// isControl says whether r is a control character, or ends a line for some reader.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029'
}

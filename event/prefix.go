package event

import (
	"bytes"
	"sync/atomic"
	"unsafe"
)

// What a prefix remembers at most: forms, and bytes of each.
const (
	maxForms    = 4
	maxFormSize = 4 << 10
)

// Prefix is the fields that the metadata of many events begin with, those that a logger carries, and remembers what
// formatters made of them. It is a hint: whether the metadata of an event do begin with them is looked at each time.
// The zero value is a prefix without fields.
type Prefix struct {
	// fields are never changed. All their values are of kinds that always have the same text.
	fields Metadata
	// forms are filled one after the other, and never changed once they are there.
	forms [maxForms]atomic.Pointer[formed]
}

// formed is the fields of a prefix in one form.
type formed struct {
	form *Form
	text []byte
}

// is says whether f is of this form. A formatter mostly comes with the very same.
func (f *formed) is(form *Form) bool { return f.form == form || *f.form == *form }

// Form is all that decides on what a formatter makes of fields: two of equal forms make the same of the same.
type Form struct {
	// Name is the name of the formatter, for one outside of this module with its import path.
	Name string
	// Keys and At are options of the formatter that make a difference.
	Keys [4]string
	At   bool
}

// NewPrefix returns a prefix of the first fields of m, up to one whose value may have another text the next time, such
// as a [KindAny]. M must not be changed any more.
func NewPrefix(m Metadata) *Prefix {
	n := 0
	for n < len(m) && m[n].Value.constant() {
		n++
	}
	return &Prefix{fields: m[:n:n]}
}

// constant says whether v always has the same text.
func (v Value) constant() bool {
	switch v.kind {
	case KindString, KindInt, KindUint, KindFloat, KindBool, KindDuration, KindTime, KindNil:
		return true
	case KindGroup:
		for _, f := range v.Fields() {
			if !f.Value.constant() {
				return false
			}
		}
		return true
	}
	return false
}

// AppendPrefix appends what render makes of the fields that e has from its prefix, and returns its other fields: all of
// them, if there is no prefix. What was made for an event with the same prefix by the same form is not made again, so
// it must depend on nothing else. Render appends to dst and keeps neither dst nor m. The form must not be changed any
// more.
func AppendPrefix(dst []byte, e *Event, form *Form, render func(dst []byte, m Metadata) []byte) ([]byte, Metadata) {
	p := e.Prefix
	if p == nil || !begins(e.Metadata, p.fields) {
		return dst, e.Metadata
	}
	rest := e.Metadata[len(p.fields):]
	for i := range p.forms {
		f := p.forms[i].Load()
		if f == nil {
			break
		}
		if f.is(form) {
			return append(dst, f.text...), rest
		}
	}
	start := len(dst)
	dst = render(dst, p.fields)
	p.remember(form, dst[start:])
	return dst, rest
}

// remember keeps a copy of text, if there is room.
func (p *Prefix) remember(form *Form, text []byte) {
	if len(text) > maxFormSize {
		return
	}
	var made *formed
	for i := range p.forms {
		f := p.forms[i].Load()
		if f == nil {
			if made == nil {
				made = &formed{form: form, text: bytes.Clone(text)}
			}
			if p.forms[i].CompareAndSwap(nil, made) {
				return
			}
			f = p.forms[i].Load()
		}
		if f.is(form) {
			return
		}
	}
}

// begins says whether m begins with the fields of start, copied as they are. It compares their memory, which is several
// times faster than to compare them one by one; that of fields that were made anew may differ, which does no harm.
func begins(m, start Metadata) bool {
	return len(m) >= len(start) && len(start) > 0 && bytes.Equal(memory(m[:len(start)]), memory(start))
}

// memory is the bytes of the fields of m, texts and lists left out.
func memory(m Metadata) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(m))), len(m)*int(unsafe.Sizeof(Field{})))
}

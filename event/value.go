package event

import (
	"math"
	"strconv"
	"time"
	"unsafe"
)

// Kind says how a [Value] is held.
type Kind uint8

// The kinds of a value.
const (
	// KindString is text; JSON quotes and escapes it.
	KindString Kind = iota
	// KindInt is a signed whole number.
	KindInt
	// KindBool is true or false.
	KindBool
	// KindJSON is one valid JSON value as it stood in the line: a number, an object, a list, null. It is passed on
	// byte for byte, so that no number loses digits.
	KindJSON
	// KindUint is an unsigned whole number.
	KindUint
	// KindFloat is a floating-point number; JSON has the ones that are no numbers as text.
	KindFloat
	// KindDuration is a length of time, printed as 1.5s.
	KindDuration
	// KindTime is a point in time, printed as RFC 3339.
	KindTime
	// KindNil is the absence of a value: null in JSON, nothing in text.
	KindNil
	// KindGroup is a list of fields of its own: an object in JSON, dotted keys in text.
	KindGroup
	// KindAny is any other value of a program.
	KindAny
	// kindLazy is a value that its resolver gives. Nobody outside sees it.
	kindLazy
)

// Value is one metadata value. The zero value is the empty string. Those that come from a line are of the first four
// kinds; the others come from the calls of a program and are valid as long as the call.
//
// Two values are not to be compared with ==, which would compare where their texts are.
//
// It is three fields and four words, which the compiler keeps in registers; with one more a log call takes a tenth
// longer.
type Value struct {
	kind Kind
	num  uint64 // the number, or the length of a text
	// ref is the first byte of a text, the location of a time, the *Metadata of a group, the value of an any, the
	// Resolver of a lazy one.
	ref any
}

// textBytes is the first byte of a text.
type textBytes *byte

// textValue is a value that is held as text.
func textValue(kind Kind, s string) Value {
	return Value{kind: kind, num: uint64(len(s)), ref: textBytes(unsafe.StringData(s))}
}

// text is the text of a value that is held as such, empty for every other.
func (v Value) text() string {
	if first, ok := v.ref.(textBytes); ok {
		return unsafe.String(first, int(v.num))
	}
	return ""
}

// Resolver gives a value that is only worked out when somebody looks at it. Resolve is called at each look and must
// give the same value each time, so it remembers; it never gives another lazy value.
type Resolver interface {
	Resolve() Value
}

// String is the value of a text.
func String(s string) Value { return textValue(KindString, s) }

// Int is the value of a whole number.
func Int(n int64) Value { return Value{kind: KindInt, num: uint64(n)} }

// Uint is the value of an unsigned whole number.
func Uint(n uint64) Value { return Value{kind: KindUint, num: n} }

// Float is the value of a floating-point number.
func Float(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// Duration is the value of a length of time.
func Duration(d time.Duration) Value { return Value{kind: KindDuration, num: uint64(d)} }

// Time is the value of a point in time, without its monotonic reading.
func Time(t time.Time) Value {
	if year := t.Year(); year < 1678 || year > 2261 {
		return Value{kind: KindTime, ref: t.Round(0)} // Its nanoseconds do not fit 64 bits.
	}
	return Value{kind: KindTime, num: uint64(t.UnixNano()), ref: t.Location()}
}

// Nil is the value that is none.
func Nil() Value { return Value{kind: KindNil} }

// Bool is the value of a truth.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// JSON is the value of text that is one valid JSON value, in one line. The caller vouches for its validity.
func JSON(text string) Value { return textValue(KindJSON, text) }

// Group is the value of a list of fields, which must not change as long as the value is in use.
func Group(m *Metadata) Value { return Value{kind: KindGroup, ref: m} }

// Any is the value of whatever a program logs. What has a kind of its own is better given as that.
func Any(v any) Value {
	if v == nil {
		return Nil()
	}
	return Value{kind: KindAny, ref: v}
}

// Lazy is the value that r gives when somebody looks.
func Lazy(r Resolver) Value { return Value{kind: kindLazy, ref: r} }

// Kind says how v is held.
func (v Value) Kind() Kind { return v.resolve().kind }

// resolve is v, or what its resolver gives.
func (v Value) resolve() Value {
	if v.kind == kindLazy {
		return v.ref.(Resolver).Resolve()
	}
	return v
}

// Int64 is the number of a [KindInt].
func (v Value) Int64() int64 { return int64(v.resolve().num) }

// Uint64 is the number of a [KindUint].
func (v Value) Uint64() uint64 { return v.resolve().num }

// Float64 is the number of a [KindFloat].
func (v Value) Float64() float64 { return math.Float64frombits(v.resolve().num) }

// IsTrue is the truth of a [KindBool].
func (v Value) IsTrue() bool { return v.resolve().num == 1 }

// Duration is the length of time of a [KindDuration].
func (v Value) Duration() time.Duration { return time.Duration(v.resolve().num) }

// Time is the point in time of a [KindTime].
func (v Value) Time() time.Time {
	v = v.resolve()
	switch ref := v.ref.(type) {
	case *time.Location:
		return time.Unix(0, int64(v.num)).In(ref)
	case time.Time:
		return ref
	}
	return time.Time{}
}

// Fields is the list of a [KindGroup], nil for every other kind. The caller must not change it.
func (v Value) Fields() Metadata {
	v = v.resolve()
	if v.kind != KindGroup {
		return nil
	}
	return *v.ref.(*Metadata)
}

// Any is the value of a [KindAny] as it was given, nil for every other kind.
func (v Value) Any() any {
	v = v.resolve()
	if v.kind != KindAny {
		return nil
	}
	return v.ref
}

// Printable says whether v has a text that a person would write for it: everything but nil, groups and the values of
// a program that are neither an error nor a text marshaler nor a stringer.
func (v Value) Printable() bool {
	v = v.resolve()
	switch v.kind {
	case KindNil, KindGroup:
		return false
	case KindAny:
		return printable(v.ref)
	default:
		return true
	}
}

// Text is the value as a person or a scope filter reads it: a string without quotes, nothing for nil, everything
// else as in JSON. A value whose method panics makes Text panic.
func (v Value) Text() string {
	v = v.resolve()
	switch v.kind {
	case KindString, KindJSON:
		return v.text()
	case KindBool:
		return strconv.FormatBool(v.num == 1)
	}
	return string(v.AppendText(nil))
}

// AppendText appends what [Value.Text] gives.
func (v Value) AppendText(dst []byte) []byte {
	v = v.resolve()
	switch v.kind {
	case KindString, KindJSON:
		return append(dst, v.text()...)
	case KindFloat:
		return appendFloat(dst, v.Float64())
	case KindDuration:
		return append(dst, v.Duration().String()...)
	case KindTime:
		return v.Time().AppendFormat(dst, time.RFC3339Nano)
	case KindNil:
		return dst
	case KindAny:
		return appendAnyText(dst, v.ref)
	default:
		return v.AppendJSON(dst)
	}
}

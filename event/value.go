package event

import "strconv"

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
)

// Value is one metadata value. The zero value is the empty string.
type Value struct {
	kind Kind
	num  int64
	text string
}

// String is the value of a text.
func String(s string) Value { return Value{kind: KindString, text: s} }

// Int is the value of a whole number.
func Int(n int64) Value { return Value{kind: KindInt, num: n} }

// Bool is the value of a truth.
func Bool(b bool) Value {
	if b {
		return Value{kind: KindBool, num: 1}
	}
	return Value{kind: KindBool}
}

// JSON is the value of text that is one valid JSON value, in one line. The caller vouches for its validity.
func JSON(text string) Value { return Value{kind: KindJSON, text: text} }

// Kind says how v is held.
func (v Value) Kind() Kind { return v.kind }

// Text is the value as a person or a scope filter reads it: a string without quotes, everything else as in JSON.
func (v Value) Text() string {
	switch v.kind {
	case KindInt:
		return strconv.FormatInt(v.num, 10)
	case KindBool:
		return strconv.FormatBool(v.num == 1)
	default:
		return v.text
	}
}

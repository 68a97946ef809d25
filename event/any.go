package event

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"unicode/utf8"
)

// printable says whether a program's value has a text of its own.
func printable(a any) bool {
	if isNil(a) {
		return false
	}
	switch a.(type) {
	case error, encoding.TextMarshaler, fmt.Stringer:
		return true
	}
	return false
}

// isNil says whether a is a nil pointer, whose methods would mostly panic.
func isNil(a any) bool {
	v := reflect.ValueOf(a)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// appendAnyText appends the text of a program's value: that of its own methods, else its JSON.
func appendAnyText(dst []byte, a any) []byte {
	if isNil(a) {
		return dst
	}
	switch a := a.(type) {
	case error:
		return append(dst, a.Error()...)
	case encoding.TextMarshaler:
		text, err := a.MarshalText()
		if err != nil {
			return fmt.Appendf(dst, "!ERROR:%v", err)
		}
		return append(dst, text...)
	case fmt.Stringer:
		return append(dst, a.String()...)
	}
	return appendAnyJSON(dst, a)
}

// appendAnyJSON appends the JSON of a program's value. An error without JSON of its own is its text, because
// encoding/json would print an empty object for most of them.
func appendAnyJSON(dst []byte, a any) []byte {
	if isNil(a) {
		return append(dst, "null"...)
	}
	switch a := a.(type) {
	case json.Marshaler:
	case error:
		return AppendString(dst, a.Error())
	case []string:
		return appendStrings(dst, a)
	}
	start, out := len(dst), appender(dst)
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return AppendString(dst, "!ERROR:"+err.Error())
	}
	return harmless(bytes.TrimSuffix(out, []byte("\n")), start)
}

// appender is a slice as a writer.
type appender []byte

// Write appends p.
func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// harmless is dst with the JSON text from start on as [AppendString] would have made it: encoding/json lets characters
// pass that control a terminal or the direction of writing, and of a json.Marshaler invalid UTF-8 too. All of that can
// only stand in strings.
func harmless(dst []byte, start int) []byte {
	at, _, _ := harmful(dst[start:])
	if start+at == len(dst) {
		return dst
	}
	text := bytes.Clone(dst[start+at:])
	dst = dst[:start+at]
	for {
		at, r, size := harmful(text)
		dst = append(dst, text[:at]...)
		if at == len(text) {
			return dst
		}
		dst = append(dst, '\\', 'u', hexDigits[r>>12], hexDigits[r>>8&0xf], hexDigits[r>>4&0xf], hexDigits[r&0xf])
		text = text[at+size:]
	}
}

// harmful is where the first character stands that must not stand for itself, which one it is and how many bytes it
// has; the end if there is none.
func harmful(text []byte) (at int, r rune, size int) {
	for at < len(text) {
		if b := text[at]; b < utf8.RuneSelf && b != 0x7f {
			at++
			continue
		}
		r, size = utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 || Controls(r) {
			return at, r, size
		}
		at += size
	}
	return at, 0, 0
}

// appendStrings appends a list of texts, the one list that conventions ask for.
func appendStrings(dst []byte, list []string) []byte {
	if list == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, s)
	}
	return append(dst, ']')
}

package otlp

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spilelog/spile/event"
)

// maxDepth is how deep values may nest; what lies deeper is written as its JSON.
const maxDepth = 32

// manyFields is from how many fields on repeated keys are found by a map rather than by comparing all.
const manyFields = 64

var errTooDeep = errors.New("nested too deep")

// encoder writes records. Its memory is used again.
type encoder struct {
	writer
	// fields is a stack of the fields of the groups that are being written.
	fields  []event.Field
	scratch []byte
}

// flatten puts the fields of m onto the stack, those of groups without a key in their place, and leaves out groups
// without fields and fields whose key comes again later. It returns where they begin; drop takes them off.
func (e *encoder) flatten(m event.Metadata) int {
	start := len(e.fields)
	e.push(m)
	added := e.fields[start:]
	var last map[string]int
	if len(added) > manyFields {
		last = make(map[string]int, len(added))
		for i := range added {
			last[added[i].Key] = i
		}
	}
	kept := added[:0]
	for i := range added {
		if at, mapped := last[added[i].Key]; mapped && at == i || !mapped && !has(added[i+1:], added[i].Key) {
			kept = append(kept, added[i])
		}
	}
	e.drop(start + len(kept))
	return start
}

func (e *encoder) push(m event.Metadata) {
	for i := range m {
		fields, group := fieldsOf(m[i].Value)
		switch {
		case group && empty(fields):
		case group && m[i].Key == "":
			e.push(fields)
		default:
			e.fields = append(e.fields, m[i])
		}
	}
}

// drop takes the fields from start on off the stack.
func (e *encoder) drop(start int) {
	clear(e.fields[start:])
	e.fields = e.fields[:start]
}

// has says whether one of the fields has the key.
func has(fields []event.Field, key string) bool {
	for i := range fields {
		if fields[i].Key == key {
			return true
		}
	}
	return false
}

// fieldsOf is the fields of a group, and whether v is one. A lazy value that panics is none here; it tells of itself
// when it is written.
func fieldsOf(v event.Value) (fields event.Metadata, group bool) {
	defer func() {
		if recover() != nil {
			fields, group = nil, false
		}
	}()
	if v.Kind() != event.KindGroup {
		return nil, false
	}
	return v.Fields(), true
}

// empty says whether a group has nothing to write. One with a value that panics has that.
func empty(fields event.Metadata) (empty bool) {
	defer func() {
		if recover() != nil {
			empty = false
		}
	}()
	return fields.Empty()
}

// pairs writes m as key-value pairs in a field.
func (e *encoder) pairs(field protowire.Number, m event.Metadata, depth int) {
	start := e.flatten(m)
	for i := start; i < len(e.fields); i++ {
		e.pair(field, e.fields[i], depth)
	}
	e.drop(start)
}

func (e *encoder) pair(field protowire.Number, f event.Field, depth int) {
	pair := e.open(field)
	e.text(keyValueKey, f.Key)
	value := e.open(keyValueValue)
	e.value(f.Value, depth)
	e.close(value)
	e.close(pair)
}

// value writes the content of an AnyValue. A value whose method panics becomes a text that says so.
func (e *encoder) value(v event.Value, depth int) {
	start, fields := len(e.buf), len(e.fields)
	defer func() {
		if p := recover(); p != nil {
			e.buf = e.buf[:start]
			e.drop(fields)
			e.text(anyString, fmt.Sprintf("!PANIC: %v", p))
		}
	}()
	switch v.Kind() {
	case event.KindInt:
		e.varint(anyInt, uint64(v.Int64()))
	case event.KindUint:
		e.uint(v.Uint64())
	case event.KindBool:
		e.varint(anyBool, protowire.EncodeBool(v.IsTrue()))
	case event.KindFloat:
		e.fixed64(anyDouble, math.Float64bits(v.Float64()))
	case event.KindNil: // An AnyValue without a field is null.
	case event.KindJSON:
		e.json(v.Text(), depth)
	case event.KindGroup:
		e.group(v, depth)
	case event.KindAny:
		e.any(v, depth)
	case event.KindString:
		e.text(anyString, v.Text())
	default:
		e.scratch = v.AppendText(e.scratch[:0])
		e.bytes(anyString, e.scratch) // A duration or a time: digits and letters.
	}
}

func (e *encoder) uint(n uint64) {
	if n > math.MaxInt64 {
		e.text(anyString, strconv.FormatUint(n, 10))
		return
	}
	e.varint(anyInt, n)
}

func (e *encoder) group(v event.Value, depth int) {
	if depth == maxDepth {
		e.text(anyString, string(v.AppendJSON(nil)))
		return
	}
	list := e.open(anyKvlist)
	e.pairs(listValues, v.Fields(), depth+1)
	e.close(list)
}

func (e *encoder) any(v event.Value, depth int) {
	switch a := v.Any().(type) {
	case []byte:
		e.bytes(anyBytes, a)
	case []string:
		list := e.open(anyArray)
		for _, s := range a {
			value := e.open(listValues)
			e.text(anyString, s)
			e.close(value)
		}
		e.close(list)
	default:
		if v.Printable() {
			e.text(anyString, v.Text())
			return
		}
		e.json(string(v.AppendJSON(nil)), depth)
	}
}

// json writes a JSON value with its types; as a text if it nests too deep.
func (e *encoder) json(text string, depth int) {
	start := len(e.buf)
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := e.token(d, depth); err != nil {
		e.buf = e.buf[:start]
		e.text(anyString, text)
	}
}

// token writes the next value of d.
func (e *encoder) token(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case string:
		e.text(anyString, t)
	case bool:
		e.varint(anyBool, protowire.EncodeBool(t))
	case json.Number:
		e.number(t)
	case json.Delim:
		if depth == maxDepth {
			return errTooDeep
		}
		if t == '[' {
			return e.array(d, depth+1)
		}
		return e.object(d, depth+1)
	}
	return nil
}

func (e *encoder) number(n json.Number) {
	if i, err := n.Int64(); err == nil {
		e.varint(anyInt, uint64(i))
	} else if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), ".eE") {
		e.fixed64(anyDouble, math.Float64bits(f))
	} else {
		e.text(anyString, n.String())
	}
}

func (e *encoder) array(d *json.Decoder, depth int) error {
	list := e.open(anyArray)
	for d.More() {
		value := e.open(listValues)
		if err := e.token(d, depth); err != nil {
			return err
		}
		e.close(value)
	}
	e.close(list)
	_, err := d.Token()
	return err
}

func (e *encoder) object(d *json.Decoder, depth int) error {
	list := e.open(anyKvlist)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		pair := e.open(listValues)
		e.text(keyValueKey, fmt.Sprint(key))
		value := e.open(keyValueValue)
		if err := e.token(d, depth); err != nil {
			return err
		}
		e.close(value)
		e.close(pair)
	}
	e.close(list)
	_, err := d.Token()
	return err
}

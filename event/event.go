package event

import (
	"iter"
	"strings"
	"time"
)

// Event is one log record. The zero value is an empty record at level info.
type Event struct {
	// Time is when the record was written, or read if the line carries no time.
	Time time.Time
	// Level is the severity.
	Level Level
	// Source is where the record comes from: the name of a file source, a unit, a container, a process; in a record of
	// this process its namespace.
	Source string
	// PC is the program counter of the log call, 0 for what comes from a line. It stays in the process.
	PC uintptr
	// Message is the text for people; never empty in an event that came from a line, unless the line is empty.
	Message string
	// Metadata is everything else, in the order in which it was found. In an event that came from a line keys are
	// unique; a program may give one twice.
	Metadata Metadata
	// Prefix is what Metadata begin with in other events too, nil if that is not known. It stays in the process.
	Prefix *Prefix
}

// Reset empties e for the next record and keeps the memory of its metadata.
func (e *Event) Reset() {
	*e = Event{Metadata: e.Metadata[:0]}
}

// Clone is a copy of e that shares no memory with it: lazy values are resolved, and other values of the program become
// their text or JSON.
func (e *Event) Clone() Event {
	c := *e
	c.Source, c.Message = strings.Clone(e.Source), strings.Clone(e.Message)
	c.Metadata = e.Metadata.clone()
	c.Prefix = nil
	return c
}

// Field is one key and value of the metadata.
type Field struct {
	Key   string
	Value Value
}

// Metadata is an ordered list of fields.
type Metadata []Field

// clone is a deep copy of m.
func (m Metadata) clone() Metadata {
	c := make(Metadata, len(m))
	for i := range m {
		c[i] = Field{Key: strings.Clone(m[i].Key), Value: m[i].Value.clone()}
	}
	return c
}

// clone is a value that shares no memory with v.
func (v Value) clone() Value {
	v = v.resolve()
	switch {
	case v.kind == KindGroup:
		fields := v.Fields().clone()
		return Group(&fields)
	case v.kind == KindAny && printable(v.ref):
		return String(string(appendAnyText(nil, v.ref)))
	case v.kind == KindAny:
		return JSON(string(appendAnyJSON(nil, v.ref)))
	case v.kind == KindString || v.kind == KindJSON:
		return textValue(v.kind, strings.Clone(v.text()))
	}
	return v
}

// Get is the value of key, and whether there is one; the first, if there are several. The fields of a group are found
// by dotted keys, a.b, those of a group without a key by their own.
func (m Metadata) Get(key string) (Value, bool) {
	for v := range m.All(key) {
		return v, true
	}
	return Value{}, false
}

// All yields every value of key, in order; see [Metadata.Get].
func (m Metadata) All(key string) iter.Seq[Value] {
	return func(yield func(Value) bool) { m.all(key, yield) }
}

// all is All; it says whether to go on.
func (m Metadata) all(key string, yield func(Value) bool) bool {
	for i := range m {
		f := &m[i]
		if f.Key == key && key != "" {
			if !yield(f.Value) {
				return false
			}
			continue
		}
		rest, within := strings.CutPrefix(key, f.Key)
		if f.Key != "" && within {
			rest, within = strings.CutPrefix(rest, ".")
		}
		if !within || f.Value.Kind() != KindGroup {
			continue
		}
		if !f.Value.Fields().all(rest, yield) {
			return false
		}
	}
	return true
}

// Empty says whether m has nothing to print: no field, or only groups that are empty.
func (m Metadata) Empty() bool {
	for i := range m {
		if m[i].Value.Kind() != KindGroup || !m[i].Value.Fields().Empty() {
			return false
		}
	}
	return true
}

// Set replaces the value of key, or appends the field.
func (m *Metadata) Set(key string, v Value) {
	for i := range *m {
		if (*m)[i].Key == key {
			(*m)[i].Value = v
			return
		}
	}
	*m = append(*m, Field{Key: key, Value: v})
}

package event

import (
	"strings"
	"time"
)

// Event is one log record. The zero value is an empty record at level info.
type Event struct {
	// Time is when the record was written, or read if the line carries no time.
	Time time.Time
	// Level is the severity.
	Level Level
	// Source is where the record comes from: the name of a file source, a unit, a container, a process.
	Source string
	// Message is the text for people; never empty in an event that came from a line, unless the line is empty.
	Message string
	// Metadata is everything else, in the order in which it was found. Keys are unique.
	Metadata Metadata
}

// Reset empties e for the next record and keeps the memory of its metadata.
func (e *Event) Reset() {
	*e = Event{Metadata: e.Metadata[:0]}
}

// Clone is a copy of e that shares no memory with it.
func (e *Event) Clone() Event {
	c := *e
	c.Source, c.Message = strings.Clone(e.Source), strings.Clone(e.Message)
	c.Metadata = make(Metadata, len(e.Metadata))
	for i, f := range e.Metadata {
		f.Key, f.Value.text = strings.Clone(f.Key), strings.Clone(f.Value.text)
		c.Metadata[i] = f
	}
	return c
}

// Field is one key and value of the metadata.
type Field struct {
	Key   string
	Value Value
}

// Metadata is an ordered list of fields with unique keys.
type Metadata []Field

// Get is the value of key, and whether there is one.
func (m Metadata) Get(key string) (Value, bool) {
	for i := range m {
		if m[i].Key == key {
			return m[i].Value, true
		}
	}
	return Value{}, false
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

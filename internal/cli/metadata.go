package cli

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

// field is one pair of the metadata.
type field struct {
	key   string
	value json.RawMessage
}

// metadataFields are the pairs of a JSON object in its order. What is no object has none.
func metadataFields(data json.RawMessage) []field {
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil
	}
	var fields []field
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return fields
		}
		f := field{}
		f.key, _ = key.(string)
		if err := dec.Decode(&f.value); err != nil {
			return fields
		}
		fields = append(fields, f)
	}
	return fields
}

// lookup finds the value of a key; one with dots reaches into objects where there is no such key itself.
func lookup(fields []field, key string) (field, bool) {
	for _, f := range fields {
		if f.key == key {
			return f, true
		}
	}
	for _, f := range fields {
		if rest, ok := strings.CutPrefix(key, f.key+"."); ok {
			if inner, ok := lookup(metadataFields(f.value), rest); ok {
				return inner, true
			}
		}
	}
	return field{}, false
}

// isText says whether the value is a JSON string.
func (f field) isText() bool { return len(f.value) > 0 && f.value[0] == '"' }

// text is a string's content, and any other value's JSON.
func (f field) text() string {
	var s string
	if f.isText() && json.Unmarshal(f.value, &s) == nil {
		return s
	}
	return string(f.value)
}

// quoted is the value as one word: a string that holds more, or nothing, is quoted.
func (f field) quoted() string {
	text := f.text()
	if f.isText() && (text == "" || strings.ContainsAny(text, " \t\"=\\\n\r")) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return text
}

// eventOf is the event of a frame, for a formatter. Numbers keep their digits.
func eventOf(log *wire.Log) event.Event {
	e := event.Event{Time: log.Timestamp.Time, Source: log.Source, Message: log.Message}
	if level, err := event.ParseLevel(log.Level); err == nil {
		e.Level = level
	}
	for _, f := range metadataFields(log.Metadata) {
		value := event.JSON(string(f.value))
		switch {
		case f.isText():
			value = event.String(f.text())
		case string(f.value) == "null":
			value = event.Nil()
		}
		e.Metadata = append(e.Metadata, event.Field{Key: f.key, Value: value})
	}
	return e
}

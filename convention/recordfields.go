package convention

import (
	"bytes"
	"encoding/json"
	"log/slog"

	"github.com/spilelog/spile/event"
)

// FieldsOfAttrs is a slog record as [Checker.CheckRecord] takes it. The message is what, unless an attribute of that
// name says otherwise, in which case the message is prose and is not checked.
func FieldsOfAttrs(message string, attrs []slog.Attr) map[string]any {
	fields := make(map[string]any, len(attrs)+1)
	fields[KeyWhat] = message
	for _, a := range attrs {
		if a.Equal(slog.Attr{}) {
			continue
		}
		fields[a.Key] = a.Value
	}
	return fields
}

// FieldsOfEvent is an event that was read from a log as [Checker.CheckRecord] takes it; the message is what, as in
// [FieldsOfAttrs]. The event's level is not among the fields: pass e.Level.String(). Keys that the parser of the line
// took for the time or the level are no fields either, so RC03 does not see them.
func FieldsOfEvent(e *event.Event) map[string]any {
	fields := make(map[string]any, len(e.Metadata)+1)
	fields[KeyWhat] = e.Message
	for _, f := range e.Metadata {
		fields[f.Key] = decoded(f.Value)
	}
	return fields
}

// decoded is a value of an event as Go knows it.
func decoded(v event.Value) any {
	if v.Kind() == event.KindString {
		return v.Text()
	}
	d := json.NewDecoder(bytes.NewReader(v.AppendJSON(nil)))
	d.UseNumber() // a number keeps its form: 1.0 is no integer
	var out any
	if err := d.Decode(&out); err != nil {
		return v.Text()
	}
	return out
}

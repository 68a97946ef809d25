package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/wire"
)

// The named outputs.
const (
	outputPretty = "pretty"
	outputJSON   = "json"
	outputText   = "text"
	outputRaw    = "raw"
)

// patternFields are the names that a pattern may use.
var patternFields = [...]string{"time", "date", "level", "message", "metadata", "source", "agent", "node"}

// Layouts of times for people.
const (
	clockLayout = "15:04:05.000"
	dateLayout  = "2006-01-02"
)

// output turns frames into lines.
type output struct {
	kind string
	// pattern is the parts of a pattern: literal text, or a field's name after a $.
	pattern []string
	zone    *time.Location
	colour  bool
	// names are the agents' names by id; a line tells its agent when there are several.
	names map[string]string
}

// parseOutput reads the value of -o.
func parseOutput(text string) (*output, error) {
	switch text {
	case outputPretty, outputJSON, outputText, outputRaw:
		return &output{kind: text, zone: time.Local}, nil
	}
	if !strings.Contains(text, "$") {
		return nil, fmt.Errorf("output %q must be one of pretty, json, text, raw, or a pattern with a field such as "+
			"'$time [$level] $message'", text)
	}
	parts, err := parsePattern(text)
	if err != nil {
		return nil, err
	}
	return &output{pattern: parts, zone: time.Local}, nil
}

// parsePattern cuts a pattern into literal text and fields. A $ before anything else than a lower-case letter stands
// for itself.
func parsePattern(text string) ([]string, error) {
	var parts []string
	for text != "" {
		i := strings.IndexByte(text, '$')
		end := i + 1
		for i >= 0 && end < len(text) && text[end] >= 'a' && text[end] <= 'z' {
			end++
		}
		switch {
		case i < 0:
			return append(parts, text), nil
		case end == i+1:
			parts, text = append(parts, text[:end]), text[end:]
			continue
		case i > 0:
			parts = append(parts, text[:i])
		}
		if !isField(text[i+1 : end]) {
			return nil, fmt.Errorf("pattern names unknown field %s: must be one of $%s", text[i:end],
				strings.Join(patternFields[:], ", $"))
		}
		parts, text = append(parts, text[i:end]), text[end:]
	}
	return parts, nil
}

// isField says whether a pattern may use name.
func isField(name string) bool {
	for _, field := range patternFields {
		if name == field {
			return true
		}
	}
	return false
}

// append appends the line of a frame, with its end, to dst; nothing for a frame that the output does not show.
func (o *output) append(dst []byte, f client.Frame) []byte {
	if o.kind == outputJSON {
		if f.Control != nil && (f.Control.Event == wire.EventHeartbeat || f.Control.Event == wire.EventStats) {
			return dst
		}
		return append(append(dst, f.Line...), '\n')
	}
	if f.Log == nil {
		return dst
	}
	switch o.kind {
	case outputRaw:
		return append(appendRaw(dst, f.Log), '\n')
	case outputPretty, outputText:
		return append(o.appendLine(dst, f.Log), '\n')
	}
	dst = o.appendPattern(dst, f.Log)
	if len(dst) > 0 && dst[len(dst)-1] == '\n' {
		return dst
	}
	return append(dst, '\n')
}

// appendRaw appends the line as it was written.
func appendRaw(dst []byte, log *wire.Log) []byte {
	if log.Raw != nil {
		return append(dst, *log.Raw...)
	}
	return append(dst, log.RawBase64...)
}

// appendLine appends the layout of pretty and text: time, level, agent if there are several, source, message and
// metadata.
func (o *output) appendLine(dst []byte, log *wire.Log) []byte {
	pretty := o.kind == outputPretty
	dst = o.paint(dst, styleDim)
	if pretty {
		dst = log.Timestamp.In(o.zone).AppendFormat(dst, clockLayout)
	} else {
		dst = log.Timestamp.UTC().AppendFormat(dst, wire.TimeLayout)
	}
	dst = append(o.paint(dst, styleReset), ' ')
	dst = o.paint(dst, levelStyle(log.Level))
	dst = append(appendPadded(dst, log.Level), o.style(styleReset)...)
	dst = append(dst, ' ')
	dst = o.paint(dst, styleSource)
	if len(o.names) > 1 {
		dst = append(appendNeutral(dst, o.agent(log)), ' ')
	}
	dst = appendNeutral(dst, log.Source)
	dst = append(o.paint(dst, styleReset), ' ')
	dst = appendNeutral(dst, log.Message)
	fields := metadataFields(log.Metadata)
	for _, f := range fields {
		if pretty && isOrigin(f.key) {
			continue
		}
		dst = append(dst, ' ')
		dst = o.paint(dst, styleDim)
		dst = append(appendNeutral(dst, f.key), '=')
		dst = o.paint(dst, styleReset)
		dst = appendNeutral(dst, f.quoted())
	}
	return dst
}

// isOrigin says whether a field tells where a line lies, which pretty leaves out.
func isOrigin(key string) bool {
	switch key {
	case "host", "file", "line", "offset":
		return true
	}
	return false
}

// appendPattern appends a line by the user's pattern. Each pair of $metadata is followed by one space.
func (o *output) appendPattern(dst []byte, log *wire.Log) []byte {
	for _, part := range o.pattern {
		switch part {
		case "$time":
			dst = log.Timestamp.In(o.zone).AppendFormat(dst, clockLayout)
		case "$date":
			dst = log.Timestamp.In(o.zone).AppendFormat(dst, dateLayout)
		case "$level":
			dst = appendNeutral(dst, levelWord(log.Level))
		case "$message":
			dst = appendNeutral(dst, log.Message)
		case "$metadata":
			for _, f := range metadataFields(log.Metadata) {
				dst = append(appendNeutral(dst, f.key), '=')
				dst = append(appendNeutral(dst, f.quoted()), ' ')
			}
		case "$source":
			dst = appendNeutral(dst, log.Source)
		case "$agent":
			dst = appendNeutral(dst, o.agent(log))
		case "$node":
			dst = appendNeutral(dst, o.node(log))
		default:
			dst = append(dst, part...)
		}
	}
	return dst
}

// levelWord is the lower-case word of a frame's level.
func levelWord(word string) string {
	level, err := event.ParseLevel(word)
	if err != nil {
		return word
	}
	return level.String()
}

// agent is the name of the agent that sent a frame, or its id.
func (o *output) agent(log *wire.Log) string {
	if name := o.names[log.Agent]; name != "" {
		return name
	}
	return log.Agent
}

// node is the host on which a line was written, else the agent's name.
func (o *output) node(log *wire.Log) string {
	for _, f := range metadataFields(log.Metadata) {
		if f.key == "host" {
			return f.text()
		}
	}
	return o.agent(log)
}

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

// text is a string's content, and any other value's JSON.
func (f field) text() string {
	var s string
	if len(f.value) > 0 && f.value[0] == '"' && json.Unmarshal(f.value, &s) == nil {
		return s
	}
	return string(f.value)
}

// quoted is the value as one word: a string that holds more, or nothing, is quoted.
func (f field) quoted() string {
	text := f.text()
	if len(f.value) > 0 && f.value[0] == '"' && (text == "" || strings.ContainsAny(text, " \t\"=\\\n\r")) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	}
	return text
}

package otlp

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/callsite"
)

// Attributes that the backend adds, and metadata that become fields of the record.
const (
	keyNamespace  = "namespace"
	keyFunction   = "code.function.name"
	keyLine       = "code.line.number"
	keyTraceID    = "trace_id"
	keySpanID     = "span_id"
	keyTraceFlags = "trace_flags"
)

// lastYear is the last year all of whose nanoseconds since 1970 fit an int64.
const lastYear = 2261

// severities are the severity numbers by [event.Level.Index]; those from notice up follow the table for syslog in the
// appendix of the OpenTelemetry log data model.
var severities = [event.NumLevels]uint64{1, 5, 9, 10, 13, 17, 18, 19, 21}

// call is what the backend knows of a log call beside its event.
type call struct {
	body     string
	site     callsite.Site
	observed time.Time
}

// record writes the content of a LogRecord.
func (e *encoder) record(r *event.Event, c call) {
	if n := unixNano(r.Time); n > 0 {
		e.fixed64(recordTime, n)
	}
	e.fixed64(recordObserved, unixNano(c.observed))
	e.varint(recordSeverityNumber, severities[r.Level.Index()])
	e.text(recordSeverityText, r.Level.String())
	body := e.open(recordBody)
	e.text(anyString, c.body)
	e.close(body)

	start := e.flatten(r.Metadata)
	e.trace(start)
	for i := start; i < len(e.fields); i++ {
		e.pair(recordAttributes, e.fields[i], 0)
	}
	if r.Source != "" {
		e.extra(start, keyNamespace, event.String(r.Source))
	}
	if at := c.site.At; at != "" {
		colon := strings.LastIndexByte(at, ':')
		e.extra(start, keyFunction, event.String(at[:colon]))
		if line, err := strconv.ParseInt(at[colon+1:], 10, 64); err == nil {
			e.extra(start, keyLine, event.Int(line))
		}
	}
	e.drop(start)
}

// extra writes an attribute that is not among the fields from start on.
func (e *encoder) extra(start int, key string, v event.Value) {
	if !has(e.fields[start:], key) {
		e.pair(recordAttributes, event.Field{Key: key, Value: v}, 0)
	}
}

// trace writes the trace context that the fields from start on have, and takes it off the stack. What is not valid
// stays there.
func (e *encoder) trace(start int) {
	traceID := e.identifier(start, keyTraceID, 16)
	if traceID == nil {
		return
	}
	e.bytes(recordTraceID, traceID)
	if spanID := e.identifier(start, keySpanID, 8); spanID != nil {
		e.bytes(recordSpanID, spanID)
	}
	if flags := e.identifier(start, keyTraceFlags, 1); flags != nil {
		e.fixed32(recordFlags, uint32(flags[0]))
	}
}

// identifier takes off the stack the field whose text is size bytes in hexadecimal digits; nil if there is none. An
// identifier of zeros only is none.
func (e *encoder) identifier(start int, key string, size int) []byte {
	for i := start; i < len(e.fields); i++ {
		if e.fields[i].Key != key {
			continue
		}
		text, ok := stringOf(e.fields[i].Value)
		id, err := hex.DecodeString(text)
		if !ok || err != nil || len(id) != size || size > 1 && strings.Trim(text, "0") == "" {
			return nil
		}
		e.fields = slices.Delete(e.fields, i, i+1)
		return id
	}
	return nil
}

// stringOf is the text of a string; false for what is none, or panics.
func stringOf(v event.Value) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	if v.Kind() != event.KindString {
		return "", false
	}
	return v.Text(), true
}

// unixNano is t in nanoseconds since 1970, 0 for a time outside of what fits.
func unixNano(t time.Time) uint64 {
	if t.Unix() <= 0 || t.Year() > lastYear {
		return 0
	}
	return uint64(t.UnixNano())
}

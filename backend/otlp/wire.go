package otlp

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// Numbers of the fields that the backend writes or reads, from opentelemetry/proto/{collector/logs,logs,common,
// resource}/v1 and google/rpc/status.proto.
const (
	requestResourceLogs = 1

	resourceLogsResource  = 1
	resourceLogsScopeLogs = 2
	resourceAttributes    = 1

	scopeLogsScope   = 1
	scopeLogsRecords = 2
	scopeName        = 1

	recordTime           = 1
	recordSeverityNumber = 2
	recordSeverityText   = 3
	recordBody           = 5
	recordAttributes     = 6
	recordFlags          = 8
	recordTraceID        = 9
	recordSpanID         = 10
	recordObserved       = 11

	anyString = 1
	anyBool   = 2
	anyInt    = 3
	anyDouble = 4
	anyArray  = 5
	anyKvlist = 6
	anyBytes  = 7

	listValues    = 1
	keyValueKey   = 1
	keyValueValue = 2

	responsePartialSuccess = 1
	partialRejected        = 1
	partialMessage         = 2
	statusMessage          = 2
)

// writer appends protobuf fields to buf.
type writer struct {
	buf []byte
}

// open begins a message in a field; close ends it, given what open returned.
func (w *writer) open(field protowire.Number) int {
	// One byte is set aside for the length, which most messages fit.
	w.buf = append(protowire.AppendTag(w.buf, field, protowire.BytesType), 0)
	return len(w.buf)
}

func (w *writer) close(start int) {
	n := len(w.buf) - start
	if extra := protowire.SizeVarint(uint64(n)) - 1; extra > 0 {
		w.buf = append(w.buf, make([]byte, extra)...)
		copy(w.buf[start+extra:], w.buf[start:start+n])
	}
	protowire.AppendVarint(w.buf[:start-1], uint64(n))
}

// text appends a string field; protobuf allows only valid UTF-8 in one.
func (w *writer) text(field protowire.Number, s string) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.BytesType)
	w.buf = protowire.AppendString(w.buf, strings.ToValidUTF8(s, "\ufffd"))
}

func (w *writer) bytes(field protowire.Number, b []byte) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.BytesType)
	w.buf = protowire.AppendBytes(w.buf, b)
}

func (w *writer) varint(field protowire.Number, n uint64) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.VarintType)
	w.buf = protowire.AppendVarint(w.buf, n)
}

func (w *writer) fixed64(field protowire.Number, n uint64) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.Fixed64Type)
	w.buf = protowire.AppendFixed64(w.buf, n)
}

func (w *writer) fixed32(field protowire.Number, n uint32) {
	w.buf = protowire.AppendTag(w.buf, field, protowire.Fixed32Type)
	w.buf = protowire.AppendFixed32(w.buf, n)
}

// message is what a response says: the records that the collector rejected of those that it took otherwise, and its
// words.
type message struct {
	rejected int64
	text     string
}

// parseSuccess reads an ExportLogsServiceResponse. What is no such message says nothing.
func parseSuccess(data []byte) message {
	var m message
	eachField(data, func(field protowire.Number, _ uint64, partial []byte) {
		if field != responsePartialSuccess {
			return
		}
		eachField(partial, func(field protowire.Number, n uint64, text []byte) {
			switch field {
			case partialRejected:
				m.rejected = int64(n)
			case partialMessage:
				m.text = string(text)
			}
		})
	})
	return m
}

// parseStatus reads the words of a google.rpc.Status, the body of an answer that is an error.
func parseStatus(data []byte) string {
	var text string
	eachField(data, func(field protowire.Number, _ uint64, value []byte) {
		if field == statusMessage {
			text = string(value)
		}
	})
	return text
}

// eachField calls f with each field of a message up to the first that cannot be read: with the number of a varint, and
// the content of a string or a message.
func eachField(data []byte, f func(field protowire.Number, n uint64, value []byte)) {
	for len(data) > 0 {
		field, kind, size := protowire.ConsumeTag(data)
		if size < 0 {
			return
		}
		data = data[size:]
		var n uint64
		var value []byte
		switch kind {
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(data)
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(data)
		default:
			size = protowire.ConsumeFieldValue(field, kind, data)
		}
		if size < 0 {
			return
		}
		data = data[size:]
		f(field, n, value)
	}
}

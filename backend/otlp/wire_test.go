package otlp

import (
	"testing"

	v1 "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	"google.golang.org/protobuf/proto"
)

// FuzzParseSuccess holds the reading of answers against the generated types: whatever these can read, it reads alike.
func FuzzParseSuccess(f *testing.F) {
	for _, partial := range []*v1.ExportLogsPartialSuccess{nil, {}, {RejectedLogRecords: 5, ErrorMessage: "no"}, {RejectedLogRecords: -1}} {
		data, err := proto.Marshal(&v1.ExportLogsServiceResponse{PartialSuccess: partial})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\x0a\xff\xff\xff\xff\xff"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := parseSuccess(data)
		parseStatus(data)
		want := &v1.ExportLogsServiceResponse{}
		if proto.Unmarshal(data, want) != nil {
			return
		}
		p := want.GetPartialSuccess()
		if got.rejected != p.GetRejectedLogRecords() || got.text != p.GetErrorMessage() {
			t.Errorf("got %+v, want %v", got, p)
		}
	})
}

func TestLengthsOfMessages(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, 16383, 16384, 2097152} {
		var w writer
		w.varint(9, 1)
		start := w.open(responsePartialSuccess)
		inner := w.open(partialMessage)
		w.buf = append(w.buf, make([]byte, size)...)
		w.close(inner)
		w.close(start)
		if got := parseSuccess(w.buf); len(got.text) != size {
			t.Errorf("%d bytes became %d", size, len(got.text))
		}
	}
}

package format

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/spilelog/spile/event"
)

// errRefused is an error as calls log it.
var errRefused = errors.New("dial tcp 10.0.0.5:5432: connection refused")

// tenFields is an event with ten fields.
func tenFields() *event.Event {
	return &event.Event{
		Time: time.Now(), Level: event.Info, Source: "github.com/acme/shop/orders", Message: "order placed",
		Metadata: event.Metadata{
			field("user", event.String("alice")),
			field("request_id", event.String("7f3c9a2b-51e6-4d0c-9c57-5f6a1c0f2f11")),
			field(
				"path",
				event.String("/api/v1/orders"),
			),
			field("method", event.String("POST")),
			field("status", event.Int(201)),
			field("bytes", event.Int(48213)),
			field("ratio", event.Float(0.8125)),
			field("cached", event.Bool(false)),
			field("took", event.Duration(1532*time.Microsecond)),
			field("err", event.Any(errRefused)),
		},
	}
}

// discard is a writer of nothing that, unlike io.Discard, slog does not know.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkTenFields(b *testing.B) {
	e := tenFields()
	for name, f := range map[string]Formatter{"json": &JSON{}, "logfmt": &Logfmt{}, "html": &HTML{AllKeys: true}} {
		b.Run(name, func(b *testing.B) {
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				buf = Append(f, buf[:0], e)
			}
		})
	}
	b.Run("slog-json", func(b *testing.B) {
		h := slog.NewJSONHandler(discard{}, nil)
		r := slog.NewRecord(e.Time, slog.LevelInfo, e.Message, 0)
		r.AddAttrs(
			slog.String("source", e.Source),
			slog.String("user", "alice"),
			slog.String("request_id", "7f3c9a2b-51e6-4d0c-9c57-5f6a1c0f2f11"),
			slog.String(
				"path",
				"/api/v1/orders",
			),
			slog.String("method", "POST"),
			slog.Int("status", 201),
			slog.Int("bytes", 48213),
			slog.Float64(
				"ratio",
				0.8125,
			),
			slog.Bool("cached", false),
			slog.Duration("took", 1532*time.Microsecond),
			slog.Any("err", errRefused),
		)
		b.ReportAllocs()
		for b.Loop() {
			if err := h.Handle(context.Background(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestFormattersAllocateNothing(t *testing.T) {
	e := tenFields()
	e.PC = here()
	m := event.Metadata{field("a", event.Int(1)), field("b", event.String("x y"))}
	e.Metadata = append(e.Metadata, field("g", event.Group(&m)), field("what", event.Nil()))
	for name, f := range map[string]Formatter{
		"json": &JSON{}, "json-at": &JSON{At: true, TimeKey: "time"}, "logfmt": &Logfmt{}, "html": &HTML{AllKeys: true},
		"html-keys": &HTML{Keys: []string{"user", "status", "took", "g"}, UTC: true},
	} {
		t.Run(name, func(t *testing.T) {
			buf := Append(f, make([]byte, 0, 4096), e)
			if n := testing.AllocsPerRun(100, func() { buf = Append(f, buf[:0], e) }); n != 0 {
				t.Errorf("%v allocations, want none", n)
			}
		})
	}
}

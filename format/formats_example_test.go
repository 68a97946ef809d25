package format_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// refused is an event as a program logs it.
func refused() *event.Event {
	http := event.Metadata{
		{Key: "method", Value: event.String("POST")},
		{Key: "status", Value: event.Int(502)},
	}
	return &event.Event{
		Time:    time.Date(2024, 1, 15, 10, 0, 0, 123e6, time.UTC),
		Level:   event.Error,
		Source:  "shop",
		Message: "charge_card_failed",
		Metadata: event.Metadata{
			{Key: "took", Value: event.Duration(1500 * time.Millisecond)},
			{Key: "http", Value: event.Group(&http)},
			{Key: "reason", Value: event.Any(errors.New("connection\nrefused"))},
		},
	}
}

func ExampleJSON() {
	fmt.Printf("%s", format.Append(&format.JSON{}, nil, refused()))
	fmt.Printf("%s", format.Append(&format.JSON{TimeKey: "time", MessageKey: "msg"}, nil, refused()))
	// Output:
	// {"timestamp":"2024-01-15T10:00:00.123Z","level":"error","source":"shop","message":"charge_card_failed","took":"1.5s","http":{"method":"POST","status":502},"reason":"connection\nrefused"}
	// {"time":"2024-01-15T10:00:00.123Z","level":"error","source":"shop","msg":"charge_card_failed","took":"1.5s","http":{"method":"POST","status":502},"reason":"connection\nrefused"}
}

func ExampleLogfmt() {
	fmt.Printf("%s", format.Append(&format.Logfmt{}, nil, refused()))
	// Output:
	// time=2024-01-15T10:00:00.123Z level=error what=charge_card_failed reason="connection\nrefused" source=shop took=1.5s http.method=POST http.status=502
}

func ExampleHTML() {
	page := &format.HTML{Keys: []string{"http.status", "reason"}, UTC: true, Title: "Shop"}
	// A page begins with page.AppendHead and ends with page.AppendFoot.
	fmt.Printf("%s", format.Append(page, nil, refused()))
	// Output:
	// <p class="error"><span class="time">10:00:00.123</span> <span class="level">[error]</span> <span class="metadata">http.status=502 reason=&#34;connection\nrefused&#34; </span><br><span class="message colorlevel">charge_card_failed</span></p>
}

// broken is a value whose method panics.
type broken struct{}

func (*broken) Error() string { panic("no text") }

func ExampleAppend() {
	e := &event.Event{Message: "hello", Metadata: event.Metadata{{Key: "err", Value: event.Any(&broken{})}}}
	fmt.Printf("%s", format.Append(&format.Logfmt{}, nil, e))
	// Output:
	// level=error what=log_format_failed reason="no text" class=panic formatter=*format.Logfmt original_level=info original_message=hello
}

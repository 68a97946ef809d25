package format_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// order is a record of some program.
var order = event.Event{
	Time:    time.Date(2026, 1, 2, 18, 43, 12, 439_000_000, time.UTC),
	Level:   event.Error,
	Message: "payment refused\nby the bank",
	Metadata: event.Metadata{
		{Key: "user_id", Value: event.Int(13)},
		{Key: "reason", Value: event.String("no funds")},
	},
}

func ExampleNewPattern() {
	p, err := format.NewPattern(format.PatternOptions{
		Pattern: "$time $metadata[$level] $message\n",
		Keys:    []string{"reason", "user_id"},
		UTC:     true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", p.Append(nil, &order))
	// Output:
	// 18:43:12.439 reason="no funds" user_id=13 [error] payment refused\nby the bank
}

// A function that keeps the rest of what a pattern does: truncation, selection of metadata, colours.
func ExampleNewPattern_function() {
	p, err := format.NewPattern(format.PatternOptions{
		Func: func(dst []byte, e *event.Event) []byte {
			dst = append(dst, strings.ToUpper(e.Level.String())...)
			dst = fmt.Appendf(dst, ": %q", e.Message)
			for _, f := range e.Metadata {
				dst = fmt.Appendf(dst, " %s: %s", f.Key, f.Value.Text())
			}
			return append(dst, '\n')
		},
		Keys:     []string{"user_id"},
		Truncate: format.Bytes(15),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", p.Append(nil, &order))
	// Output:
	// ERROR: "payment refused (truncated)" user_id: 13
}

// A function that does everything itself.
func ExampleFunc() {
	var f format.Formatter = format.Func(func(dst []byte, e *event.Event) []byte {
		return fmt.Appendf(dst, "%s %q\n", e.Level, e.Message)
	})
	fmt.Printf("%s", f.Append(nil, &order))
	// Output:
	// error "payment refused\nby the bank"
}

func ExampleCompile() {
	template, err := format.Compile("[$level] $message")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, token := range template.Tokens() {
		fmt.Printf("%q\n", token)
	}
	_, err = format.Compile("$timezone")
	fmt.Println(err)
	// Output:
	// "["
	// "$level"
	// "] "
	// "$message"
	// $timezone is an invalid format pattern
}

func ExampleTruncate() {
	fmt.Println(format.Truncate("olá, mundo", 3))
	// Output:
	// ol (truncated)
}

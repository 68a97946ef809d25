package convention_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spilelog/spile/convention"
)

// exampleLogger prints to standard output without the time.
func exampleLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func ExampleChecker_CheckName() {
	for _, finding := range convention.Default().CheckName("s2s_dns_error", "") {
		fmt.Println(finding.Rule, finding.Severity, finding.Suggestion)
		fmt.Println(finding.Message)
	}
	// Output:
	// EV03 warning s2s_dns_failed
	// "s2s_dns_error" ends in _error: use _failed, or the outcome, such as _timeout
}

func ExampleChecker_CheckRecord() {
	findings := convention.Default().CheckRecord("info", map[string]any{
		"what": "http_request_result", "code": "200", "duration": 1500 * time.Millisecond,
	})
	for _, finding := range findings {
		fmt.Println(finding)
	}
	// Output:
	// RC05 warning: code is string "200": must be a whole number (suggestion: 200)
	// RC05 warning: duration is time.Duration "1.5s": must be a whole number
}

func ExampleNew() {
	checker, err := convention.New(convention.Config{
		VendorPrefixes: []string{"acme_"},
		Severities:     map[string]convention.Severity{"EV06": convention.Error},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	findings := checker.CheckName("acme_user_removed", "")
	fmt.Println(convention.Worst(findings), findings[0].Suggestion)
	// Output: error user_removed
}

func ExampleNewCatalogue() {
	catalogue, err := convention.NewCatalogue(convention.Domain{
		Name: "billing", Title: "Billing",
		Fields: []convention.Field{{Name: "invoice", Type: convention.TypeInteger, Meaning: "number of the invoice"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, domain := range catalogue.Domains() {
		fmt.Println(domain.Title, len(domain.Fields))
	}
	// Output:
	// Logger defaults 3
	// Generally required 4
	// HTTP requests 7
	// XMPP 14
	// Other requests 5
	// Exceptions 3
	// Billing 1
}

func ExampleReason() {
	exampleLogger().LogAttrs(context.Background(), slog.LevelError, "remove_user_failed",
		convention.User("alice"), convention.Duration(1500*time.Millisecond), convention.Reason(errors.New("timeout")))
	// Output: level=ERROR msg=remove_user_failed user=alice duration=1500 reason=timeout
}

func ExampleUnexpectedCall() {
	convention.UnexpectedCall("flush", "session-42").Log(context.Background(), exampleLogger())
	// Output: level=WARN msg=unexpected_call msg=flush call_from=session-42
}

func ExampleRecover() {
	defer func() {
		if e, ok := convention.Recover("load_plugin", recover()); ok {
			fmt.Println(e.What, e.Attrs[0], e.Attrs[1])
		}
	}()
	panic("no such plugin")
	// Output: load_plugin_exception class=panic reason=no such plugin
}

func ExampleExpand() {
	attrs := []slog.Attr{
		convention.Acc(convention.Accumulator{User: "alice", Server: "localhost", Packet: "<iq/>"}),
		convention.Server("example.org"),
	}
	fmt.Println(convention.Expand(attrs))
	// Output: [user=alice packet=<iq/> server=example.org]
}

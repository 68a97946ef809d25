package parse

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
)

var testNow = time.Date(2024, 1, 16, 12, 0, 0, 0, time.UTC)

// members is what Parse makes of line, in the encoding of the wire without the source.
func members(t testing.TB, line string) string {
	t.Helper()
	var p Parser
	var ev event.Event
	p.Parse(line, testNow, &ev)
	b := event.AppendTime(nil, ev.Time)
	b = append(append(b, ' '), ev.Level.Wire()...)
	b = event.AppendString(append(b, ' '), ev.Message)
	return string(event.AppendMetadata(append(b, ' '), ev.Metadata))
}

func TestParse(t *testing.T) {
	inUTC(t)
	const at = "2024-01-15T10:00:00.123Z "
	tests := []struct {
		name   string
		format Format
		line   string
		want   string
	}{
		{
			"json", JSON, `{"timestamp":"2024-01-15T10:00:00.123456Z","level":"ERROR","msg":"boom","n":1.50,` +
				`"o":{"a":[1, null]},"b":true,"z":null}`,
			at + `ERROR "boom" {"n":1.50,"o":{"a":[1, null]},"b":true,"z":null}`,
		},
		{
			"json-escapes", JSON, `{"t":1705312800123,"severity":"warn","message":"a\"b\u00e9\ud83d\ude00\n",` +
				`"k\ty":"\ud800x"}`,
			at + "WARN \"a\\\"bé😀\\n\" {\"k\\ty\":\"\ufffdx\"}",
		},
		{
			"json-message-order", JSON, `{"text":"c","message":"b","ts":1705312800.123,"msg":""}`,
			at + `INFO "b" {"text":"c","msg":""}`,
		},
		{"json-bunyan", JSON, `{"level":50,"time":"2024-01-15T11:00:00.123+01:00","msg":"m",` +
			`"pid":7}`, at + `ERROR "m" {"pid":7}`},
		{"json-priority", JSON, `{"PRIORITY":"3","message":"m"}`, `2024-01-16T12:00:00.000Z ERROR "m" {}`},
		{"json-no-message", JSON, `{"a":1}`, `2024-01-16T12:00:00.000Z INFO "{\"a\":1}" {"a":1}`},
		{"json-duplicates", JSON, `{"a":1,"msg":"x","a":2}`, `2024-01-16T12:00:00.000Z INFO "x" {"a":2}`},
		{
			"json-truncated", JSON, `{"time":"2024-01-15T10:00:00.123Z","level":"ERROR","msg":"bo`,
			at + `ERROR "{\"time\":\"2024-01-15T10:00:00.123Z\",\"level\":\"ERROR\",\"msg\":\"bo" {}`,
		},
		{"json-trailing", JSON, `{"a":1} x`, `2024-01-16T12:00:00.000Z INFO "{\"a\":1} x" {}`},
		{"json-bom", JSON, "\ufeff" + `{"msg":"x"}`, `2024-01-16T12:00:00.000Z INFO "x" {}`},
		{"json-unknown-level", JSON, `{"level":"verbose","msg":"x"}`, `2024-01-16T12:00:00.000Z INFO "x" ` +
			`{"level":"verbose"}`},
		{
			"logfmt", Logfmt, `time=2024-01-15T10:00:00.123Z level=warn msg="a \"b\"" user_id=007 flag`,
			at + `WARN "a \"b\"" {"user_id":"007","flag":true}`,
		},
		{"logfmt-bare-words", Logfmt, `level=error msg=hello big world ts=1705312800.123 ` +
			`a=b`, at + `ERROR "hello big world" {"a":"b"}`},
		{"logfmt-unterminated", Logfmt, `a=b level=error msg="cut he`, `2024-01-16T12:00:00.000Z ERROR "cut ` +
			`he" {"a":"b"}`},
		{
			"nginx-access", Access, `10.0.0.1 - bob [15/Jan/2024:11:00:00 +0100] "GET /a?x=1 HTTP/1.1" 502 17 ` +
				`"-" "curl/8" rt=0.123 up="a b"`,
			`2024-01-15T10:00:00.000Z ERROR "GET /a?x=1 HTTP/1.1" {"remote_addr":"10.0.0.1","user":"bob",` +
				`"method":"GET",` +
				`"path":"/a?x=1","protocol":"HTTP/1.1","status":502,"bytes":17,"user_agent":"curl/8","rt":0.123,` +
				`"up":"a b"}`,
		},
		{
			"access-common", Access, `h - - [15/Jan/2024:10:00:00 +0000] "-" 400 -`,
			`2024-01-15T10:00:00.000Z WARN "h - - [15/Jan/2024:10:00:00 +0000] \"-\" 400 -" {"remote_addr":"h",` +
				`"status":400}`,
		},
		{
			"access-vhost", Access, `v:80 h - - [15/Jan/2024:10:00:00 +0000] "GET / HTTP/1.0" 200 5`,
			`2024-01-15T10:00:00.000Z INFO "GET / HTTP/1.0" {"vhost":"v:80","remote_addr":"h","method":"GET",` +
				`"path":"/","protocol":"HTTP/1.0","status":200,"bytes":5}`,
		},
		{
			"nginx-error", NginxError, `2024/01/15 10:00:00 [crit] 123#45: *67 upstream timed out (110: ` +
				`Connection timed out) while x, client: 1.2.3.4, server: s, request: "GET /a, b HTTP/1.1", upstream: ` +
				`"http://u/", host: "h"`,
			`2024-01-15T10:00:00.000Z CRITICAL "upstream timed out (110: Connection timed out) while x" ` +
				`{"pid":123,"tid":45,"cid":67,` +
				`"client":"1.2.3.4","server":"s","request":"GET /a, b HTTP/1.1","upstream":"http://u/","host":"h"}`,
		},
		{
			"apache-error", ApacheError, `[Mon Jan 15 10:00:00.123456 2024] [core:error] [pid 12:tid 4] [client ` +
				`1.2.3.4:5] AH00124: text`,
			at + `ERROR "AH00124: text" {"module":"core","pid":12,"tid":4,"client":"1.2.3.4:5"}`,
		},
		{
			"syslog-bsd", Syslog3164, `Jan 15 10:00:00 host app[12]: ERROR no disk`,
			`2024-01-15T10:00:00.000Z ERROR "ERROR no disk" {"hostname":"host","app":"app","pid":12}`,
		},
		{
			"syslog-pri", Syslog3164, `<34>Oct  1 22:14:15 box su: 'su root' failed`,
			`2023-10-01T22:14:15.000Z CRITICAL "'su root' failed" {"facility":"auth","hostname":"box","app":"su"}`,
		},
		{
			"syslog-pri-local", Syslog3164, `<14>Jan 15 10:00:00 app[3]: hi`,
			`2024-01-15T10:00:00.000Z INFO "hi" {"facility":"user","app":"app","pid":3}`,
		},
		{"rsyslog", Syslog3164, `2024-01-15T10:00:00.123456+00:00 host kernel: ` +
			`oops`, at + `INFO "oops" {"hostname":"host","app":"kernel"}`},
		{
			"syslog-5424", Syslog5424, `<165>1 2024-01-15T10:00:00.123Z host app 99 ID47 [x@1 a="1" ` +
				`b="q\"z"][y] ` + "\ufeffhello",
			at + `NOTICE "hello" {"facility":"local4","hostname":"host","app":"app","pid":99,"msgid":"ID47",` +
				`"x@1.a":"1","x@1.b":"q\"z"}`,
		},
		{"syslog-5424-broken", Syslog5424, `<11>1 - - - - - [x a=1] m`, `2024-01-16T12:00:00.000Z ERROR "[x ` +
			`a=1] m" {"facility":"user"}`},
		{"klog", Klog, `F0115 10:00:00.123456   1 file.go:12] bye`, at + `CRITICAL "bye" {"tid":1,` +
			`"caller":"file.go:12"}`},
		{"klog-structured", Klog, `I0115 10:00:00.123456   1 f.go:1] "Pod up" ` +
			`pod="x/y"`, at + `INFO "Pod up" {"tid":1,"caller":"f.go:1","pod":"x/y"}`},
		{"plain-java", Plain, `2024-01-15 10:00:00,123 [main] WARN c.Foo - ` +
			`x`, at + `WARN "2024-01-15 10:00:00,123 [main] WARN c.Foo - x" {}`},
		{"plain-iso-prose", Plain, `2024-01-15T10:00:00.123Z connection lost: ` +
			`foo`, at + `INFO "2024-01-15T10:00:00.123Z connection lost: foo" {}`},
		{"plain-bracketed", Plain, `[2024-01-15 10:00:00.123 UTC] hi`, at + `INFO "[2024-01-15 10:00:00.123 ` +
			`UTC] hi" {}`},
		{"plain-slashes", Plain, `2024/01/15 10:00:00 listening`, `2024-01-15T10:00:00.000Z INFO "2024/01/15 ` +
			`10:00:00 listening" {}`},
		{"empty", Plain, ``, `2024-01-16T12:00:00.000Z INFO "" {}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Detect(tt.line); got != tt.format {
				t.Errorf("Detect = %v, want %v", got, tt.format)
			}
			if diff := cmp.Diff(tt.want, members(t, tt.line)); diff != "" {
				t.Errorf("Parse: (-want +got)\n%s", diff)
			}
			checkLine(t, tt.line)
		})
	}
}

func TestLevel(t *testing.T) {
	tests := []struct {
		name string
		line string
		want event.Level
	}{
		{"nested-object", `{"a":{"level":"ERROR"},"msg":"x"}`, event.Info},
		{"nested-before-own", `{"a":[{"level":"ERROR"}],"level":"debug"}`, event.Debug},
		{"inside-string", `{"msg":"\"level\":\"ERROR\"","level":"warn"}`, event.Warning},
		{"ends-in-backslash", `{"msg":"c:\\","level":"warn"}`, event.Warning},
		{"value-level", `{"k": "level", "severity" : "error"}`, event.Error},
		{"value-level-then-colon", `{"k":"level","x":"ERROR"}`, event.Info},
		{"blanks-around-colon", `{ "level" 	: "error" }`, event.Error},
		{"duplicate-first-known", `{"level":"hm","level":"error","level":"debug"}`, event.Error},
		{"emerg-not-error", `{"level":"EMERG"}`, event.Emergency},
		{"slog-offset", `{"level":"DEBUG-4"}`, event.Trace},
		{"number-not-bunyan", `{"level":3}`, event.Info},
		{"severity-number", `{"severity":3}`, event.Info},
		{"priority-number", `{"PRIORITY":4}`, event.Warning},
		{"logfmt-inside-message", `time=x msg="a level=error b" level=debug`, event.Debug},
		{"logfmt-only-inside-message", `msg="a level=error b" n=1`, event.Info},
		{"logfmt-quoted-level", `a=1 lvl="ERROR"`, event.Error},
		{"nginx-quote-in-request", `h - - [15/Jan/2024:10:00:00 +0000] "GET /a" 1 HTTP/1.1" 503 1 "-" ` +
			`"-"`, event.Error},
		{"nginx-escaped-quote", `h - - [15/Jan/2024:10:00:00 +0000] "GET /\" 500 1 HTTP/1.1" 404 1`, event.Warning},
		{"nginx-level", `2024/01/15 10:00:00 [emerg] 1#1: bind() failed`, event.Emergency},
		{"plain-upper", `10:00 ERROR x`, event.Error},
		{"plain-lower", `an error happened`, event.Info},
		{"plain-brackets", `[error] x`, event.Error},
		{"plain-angles", `x <warn> y`, event.Warning},
		{"plain-colon", `foo: error: bar`, event.Error},
		{"plain-panic", `panic: runtime error`, event.Emergency},
		{"plain-path", `GET /var/ERROR/x`, event.Info},
		{"plain-path-end", `open /log/ERROR: no such file`, event.Info},
		{"plain-file-name", `ERROR.log rotated`, event.Info},
		{"plain-part-of-word", `MYERROR ERRORS NO_ERROR`, event.Info},
		{"plain-url", `see info://x`, event.Info},
		{"plain-at-64", "12345678901234567890123456789012345678901234567890123456789ERR", event.Info},
		{"plain-ends-at-64", "12345678901234567890123456789012345678901234567890123456789 ERR ", event.Error},
		{"plain-behind-64", "12345678901234567890123456789012345678901234567890123456789012 ERR", event.Info},
		{"plain-python", `ERROR:root:msg`, event.Error},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Parser
			if got, ok := p.Level(tt.line); !ok || got != tt.want {
				t.Errorf("Level = %v, %v, want %v", got, ok, tt.want)
			}
			checkLine(t, tt.line)
		})
	}
}

func TestLevelWords(t *testing.T) {
	words := []string{
		"trace", "debug", "info", "notice", "warning", "warn", "error", "err", "critical", "crit", "fatal", "alert",
		"emergency", "emerg", "panic", "TRACE", "Warn", "eRR", "", "e", "errors", "inf", "unknown", "verbose",
	}
	for _, w := range words {
		want, err := event.ParseLevel(w)
		if got, ok := levelWord(w); ok != (err == nil) || ok && got != want {
			t.Errorf("levelWord(%q) = %v, %v, want %v, %v", w, got, ok, want, err)
		}
	}
}

func TestTime(t *testing.T) {
	inUTC(t)
	tests := []struct{ name, line, want string }{
		{"json", `{"a":{"time":"2020-01-01T00:00:00Z"},` +
			`"@timestamp":"2024-01-15T10:00:00.5Z"}`, "2024-01-15T10:00:00.500Z"},
		{"json-none", `{"time":12}`, ""},
		{"json-exponent", `{"ts":1.7053128005e+09}`, "2024-01-15T10:00:00.500Z"},
		{"json-micro", `{"ts":1705312800500000}`, "2024-01-15T10:00:00.500Z"},
		{"json-nano", `{"ts":1705312800500000000}`, "2024-01-15T10:00:00.500Z"},
		{"json-space", `{"ts":"2024-01-15 10:00:00,500"}`, "2024-01-15T10:00:00.500Z"},
		{"logfmt", `a=1 t=2024-01-15T12:00:00.5+02:00`, "2024-01-15T10:00:00.500Z"},
		{"access", `h - - [15/Jan/2024:10:00:00 -0700] "GET / HTTP/1.1" 200 1`, "2024-01-15T17:00:00.000Z"},
		{"apache", `[Mon Jan 15 10:00:00 2024] [error] x`, "2024-01-15T10:00:00.000Z"},
		{"syslog-5424", `<11>1 2024-01-15T10:00:00Z h a - - - m`, "2024-01-15T10:00:00.000Z"},
		{"bad-month", `2024-13-15 10:00:00 x`, ""},
		{"prose", `nothing here`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var p Parser
			got, ok := p.Time(tt.line)
			s := ""
			if ok {
				s = string(event.AppendTime(nil, got))
			}
			if s != tt.want {
				t.Errorf("Time = %q, want %q", s, tt.want)
			}
		})
	}
}

// inUTC makes local time UTC for the test.
func inUTC(t *testing.T) {
	t.Helper()
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
}

package parse

import (
	"strings"
	"testing"

	"github.com/spilelog/spile/event"
)

var benchLines = map[string]string{
	"json": `{"timestamp":"2024-01-15T10:00:00.123456Z","level":"INFO","service":"payments","msg":"request completed",` +
		`"trace_id":"0123456789abcdef0123456789abcdef","user_id":12345,"duration_ms":40.123,` +
		`"http":{"method":"GET","path":"/api/v1/orders","status":200},"region":"eu-west-1","tags":["web","v2.17"]}`,
	"json-escaped": `{"time":"2024-01-15T10:00:00Z","level":"ERROR","msg":"cannot open \"a\\b\"","error":"x\ty"}`,
	"logfmt": `time=2024-01-15T10:00:00.123Z level=INFO source=payments msg="request completed" user_id=12345 ` +
		`request_id=0123456789abcdef addr=10.1.2.3:4567 elapsed=12.5ms attempt=1`,
	"access": `10.3.24.177 - - [15/Jan/2024:10:00:00 +0000] "GET /api/v1/orders?user_id=12345&page=3 HTTP/1.1" 200 51234 ` +
		`"https://shop.example.com/cart" "Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0" rt=0.080`,
	"nginx-error": `2024/01/15 10:00:00 [error] 123#45: *67 upstream timed out (110: Connection timed out) while reading ` +
		`response header from upstream, client: 1.2.3.4, server: x, request: "GET / HTTP/1.1", host: "h"`,
	"syslog": `<34>1 2024-01-15T10:00:00.123Z host app 99 ID47 [x@1 a="1"] hello world`,
	"plain":  `2024-01-15 10:00:00,123 [main] INFO com.example.Foo - the quick brown fox jumps over the lazy dog`,
}

func BenchmarkParse(b *testing.B) {
	for name, line := range benchLines {
		b.Run(name, func(b *testing.B) {
			var p Parser
			var ev event.Event
			var out []byte
			b.SetBytes(int64(len(line) + 1))
			b.ReportAllocs()
			for b.Loop() {
				ev.Reset()
				p.Parse(line, testNow, &ev)
				out = event.AppendMembers(out[:0], &ev)
			}
		})
	}
}

func BenchmarkCount(b *testing.B) {
	mixed := []string{"access", "json", "access", "logfmt", "json", "access", "json", "logfmt"}
	var block strings.Builder
	for block.Len() < 1<<20 {
		for _, name := range mixed {
			block.WriteString(benchLines[name] + "\n")
		}
	}
	data := []byte(block.String())
	var c Counter
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		c.Count(data)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	var p Parser
	var ev event.Event
	var out []byte
	for name, line := range benchLines {
		block := []byte(line + "\n")
		var c Counter
		n := testing.AllocsPerRun(100, func() {
			ev.Reset()
			p.Parse(line, testNow, &ev)
			out = event.AppendMembers(out[:0], &ev)
			p.Level(line)
			p.Time(line)
			c.Count(block)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a line, want none", name, n)
		}
	}
}

package parse

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/spilelog/spile/event"
)

var benchLines = map[string]string{
	"json": `{"timestamp":"2024-01-15T10:00:00.123456Z","level":"INFO","service":"payments","msg":"request ` +
		`completed",` +
		`"trace_id":"0123456789abcdef0123456789abcdef","user_id":12345,"duration_ms":40.123,` +
		`"http":{"method":"GET","path":"/api/v1/orders","status":200},"region":"eu-west-1","tags":["web","v2.17"]}`,
	"json-escaped": `{"time":"2024-01-15T10:00:00Z","level":"ERROR","msg":"cannot open \"a\\b\"","error":"x\ty"}`,
	"logfmt": `time=2024-01-15T10:00:00.123Z level=INFO source=payments msg="request completed" user_id=12345 ` +
		`request_id=0123456789abcdef addr=10.1.2.3:4567 elapsed=12.5ms attempt=1`,
	"access": `10.3.24.177 - - [15/Jan/2024:10:00:00 +0000] "GET /api/v1/orders?user_id=12345&page=3 ` +
		`HTTP/1.1" 200 51234 ` +
		`"https://shop.example.com/cart" "Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0" rt=0.080`,
	"nginx-error": `2024/01/15 10:00:00 [error] 123#45: *67 upstream timed out (110: Connection timed out) ` +
		`while reading ` +
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

// mixedBlock is a block of access, JSON and logfmt lines in random order, with the shares and lengths of a shop.
func mixedBlock(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	level := func() string {
		switch n := r.IntN(1000); {
		case n < 15:
			return "ERROR"
		case n < 65:
			return "WARN"
		case n < 265:
			return "DEBUG"
		}
		return "INFO"
	}
	paths := []string{"/api/v1/orders", "/healthz", "/static/app.js", "/api/v1/users/7/cart", "/metrics"}
	words := []string{"request completed", "retrying upstream", "cache miss", "user logged in", "payment accepted by bank"}
	var b bytes.Buffer
	for b.Len() < size {
		switch n := r.IntN(100); {
		case n < 40:
			fmt.Fprintf(&b, `10.%d.%d.%d - - [15/Jan/2024:10:00:%02d +0000] "%s %s?user_id=%d HTTP/1.1" %s %d `+
				`"%s" "%s" rt=0.%03d`,
				r.IntN(8), r.IntN(256), r.IntN(256), r.IntN(60), pick("GET", "POST", "PUT", "HEAD"), pick(paths...),
				r.IntN(100000), pick("200", "200", "200", "200", "304", "404", "502"), r.IntN(60000),
				pick("-", "-", "https://shop.example.com/cart"),
				pick("curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64) Firefox/121.0"),
				r.IntN(1000))
		case n < 75:
			fmt.Fprintf(&b, `{"timestamp":"2024-01-15T10:00:%02d.%06dZ","level":"%s","service":"%s","msg":"%s",`+
				`"trace_id":"%016x%016x",`+
				`"user_id":%d,"duration_ms":%.3f,"http":{"method":"GET","path":"%s","status":200},"region":"%s",`+
				`"tags":["web","v2.%d"]}`,
				r.IntN(60), r.IntN(1000000), level(), pick("payments", "cart", "search"), pick(words...), r.Uint64(), r.Uint64(),
				r.IntN(100000), r.ExpFloat64()*40, pick(paths...), pick("eu-west-1", "us-east-2"), r.IntN(30))
		default:
			fmt.Fprintf(&b, `time=2024-01-15T10:00:%02d.%03dZ level=%s source=%s msg="%s" user_id=%d `+
				`request_id=%016x addr=10.1.2.3:%d elapsed=%.1fms attempt=%d`,
				r.IntN(60), r.IntN(1000), level(), pick("payments", "cart"), pick(words...), r.IntN(100000), r.Uint64(),
				r.IntN(60000), r.ExpFloat64()*12, 1+r.IntN(4))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func BenchmarkCount(b *testing.B) {
	block := mixedBlock(32 << 20)
	var c Counter
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		c.Count(block)
	}
	b.ReportMetric(float64(c.Bytes)/float64(c.Lines), "B/line")
}

func BenchmarkParseMixed(b *testing.B) {
	block := mixedBlock(32 << 20)
	lines := strings.Split(strings.TrimSuffix(string(block), "\n"), "\n")
	var p Parser
	var ev event.Event
	var out []byte
	b.SetBytes(int64(len(block)))
	b.ReportAllocs()
	for b.Loop() {
		for _, line := range lines {
			ev.Reset()
			p.Parse(line, testNow, &ev)
			out = event.AppendMembers(out[:0], &ev)
		}
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

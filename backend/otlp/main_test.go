package otlp

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "go.opentelemetry.io/proto/slim/otlp/collector/logs/v1"
	logspb "go.opentelemetry.io/proto/slim/otlp/logs/v1"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collector is a transport that takes requests in place of a server, so that they may be made in a synctest bubble.
type collector struct {
	// answer says how the n-th request, from 1 on, ends; nil is a plain success. It may wait for the request's context.
	answer func(n int, r *http.Request) (*http.Response, error)

	mu       sync.Mutex
	times    []time.Time
	taken    []*logspb.LogRecord
	sizes    []int
	requests []*v1.ExportLogsServiceRequest
}

func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	request, err := decode(r.Header, body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.times = append(c.times, time.Now())
	n := len(c.times)
	c.mu.Unlock()
	resp := answer(200, nil)
	if c.answer != nil {
		if given, err := c.answer(n, r); err != nil {
			return nil, err
		} else if given != nil {
			resp = given
		}
	}
	if resp.StatusCode == http.StatusOK {
		c.mu.Lock()
		defer c.mu.Unlock()
		records := recordsOf(request)
		c.requests = append(c.requests, request)
		c.sizes = append(c.sizes, len(records))
		c.taken = append(c.taken, records...)
	}
	return resp, nil
}

// bodies are the messages of the records taken, in order.
func (c *collector) bodies() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []string{}
	for _, r := range c.taken {
		out = append(out, r.GetBody().GetStringValue())
	}
	return out
}

// attempts are the requests, as time since start.
func (c *collector) attempts(start time.Time) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []time.Duration{}
	for _, at := range c.times {
		out = append(out, at.Sub(start))
	}
	return out
}

// decode reads a request as a collector does.
func decode(h http.Header, body []byte) (*v1.ExportLogsServiceRequest, error) {
	if got := h.Get("Content-Type"); got != "application/x-protobuf" {
		return nil, errors.New("content type " + got)
	}
	if h.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(string(body)))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(z); err != nil {
			return nil, err
		}
	}
	request := &v1.ExportLogsServiceRequest{}
	return request, proto.Unmarshal(body, request)
}

func recordsOf(r *v1.ExportLogsServiceRequest) []*logspb.LogRecord {
	var out []*logspb.LogRecord
	for _, resource := range r.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			out = append(out, scope.GetLogRecords()...)
		}
	}
	return out
}

// answer is a response with a protobuf message, if any, and pairs of header fields.
func answer(status int, m proto.Message, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")),
	}
	if m != nil {
		data, err := proto.Marshal(m)
		if err != nil {
			panic(err)
		}
		resp.Header.Set("Content-Type", "application/x-protobuf")
		resp.Body = io.NopCloser(strings.NewReader(string(data)))
	}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// newBackend is a backend that sends to c.
func newBackend(t testing.TB, c *collector, o Options) *Backend {
	t.Helper()
	o.Client = &http.Client{Transport: c}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// log logs a record of each message.
func log(t testing.TB, b spile.Backend, messages ...string) {
	t.Helper()
	for _, m := range messages {
		if err := b.Log(context.Background(), &event.Event{Time: time.Now(), Message: m}); err != nil {
			t.Fatalf("log %q: %v", m, err)
		}
	}
}

// balance checks that the counters account for every record.
func balance(t testing.TB, s Stats) {
	t.Helper()
	if s.Logged != s.Sent+s.Pending+s.Dropped.Queue+s.Dropped.Rejected+s.Dropped.Failed {
		t.Errorf("records are not accounted for: %+v", s)
	}
}

package otlp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// TestEveryRecordIsAccountedFor lets a collector do what collectors do, in any order, and checks after each step that
// the counters balance, and at the end that what counts as sent arrived in order and once.
func TestEveryRecordIsAccountedFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		moods := rapid.SliceOfN(rapid.SampledFrom([]string{"take", "429", "503-later", "400", "partial", "break", "stall"}), 0, 20).Draw(rt, "moods")
		steps := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 30).Draw(rt, "steps")
		options := Options{
			QueueSize: rapid.IntRange(1, 20).Draw(rt, "queue"), BatchSize: rapid.IntRange(1, 8).Draw(rt, "batch"),
			RetryFor: 40 * time.Second, Compress: rapid.Bool().Draw(rt, "compress"),
		}
		synctest.Test(t, func(t *testing.T) {
			var partially uint64
			c := &collector{answer: func(n int, r *http.Request) (*http.Response, error) {
				if n > len(moods) {
					return nil, nil
				}
				switch moods[n-1] {
				case "429":
					return answer(429, nil), nil
				case "503-later":
					return answer(503, nil, "Retry-After", "60"), nil
				case "400":
					return answer(400, nil), nil
				case "break":
					return nil, errors.New("broken")
				case "stall":
					<-r.Context().Done()
					return nil, r.Context().Err()
				case "partial":
					partially++
					return partial(1, ""), nil
				}
				return nil, nil
			}}
			told := uint64(0)
			options.OnLoss = func(n int, _ error) { told += uint64(n) }
			b := newBackend(t, c, options)
			n, refused := 0, uint64(0)
			for _, step := range steps {
				switch step {
				case 0:
					<-time.After(7 * time.Second)
				case 1:
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
					_ = b.Flush(ctx)
					cancel()
				default:
					n++
					if b.Log(t.Context(), &event.Event{Message: fmt.Sprintf("%04d", n)}) != nil {
						refused++
					}
				}
				synctest.Wait()
				balance(t, b.Stats())
			}
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			_ = b.Close(ctx)
			s := b.Stats()
			balance(t, s)
			if b.queue.bytes != 0 {
				rt.Fatalf("%d bytes are still counted", b.queue.bytes)
			}
			if s.Pending != 0 || s.Logged != uint64(n) || s.Dropped.Queue != refused || told != s.Dropped.Rejected+s.Dropped.Failed {
				rt.Fatalf("logged %d, refused %d, told of %d: %+v", n, refused, told, s)
			}
			bodies := c.bodies()
			// Of a batch taken in part the collector of this test kept all.
			if uint64(len(bodies)) != s.Sent+partially {
				rt.Fatalf("%d arrived, %d in part, but %+v", len(bodies), partially, s)
			}
			for i := 1; i < len(bodies); i++ {
				if bodies[i] <= bodies[i-1] {
					rt.Fatalf("%s after %s", bodies[i], bodies[i-1])
				}
			}
		})
	})
}

// TestHammer logs, flushes and asks from many goroutines, through a handler, while the backend is changed and at last
// closed under them.
func TestHammer(t *testing.T) {
	var failing atomic.Uint64
	c := &collector{answer: func(int, *http.Request) (*http.Response, error) {
		if failing.Add(1)%5 == 0 {
			return answer(400, nil), nil
		}
		return nil, nil
	}}
	b := newBackend(t, c, Options{BatchSize: 7, QueueSize: 100, Every: time.Millisecond, Compress: true})
	logger := slog.New(spile.New(b))
	const loggers, each = 8, 500
	var logging, watching sync.WaitGroup
	for range loggers {
		logging.Go(func() {
			for i := range each {
				logger.With("i", i).WithGroup("g").Info("record", "k", "v")
			}
		})
	}
	stop := make(chan struct{})
	for range 2 {
		watching.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = b.Flush(t.Context())
					balance(t, b.Stats())
					b.SetLevel(slog.LevelDebug)
				}
			}
		})
	}
	logging.Wait()
	logging.Go(func() {
		for range each {
			logger.Info("late")
		}
	})
	_ = b.Close(t.Context())
	logging.Wait()
	close(stop)
	watching.Wait()
	s := b.Stats()
	balance(t, s)
	if s.Logged < loggers*each || s.Pending != 0 || uint64(len(c.taken)) != s.Sent {
		t.Errorf("%d arrived: %+v", len(c.taken), s)
	}
}

// TestOverTheWire sends to a server.
func TestOverTheWire(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compress-%v", compress), func(t *testing.T) {
			c := &collector{}
			var path, token, agent string
			cut := true
			closed := make(chan struct{}, 10)
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if cut { // The first connection breaks before an answer.
					cut = false
					panic(http.ErrAbortHandler)
				}
				path, token, agent = r.URL.Path, r.Header.Get("Authorization"), r.UserAgent()
				if _, err := c.RoundTrip(r); err != nil {
					t.Error(err)
				}
			}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					closed <- struct{}{}
				}
			}
			server.Start()
			defer server.Close()
			b, err := New(Options{
				Endpoint: server.URL, Headers: http.Header{"Authorization": {"Bearer x"}}, Compress: compress,
				Resource: event.Metadata{{Key: "service.name", Value: event.String("shop")}}, Scope: "scope",
			})
			if err != nil {
				t.Fatal(err)
			}
			slog.New(spile.New(b)).Warn("hello", "n", 1)
			if err := b.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The connection that broke, and the one that the backend has kept open until its end.
			<-closed
			<-closed
			if path != "/v1/logs" || token != "Bearer x" || agent != "spile-otlp" {
				t.Errorf("path %q, authorization %q, agent %q", path, token, agent)
			}
			if len(c.requests) != 1 {
				t.Fatalf("%d requests", len(c.requests))
			}
			resource := c.requests[0].GetResourceLogs()[0]
			service := resource.GetResource().GetAttributes()[0]
			scope := resource.GetScopeLogs()[0]
			record := scope.GetLogRecords()[0]
			if service.GetKey() != "service.name" || service.GetValue().GetStringValue() != "shop" || scope.GetScope().GetName() != "scope" {
				t.Errorf("resource %v, scope %v", resource.GetResource(), scope.GetScope())
			}
			got := map[string]any{}
			for _, a := range record.GetAttributes() {
				got[a.GetKey()] = a.GetValue().GetStringValue()
			}
			want := map[string]any{
				"n": "", "namespace": "github.com/spilelog/spile/backend/otlp", "code.line.number": "",
				"code.function.name": "github.com/spilelog/spile/backend/otlp.TestOverTheWire.func1",
			}
			if diff := cmp.Diff(want, got); diff != "" || record.GetSeverityText() != "warning" {
				t.Errorf("severity %q (-want +got)\n%s", record.GetSeverityText(), diff)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	tests := []struct {
		name     string
		options  Options
		endpoint string
		wrong    string
	}{
		{"defaults", Options{}, "http://localhost:4318/v1/logs", ""},
		{"no-path", Options{Endpoint: "https://c.example:4318"}, "https://c.example:4318/v1/logs", ""},
		{"slash", Options{Endpoint: "https://c.example/"}, "https://c.example/v1/logs", ""},
		{"own-path", Options{Endpoint: "https://c.example/otlp/logs?x=1"}, "https://c.example/otlp/logs?x=1", ""},
		{"no-scheme", Options{Endpoint: "localhost:4318"}, "", `otlp backend: option Endpoint is "localhost:4318": must be an http or https URL such as http://localhost:4318/v1/logs`},
		{"secret", Options{Endpoint: "ftp://me:secret@host/"}, "", `otlp backend: option Endpoint is "ftp://me:xxxxx@host/": must be an http or https URL such as http://localhost:4318/v1/logs`},
		{"batch", Options{BatchSize: -1}, "", "otlp backend: option BatchSize is -1: must not be negative, 0 is 512"},
		{"every", Options{Every: -time.Second}, "", "otlp backend: option Every is -1s: must not be negative, 0 is 5s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(tt.options)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != tt.wrong {
				t.Fatalf("got %q, want %q", got, tt.wrong)
			}
			if err == nil {
				if err := tt.options.check(); err != nil || tt.options.Endpoint != tt.endpoint {
					t.Errorf("endpoint %q, %v, want %q", tt.options.Endpoint, err, tt.endpoint)
				}
			}
		})
	}
}

func TestFormatterMakesTheBody(t *testing.T) {
	c := &collector{}
	b := newBackend(t, c, Options{})
	log(t, b, "plain")
	b.SetFormatter(upper{})
	log(t, b, "loud")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"plain", "<loud>"}, c.bodies()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

type upper struct{}

func (upper) Append(dst []byte, e *event.Event) []byte { return append(dst, "<"+e.Message+">\n"...) }

func sample() event.Event {
	return event.Event{
		Time: time.Now(), Message: "GET /api/v1/orders", Source: "shop/web",
		Metadata: event.Metadata{
			{Key: "method", Value: event.String("GET")},
			{Key: "path", Value: event.String("/api/v1/orders")},
			{Key: "status", Value: event.Int(200)},
			{Key: "size", Value: event.Int(5120)},
			{Key: "ratio", Value: event.Float(0.25)},
			{Key: "cached", Value: event.Bool(true)},
			{Key: "duration", Value: event.Duration(1500 * time.Microsecond)},
			{Key: "user", Value: event.String("anna")},
			{Key: "peer", Value: event.String("10.1.2.3")},
			{Key: "id", Value: event.String("42")},
		},
	}
}

func TestLogAllocates(t *testing.T) {
	b := newBackend(t, &collector{}, Options{Every: time.Hour})
	b.queue.open.buf = make([]byte, 0, batchBytes)
	b.queue.maxRecords, b.queue.batchSize = 1<<20, 1<<20
	ev := sample()
	var e encoder
	n := testing.AllocsPerRun(500, func() {
		e.buf = e.buf[:0]
		e.record(&ev, call{body: ev.Message, observed: ev.Time})
		if _, err := b.queue.put(e.buf); err != nil {
			t.Error(err)
		}
	})
	// It is the text of the duration.
	if n > 1 {
		t.Errorf("%v allocations, at most 1 allowed", n)
	}
}

// discard is a transport that reads and forgets.
type discard struct{}

func (discard) RoundTrip(r *http.Request) (*http.Response, error) {
	_, err := io.Copy(io.Discard, r.Body)
	return answer(200, nil), err
}

func BenchmarkLog(b *testing.B) {
	backend, err := New(Options{
		QueueSize: 1 << 30, QueueBytes: 1 << 40, BatchSize: 1 << 30, Client: &http.Client{Transport: discard{}},
	})
	if err != nil {
		b.Fatal(err)
	}
	ev := sample()
	b.ReportAllocs()
	for b.Loop() {
		if err := backend.Log(b.Context(), &ev); err != nil {
			b.Fatal(err)
		}
	}
	if err := backend.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

package bench_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/backend/otlp"
	"github.com/spilelog/spile/event"
)

// receive starts the collector's OTLP receiver in front of next, and returns the address of its HTTP server.
func receive(t *testing.T, next consumer.Logs) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()

	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	settings := confmap.NewFromStringMap(map[string]any{
		"protocols": map[string]any{"http": map[string]any{"endpoint": address}},
	})
	if err := settings.Unmarshal(config); err != nil {
		t.Fatal(err)
	}
	receiver, err := factory.CreateLogs(t.Context(), receivertest.NewNopSettings(factory.Type()), config, next)
	if err != nil {
		t.Fatal(err)
	}
	if err := receiver.Start(t.Context(), componenttest.NewNopHost()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := receiver.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + address
}

// TestCollectorReceives sends records of every kind to the OpenTelemetry collector's own receiver and reads what it
// hands on.
func TestCollectorReceives(t *testing.T) {
	for _, compress := range []bool{false, true} {
		t.Run(fmt.Sprintf("compress-%v", compress), func(t *testing.T) {
			sink := &consumertest.LogsSink{}
			backend, err := otlp.New(otlp.Options{
				BaseOptions: spile.BaseOptions{Level: slog.Level(event.Trace)},
				Endpoint:    receive(t, sink), Compress: compress,
				Resource: event.Metadata{{Key: "service.name", Value: event.String("shop")}},
			})
			if err != nil {
				t.Fatal(err)
			}
			logger := slog.New(spile.New(backend)).With(spile.Namespace("Shop::Orders"))
			before := time.Now()
			for i := range event.NumLevels {
				logger.Log(t.Context(), slog.Level(event.LevelAt(i)), "order placed", "n", i)
			}
			logger.Warn("all kinds",
				"text", "é", "int", -5, "float", 2.5, "yes", true, "took", 1500*time.Millisecond, "none", nil,
				"err", errors.New("broken pipe"), "list", []any{1, "two"}, "raw", []byte{1, 2},
				slog.Group("http", "status", 503, slog.Group("peer", "ip", "10.1.2.3")),
				"trace_id", "4bf92f3577b34da6a3ce929d0e0e4736", "span_id", "00f067aa0ba902b7")
			if err := backend.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if s := backend.Stats(); s.Sent != event.NumLevels+1 || sink.LogRecordCount() != event.NumLevels+1 {
				t.Fatalf("%d arrived: %+v", sink.LogRecordCount(), s)
			}
			resource := sink.AllLogs()[0].ResourceLogs().At(0)
			if name, _ := resource.Resource().Attributes().Get("service.name"); name.Str() != "shop" {
				t.Errorf("service.name is %q", name.Str())
			}
			records := resource.ScopeLogs().At(0).LogRecords()
			checkLevels(t, records, before)
			checkKinds(t, records.At(event.NumLevels))
		})
	}
}

func checkLevels(t *testing.T, records plog.LogRecordSlice, before time.Time) {
	t.Helper()
	want := []plog.SeverityNumber{
		plog.SeverityNumberTrace, plog.SeverityNumberDebug, plog.SeverityNumberInfo, plog.SeverityNumberInfo2,
		plog.SeverityNumberWarn, plog.SeverityNumberError, plog.SeverityNumberError2, plog.SeverityNumberError3,
		plog.SeverityNumberFatal,
	}
	for i, number := range want {
		r := records.At(i)
		n, _ := r.Attributes().Get("n")
		if r.SeverityNumber() != number || r.SeverityText() != event.LevelAt(i).String() || n.Int() != int64(i) {
			t.Errorf("record %d has severity %v %q, n %d", i, r.SeverityNumber(), r.SeverityText(), n.Int())
		}
		at := r.Timestamp().AsTime()
		if r.Body().Str() != "order placed" || at.Before(before) || at.After(time.Now()) {
			t.Errorf("record %d has body %q, time %v", i, r.Body().Str(), at)
		}
	}
}

func checkKinds(t *testing.T, r plog.LogRecord) {
	t.Helper()
	got := r.Attributes().AsRaw()
	line, ok := got["code.line.number"].(int64)
	delete(got, "code.line.number")
	want := map[string]any{
		"text": "é", "int": int64(-5), "float": 2.5, "yes": true, "took": "1.5s", "none": nil, "err": "broken pipe",
		"list": []any{int64(1), "two"}, "raw": []byte{1, 2},
		"http":               map[string]any{"status": int64(503), "peer": map[string]any{"ip": "10.1.2.3"}},
		"namespace":          "Shop::Orders",
		"code.function.name": "github.com/spilelog/spile/bench_test.TestCollectorReceives.func1",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || !ok || line == 0 {
		t.Errorf("attributes\n got %v, line %d\nwant %v", got, line, want)
	}
	trace, span := r.TraceID().String(), r.SpanID().String()
	if trace != "4bf92f3577b34da6a3ce929d0e0e4736" || span != "00f067aa0ba902b7" {
		t.Errorf("trace %s, span %s", trace, span)
	}
}

// TestCollectorRefuses has the collector refuse for now, which is tried again, and for good, which is not.
func TestCollectorRefuses(t *testing.T) {
	calls := 0
	next, err := consumer.NewLogs(func(context.Context, plog.Logs) error {
		calls++
		switch calls {
		case 1:
			return errors.New("busy")
		case 2:
			return nil
		}
		return consumererror.NewPermanent(errors.New("bad data"))
	})
	if err != nil {
		t.Fatal(err)
	}
	var told error
	backend, err := otlp.New(otlp.Options{Endpoint: receive(t, next), OnLoss: func(_ int, err error) { told = err }})
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(spile.New(backend))
	logger.Info("tried again")
	if err := backend.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	logger.Info("refused")
	if err := backend.Close(t.Context()); err == nil {
		t.Error("Close tells of no loss")
	}
	want := otlp.Stats{Logged: 2, Sent: 1, Dropped: otlp.Dropped{Rejected: 1}}
	if s := backend.Stats(); s != want || calls != 3 || told == nil {
		t.Errorf("after %d calls got %+v, want %+v; told %v", calls, s, want, told)
	}
	t.Log(told)
}

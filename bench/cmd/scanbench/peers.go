package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/nxadm/tail"
	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/filelogreceiver"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/spilelog/spile/bench/mixedlog"
)

// tailContains lets nxadm/tail read the file and searches each of its lines.
func tailContains(_ context.Context, path string) (int, error) {
	t, err := tail.TailFile(path, tail.Config{MustExist: true, Logger: tail.DiscardingLogger})
	if err != nil {
		return 0, err
	}
	passed := 0
	for line := range t.Lines {
		if line.Err != nil {
			return 0, line.Err
		}
		if strings.Contains(line.Text, literalText) {
			passed++
		}
	}
	return passed, t.Wait()
}

// otelFilelog lets the OpenTelemetry file receiver read the file with its filter operator, into a consumer that only
// counts, until the file's last line has come through.
func otelFilelog(ctx context.Context, path string) (int, error) {
	factory := filelogreceiver.NewFactory()
	config := factory.CreateDefaultConfig()
	settings := map[string]any{
		"include":  []any{path},
		"start_at": "beginning",
		"operators": []any{
			map[string]any{"type": "filter", "expr": fmt.Sprintf("not (body contains %q)", literalText)},
		},
	}
	if err := confmap.NewFromStringMap(settings).Unmarshal(config); err != nil {
		return 0, fmt.Errorf("configure receiver: %w", err)
	}
	sink := &countingSink{done: make(chan struct{})}
	r, err := newReceiver(ctx, factory, config, sink)
	if err != nil {
		return 0, err
	}
	if err := r.Start(ctx, componenttest.NewNopHost()); err != nil {
		return 0, fmt.Errorf("start receiver: %w", err)
	}
	select {
	case <-sink.done:
	case <-ctx.Done():
	}
	if err := r.Shutdown(context.WithoutCancel(ctx)); err != nil {
		return 0, fmt.Errorf("stop receiver: %w", err)
	}
	return int(sink.lines.Load()), ctx.Err()
}

// newReceiver makes a receiver that logs nothing.
func newReceiver(ctx context.Context, factory receiver.Factory, config any, sink consumer.Logs) (receiver.Logs, error) {
	r, err := factory.CreateLogs(ctx, receivertest.NewNopSettings(factory.Type()), config, sink)
	if err != nil {
		return nil, fmt.Errorf("create receiver: %w", err)
	}
	return r, nil
}

// countingSink counts records and closes done at the sentinel.
type countingSink struct {
	lines atomic.Int64
	// done is closed by the receiver's goroutine when the last line has come.
	done chan struct{}
}

// Capabilities says that the sink changes nothing.
func (*countingSink) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

// ConsumeLogs counts the records of a batch.
func (s *countingSink) ConsumeLogs(_ context.Context, logs plog.Logs) error {
	s.lines.Add(int64(logs.LogRecordCount()))
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				if record.Body().Str() == mixedlog.Sentinel {
					close(s.done)
				}
			}
		}
	}
	return nil
}

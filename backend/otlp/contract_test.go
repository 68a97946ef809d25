package otlp

import (
	"fmt"
	"slices"
	"testing"
	"time"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/backendtest"
	"github.com/spilelog/spile/event"
)

// TestContract checks the contract of backends, log/slog's included, on what arrives at a collector.
func TestContract(t *testing.T) {
	collectors := map[spile.Backend]*collector{}
	backendtest.Run(t, backendtest.Options{
		New: func(t *testing.T) spile.Backend {
			c := &collector{}
			b := newBackend(t, c, Options{QueueSize: 1 << 20, Every: 10 * time.Millisecond})
			collectors[b] = c
			return b
		},
		Records: func(b spile.Backend) ([]event.Event, error) { return collectors[b].events() },
	})
}

// events are the records taken, as events.
func (c *collector) events() ([]event.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []event.Event
	for _, r := range c.taken {
		level, err := event.ParseLevel(r.GetSeverityText())
		if err != nil {
			return nil, err
		}
		e := event.Event{Level: level, Message: r.GetBody().GetStringValue()}
		if n := r.GetTimeUnixNano(); n > 0 {
			e.Time = time.Unix(0, int64(n))
		}
		for _, a := range r.GetAttributes() {
			if !slices.Contains([]string{keyNamespace, keyFunction, keyLine}, a.GetKey()) {
				e.Metadata = append(e.Metadata, event.Field{Key: a.GetKey(), Value: valueOf(a.GetValue())})
			}
		}
		out = append(out, e)
	}
	return out, nil
}

// valueOf is an attribute's value as an event has it.
func valueOf(v *common.AnyValue) event.Value {
	switch v := v.GetValue().(type) {
	case nil:
		return event.Nil()
	case *common.AnyValue_StringValue:
		return event.String(v.StringValue)
	case *common.AnyValue_IntValue:
		return event.Int(v.IntValue)
	case *common.AnyValue_BoolValue:
		return event.Bool(v.BoolValue)
	case *common.AnyValue_DoubleValue:
		return event.Float(v.DoubleValue)
	case *common.AnyValue_KvlistValue:
		var m event.Metadata
		for _, a := range v.KvlistValue.GetValues() {
			m = append(m, event.Field{Key: a.GetKey(), Value: valueOf(a.GetValue())})
		}
		return event.Group(&m)
	}
	return event.String(fmt.Sprint(v))
}

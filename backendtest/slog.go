package backendtest

import (
	"log/slog"
	"strings"
	"testing/slogtest"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// checkSlog runs testing/slogtest over a Handler with this one backend.
func (k *kit) checkSlog() {
	if k.o.Records == nil {
		k.Log("left out: Options.Records is nil")
		return
	}
	b := k.open(k.t)
	b.Settings().SetLevel(slog.LevelDebug)
	err := slogtest.TestHandler(spile.New(b), func() []map[string]any {
		k.flush(b)
		events, err := k.o.Records(b)
		if err != nil {
			k.Fatalf("backendtest: Options.Records: %v", err)
		}
		out := make([]map[string]any, 0, len(events))
		for i := range events {
			out = append(out, slogMap(&events[i]))
		}
		return out
	})
	if err != nil {
		k.breach("slogtest says:\n%v", err)
	}
}

// slogMap is e as slogtest looks at it.
func slogMap(e *event.Event) map[string]any {
	out := map[string]any{slog.LevelKey: slog.Level(e.Level), slog.MessageKey: e.Message}
	if !e.Time.IsZero() {
		out[slog.TimeKey] = e.Time
	}
	addFields(out, e.Metadata)
	return out
}

// addFields adds fields, those with dotted keys within groups.
func addFields(out map[string]any, m event.Metadata) {
	for i := range m {
		into, key := out, m[i].Key
		for {
			group, rest, dotted := strings.Cut(key, ".")
			if !dotted {
				break
			}
			into, key = within(into, group), rest
		}
		if m[i].Value.Kind() == event.KindGroup {
			addFields(within(into, key), m[i].Value.Fields())
			continue
		}
		into[key] = m[i].Value.Text()
	}
}

// within is the map of a group.
func within(out map[string]any, group string) map[string]any {
	if group == "" {
		return out
	}
	if m, ok := out[group].(map[string]any); ok {
		return m
	}
	m := map[string]any{}
	out[group] = m
	return m
}

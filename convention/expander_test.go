package convention

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/slogtest"

	"github.com/google/go-cmp/cmp"
)

// printed is what one call prints as JSON, without the time.
func printed(t *testing.T, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(slog.New(NewExpander(slog.NewJSONHandler(&out, nil))))
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, slog.TimeKey)
	return got
}

func TestExpander(t *testing.T) {
	acc := Acc(Accumulator{User: "alice", Server: "localhost"})
	for _, test := range []struct {
		name string
		log  func(*slog.Logger)
		want map[string]any
	}{
		{
			"of-a-call", func(l *slog.Logger) { l.Info("message_sent", acc) },
			map[string]any{"level": "INFO", "msg": "message_sent", "user": "alice", "server": "localhost"},
		},
		{
			"of-the-logger", func(l *slog.Logger) { l.With(acc).Info("message_sent") },
			map[string]any{"level": "INFO", "msg": "message_sent", "user": "alice", "server": "localhost"},
		},
		{
			"explicit-field-wins", func(l *slog.Logger) { l.Info("message_sent", User("bob"), acc) },
			map[string]any{"level": "INFO", "msg": "message_sent", "user": "bob", "server": "localhost"},
		},
		{
			"packet", func(l *slog.Logger) { l.Info("message_sent", ExmlPacket("<message/>")) },
			map[string]any{"level": "INFO", "msg": "message_sent", "packet": "<message/>"},
		},
		{
			"in-a-group-it-stays", func(l *slog.Logger) { l.WithGroup("g").Info("message_sent", ExmlPacket("<message/>")) },
			map[string]any{"level": "INFO", "msg": "message_sent", "g": map[string]any{"exml_packet": "<message/>"}},
		},
		{
			"group-without-a-name", func(l *slog.Logger) { l.WithGroup("").Info("message_sent", acc) },
			map[string]any{"level": "INFO", "msg": "message_sent", "user": "alice", "server": "localhost"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, printed(t, test.log)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExpanderIsAHandler(t *testing.T) {
	var out bytes.Buffer
	slogtest.Run(t, func(*testing.T) slog.Handler {
		out.Reset()
		return NewExpander(slog.NewJSONHandler(&out, nil))
	}, func(t *testing.T) map[string]any {
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return got
	})
}

package spile

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spilelog/spile/event"
)

// probe is a backend that keeps the JSON of what it got, with the keys of slog.
type probe struct {
	*Base
	mu    sync.Mutex
	lines []string
	// fail is what Log does after it has kept the record.
	fail func() error
}

func newProbe(name string, level slog.Leveler) *probe {
	return &probe{Base: NewBase(name, BaseOptions{Level: level})}
}

func (p *probe) Log(_ context.Context, e *event.Event) error {
	line := appendProbe(nil, e)
	p.mu.Lock()
	p.lines = append(p.lines, string(line))
	p.mu.Unlock()
	if p.fail != nil {
		return p.fail()
	}
	return nil
}

// appendProbe is the record as slog's JSON handler prints it, as far as tests look.
func appendProbe(dst []byte, e *event.Event) []byte {
	dst = append(dst, `{"level":`...)
	dst = event.AppendString(dst, slog.Level(e.Level).String())
	dst = append(dst, `,"msg":`...)
	dst = event.AppendString(dst, e.Message)
	if !e.Time.IsZero() {
		dst = append(dst, `,"time":`...)
		dst = event.AppendString(dst, e.Time.Format(time.RFC3339Nano))
	}
	dst, _ = event.AppendFields(dst, e.Metadata, true)
	return append(dst, '}')
}

// texts is what was kept; it forgets it.
func (p *probe) texts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := p.lines
	p.lines = nil
	return lines
}

// records is texts, parsed.
func (p *probe) records(t testing.TB) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, line := range p.texts() {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		out = append(out, m)
	}
	return out
}

// fields is the metadata of the one record kept, as JSON.
func (p *probe) fields(t testing.TB) string {
	t.Helper()
	lines := p.texts()
	if len(lines) != 1 {
		t.Fatalf("got %d records, want 1: %q", len(lines), lines)
	}
	_, rest, _ := strings.Cut(lines[0], `"msg":"m"`)
	if i := strings.Index(rest, `,"time":"`); i == 0 {
		rest = rest[len(`,"time":"`):]
		rest = rest[strings.IndexByte(rest, '"')+1:]
	}
	return "{" + strings.TrimPrefix(rest, ",")
}

// seen is a backend that gives each event to a function.
type seen struct {
	*Base
	look func(*event.Event)
}

func newSeen(look func(*event.Event)) *seen {
	return &seen{Base: NewBase("seen", BaseOptions{Level: event2slog(event.Trace)}), look: look}
}

func (s *seen) Log(_ context.Context, e *event.Event) error {
	s.look(e)
	return nil
}

func event2slog(l event.Level) slog.Level { return slog.Level(l) }

var errProbe = errors.New("disk on fire")

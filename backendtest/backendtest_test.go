package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// keeper is a backend that keeps the contract, with a goroutine of its own that writes.
type keeper struct {
	*spile.Base
	queue chan event.Event
	ended chan struct{}

	// mu guards closed, and that nothing is queued after it.
	mu     sync.RWMutex
	closed bool

	// wrote guards events.
	wrote  sync.Mutex
	events []event.Event
	text   []byte
}

func newKeeper() *keeper {
	k := &keeper{
		Base:  spile.NewBase("keeper", spile.BaseOptions{Formatter: &format.JSON{}}),
		queue: make(chan event.Event), ended: make(chan struct{}),
	}
	go k.write()
	return k
}

func (k *keeper) write() {
	defer close(k.ended)
	for e := range k.queue {
		k.keep(&e)
	}
}

// keep writes a record that is the keeper's own.
func (k *keeper) keep(e *event.Event) {
	k.wrote.Lock()
	defer k.wrote.Unlock()
	if f := k.Formatter(); f != nil {
		k.text = format.Append(f, k.text[:0], e)
	}
	k.events = append(k.events, *e)
}

func (k *keeper) Log(_ context.Context, e *event.Event) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.closed {
		return spile.ErrClosed
	}
	k.queue <- e.Clone()
	return nil
}

func (k *keeper) Close(context.Context) error {
	k.mu.Lock()
	if !k.closed {
		k.closed = true
		close(k.queue)
	}
	k.mu.Unlock()
	<-k.ended
	return nil
}

// Flush waits for a record that is on its way through the goroutine.
func (k *keeper) Flush(ctx context.Context) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.closed {
		return nil
	}
	select {
	case k.queue <- event.Event{Message: flushMark}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flushMark is the message that Flush sends through the queue.
const flushMark = "flush"

// kept reads back what a keeper wrote.
func kept(b spile.Backend) ([]event.Event, error) {
	k := keeperOf(b)
	k.wrote.Lock()
	defer k.wrote.Unlock()
	var out []event.Event
	for i := range k.events {
		if k.events[i].Message != flushMark {
			out = append(out, k.events[i])
		}
	}
	return out, nil
}

// keeperOf is the keeper within a backend.
func keeperOf(b spile.Backend) *keeper {
	if k, ok := b.(*keeper); ok {
		return k
	}
	return b.(interface{ inner() *keeper }).inner()
}

func (k *keeper) inner() *keeper { return k }

func TestGoodBackends(t *testing.T) {
	tests := []struct {
		name    string
		options Options
	}{
		{"keeper", Options{New: func(*testing.T) spile.Backend { return newKeeper() }, Records: kept}},
		{"memory", Options{
			New: func(*testing.T) spile.Backend { return spile.NewMemory(spile.MemoryOptions{}) },
			Records: func(b spile.Backend) ([]event.Event, error) {
				return b.(*spile.Memory).Events(), nil
			},
		}},
		{"writer", Options{New: func(*testing.T) spile.Backend {
			return spile.NewWriter(spile.WriterOptions{Writer: io.Discard, BufferSize: 4096})
		}}},
		{"null", Options{New: func(*testing.T) spile.Backend { return spile.NewNull() }, Endless: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { Run(t, tt.options) })
	}
}

// witness takes what the kit would report.
type witness struct {
	testing.TB
	mu    sync.Mutex
	texts []string
}

func (w *witness) Errorf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, fmt.Sprintf(format, args...))
}

func (w *witness) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	w.FailNow()
}

// FailNow ends the goroutine, as that of a test does.
func (w *witness) FailNow() { panic(errStopped) }

var errStopped = errors.New("the check has stopped")

// witnessed runs one rule and returns what it reports.
func witnessed(t *testing.T, o Options, name string, patience time.Duration) []string {
	t.Helper()
	w := &witness{TB: t}
	for _, r := range rules() {
		if r.name != name {
			continue
		}
		func() {
			defer func() {
				p := recover()
				if err, ok := p.(error); p != nil && (!ok || !errors.Is(err, errStopped)) {
					panic(p)
				}
			}()
			r.check(&kit{TB: w, t: t, o: o, rule: r, patience: patience})
		}()
		return w.texts
	}
	t.Fatalf("there is no rule %q", name)
	return nil
}

func TestBrokenBackends(t *testing.T) {
	for _, tt := range brokenBackends() {
		t.Run(tt.rule+"/"+tt.name, func(t *testing.T) {
			patience := 5 * time.Second
			if tt.stuck {
				patience = 50 * time.Millisecond
			}
			var texts []string
			// The backend ends with this subtest, while the witness still listens.
			t.Run("check", func(t *testing.T) {
				o := Options{New: tt.open, Records: kept, Endless: tt.endless}
				if tt.records != nil {
					o.Records = tt.records
				}
				texts = witnessed(t, o, tt.rule, patience)
			})
			all := strings.Join(texts, "\n")
			if !strings.Contains(all, tt.rule+": ") || !strings.Contains(all, tt.want) {
				t.Errorf("the kit says:\n%s\nwant the rule %s and: %s", all, tt.rule, tt.want)
			}
		})
	}
}

// TestEveryRuleBites wants a broken backend for every rule.
func TestEveryRuleBites(t *testing.T) {
	broken := map[string]bool{}
	for _, tt := range brokenBackends() {
		broken[tt.rule] = true
	}
	for _, r := range rules() {
		if !broken[r.name] {
			t.Errorf("no backend breaks the rule %s", r.name)
		}
	}
}

func TestRunsEveryRule(t *testing.T) {
	opened := 0
	Run(t, Options{Endless: true, New: func(*testing.T) spile.Backend { opened++; return spile.NewNull() }})
	if want := len(rules()) - 1; opened < want { // The one of slog needs Records.
		t.Errorf("opened %d backends, want one for each of %d rules", opened, want)
	}
}

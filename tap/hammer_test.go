package tap

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// TestHammer does everything at once; the race detector and the leak check are the judges, and the levels in the end.
func TestHammer(t *testing.T) {
	outside := &slog.LevelVar{}
	leaser := NewLeaser(LevelVar(outside))
	r := newRig(t, Options{
		Metadata: []string{"uuid", "line"}, Buffer: minBuffer, History: History{Bytes: 100_000, Level: slog.LevelError},
		Lower: []*Leaser{leaser},
	})
	const rounds = 100
	var wg sync.WaitGroup
	each := func(n int, do func(i int)) {
		for range n {
			wg.Go(func() {
				for i := range rounds {
					do(i)
				}
			})
		}
	}
	each(3, func(i int) {
		l := r.logger.With("uuid", i%3).WithGroup("g").With("i", i)
		for range 20 {
			l.Debug("detail", "text", strings.Repeat("x", i))
			l.Error("trouble", "lazy", spile.Lazy(func() slog.Value { return slog.IntValue(i) }))
		}
	})
	targets := []string{
		"/?format=json", "/?format=html&level=info", "/?format=text&scope=uuid:1", "/?format=sse&pattern=trouble",
		"/?format=json&since=1m", "/?level=trace&scope=uuid:2&scope=level:error",
	}
	each(3, func(i int) { r.watchAt(t, targets[i%len(targets)]).leave() })
	each(1, func(i int) {
		v := r.watchAt(t, targets[i%len(targets)])
		release := v.stall()
		for range 50 {
			r.logger.Error("flood")
		}
		release()
		v.leave()
	})
	each(1, func(i int) {
		r.console.SetLevel(slog.Level(event.LevelAt(i % event.NumLevels)))
		if err := r.console.Bind("github.com/**", slog.LevelWarn); err != nil {
			t.Error(err)
		}
		r.console.Unbind("github.com/**")
		leaser.SetLevel(slog.Level(event.LevelAt(i % event.NumLevels)))
	})
	each(1, func(int) {
		tp, err := Handler(r.handler, Options{})
		if err != nil {
			t.Error(err)
			return
		}
		w := httptest.NewRecorder()
		done := make(chan struct{})
		go func() {
			defer close(done)
			tp.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		}()
		if err := tp.Close(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	})
	wg.Wait()
	r.console.SetLevel(slog.LevelWarn)
	leaser.SetLevel(slog.LevelWarn)
	if r.tap.Streams() != 0 || r.tap.sink.Level() != slog.LevelError || r.lowest() != slog.LevelWarn ||
		outside.Level() != slog.LevelWarn {
		t.Errorf("%d streams, tap %v, threshold %v, outside %v", r.tap.Streams(), r.tap.sink.Level(), r.lowest(), outside.Level())
	}
}

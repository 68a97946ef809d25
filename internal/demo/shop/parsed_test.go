package shop

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/parse"
)

// TestAgentUnderstandsTheShop holds what the demonstration shows: every line is taken for what it is.
func TestAgentUnderstandsTheShop(t *testing.T) {
	dir := t.TempDir()
	s := newShop(t, Config{Dir: dir, MaxBytes: 1 << 20, Seed: 11})
	now := time.Now().Truncate(time.Second)
	for range 1000 {
		if err := s.Visit(context.Background(), now); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		path   string
		format parse.Format
		// needs is a member that every line has.
		needs string
	}{
		{"nginx/access.log", parse.Access, "status"},
		{"nginx/error.log", parse.NginxError, "client"},
		{"orders/orders.log", parse.JSON, "request_id"},
		{"worker/worker.log", parse.Logfmt, "queue"},
	} {
		t.Run(filepath.Base(test.path), func(t *testing.T) {
			var p parse.Parser
			levels := event.LevelSet(0)
			for _, line := range readLines(t, filepath.Join(dir, filepath.FromSlash(test.path))) {
				text := string(line)
				if got := parse.Detect(text); got != test.format {
					t.Fatalf("%q is taken for %s, want %s", text, got, test.format)
				}
				var e event.Event
				p.Parse(text, now.Add(time.Hour), &e)
				levels |= event.SetOf(e.Level)
				if _, ok := e.Metadata.Get(test.needs); !ok || e.Message == "" {
					t.Errorf("%q became %+v, want a message and %q", text, e, test.needs)
				}
				if e.Time.Sub(now).Abs() > time.Minute {
					t.Errorf("%q has the time %v, want about %v", text, e.Time, now)
				}
			}
			if test.format != parse.Access && levels.Len() < 2 {
				t.Errorf("all lines have the same level: %v", levels.Levels())
			}
		})
	}
}

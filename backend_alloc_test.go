//go:build !race

package spile

import (
	"context"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/spilelog/spile/event"
)

// TestBackendsAllocateNothing logs with memory that is already there.
func TestBackendsAllocateNothing(t *testing.T) {
	file, err := OpenFile(FileOptions{Path: filepath.Join(t.TempDir(), "app.log"), MaxSize: 1 << 30, MaxAge: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close(context.Background())
	backends := map[string]Backend{
		"console":         NewConsole(ConsoleOptions{Writer: io.Discard}),
		"writer":          NewWriter(WriterOptions{Writer: io.Discard}),
		"writer-buffered": NewWriter(WriterOptions{Writer: io.Discard, BufferSize: 4096}),
		"file":            file,
		"null":            NewNull(),
	}
	e := &event.Event{Time: time.Now(), Message: "hello", Metadata: event.Metadata{
		{Key: "a", Value: event.String("b")}, {Key: "n", Value: event.Int(1)},
	}}
	for name, b := range backends {
		t.Run(name, func(t *testing.T) {
			log := func() {
				if err := b.Log(context.Background(), e); err != nil {
					t.Fatal(err)
				}
			}
			for range 2000 { // Fills the buffer and writes it, more than once.
				log()
			}
			if got := testing.AllocsPerRun(1000, log); got > 0 {
				t.Errorf("%v allocations, want none", got)
			}
			e.Level = event.Error
			defer func() { e.Level = event.Info }()
			if got := testing.AllocsPerRun(100, log); got > 0 {
				t.Errorf("%v allocations at error, want none", got)
			}
			if err := b.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

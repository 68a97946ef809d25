package agent

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/spilelog/spile/agent/source"
	"github.com/spilelog/spile/wire"
)

// sink takes what a session sends.
type sink struct{}

func (sink) Send([]byte) bool                 { return true }
func (sink) SendJSON(wire.LinkKind, any) bool { return true }

// loop is a source and a reader that gives the same block again and again, as if a file went on so.
type loop struct {
	source.Source // what a session does not use
	block         source.Block
}

func (l *loop) Open(context.Context, source.Start) (source.Reader, error) { return l, nil }
func (l *loop) ReadRange(source.Position, int64, int64) ([]byte, error)   { return nil, source.ErrGone }
func (l *loop) Ready() <-chan struct{}                                    { return nil }
func (l *loop) Positions() iter.Seq[source.Position]                      { return func(func(source.Position) bool) {} }
func (l *loop) Backlog() int64                                            { return 0 }
func (l *loop) HistoryDone() bool                                         { return true }
func (l *loop) SkipToEnd() []source.Block                                 { return nil }
func (l *loop) Close() error                                              { return nil }

func (l *loop) Next() (*source.Block, error) {
	l.block.From = l.block.To
	l.block.To += int64(len(l.block.Data))
	l.block.At.Offset = l.block.From
	return &l.block, nil
}

// BenchmarkContext reads blocks of which one line of a thousand matches, with lines around it and without. The third
// is what the frames cost: as many lines match as the first one sends.
func BenchmarkContext(b *testing.B) {
	tests := []struct {
		name    string
		context wire.Context
		every   int // so many lines, one that matches
		run     int // how many lines one after another match
		size    int // of a block
	}{
		{"around", wire.Context{Before: 5, After: 5}, 1000, 1, 1 << 20},
		{"none", wire.Context{}, 1000, 1, 1 << 20},
		{"none-as-many", wire.Context{}, 1000, 11, 1 << 20},
		{"around-small-blocks", wire.Context{Before: 5, After: 5}, 1000, 1, 4 << 10},
		{"none-small-blocks", wire.Context{}, 1000, 1, 4 << 10},
		{"around-small-no-match", wire.Context{Before: 5, After: 5}, 1 << 30, 1, 4 << 10},
		{"none-small-no-match", wire.Context{}, 1 << 30, 1, 4 << 10},
		{"around-no-match", wire.Context{Before: 5, After: 5}, 1 << 30, 1, 1 << 20},
		{"none-no-match", wire.Context{}, 1 << 30, 1, 1 << 20},
	}
	for _, test := range tests {
		b.Run(test.name, func(b *testing.B) {
			var data bytes.Buffer
			for n := 0; data.Len() < 1<<20; n++ {
				word := "user"
				if n%test.every < test.run && n > 0 {
					word = "needle"
				}
				fmt.Fprintf(&data, "2026-01-02T03:04:05.678Z level=info msg=\"request done\" %s=%d path=/v1/orders status=200\n", word, n)
			}
			dir := b.TempDir()
			if err := os.Mkdir(filepath.Join(dir, sessionFolder), 0o700); err != nil {
				b.Fatal(err)
			}
			enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
			if err != nil {
				b.Fatal(err)
			}
			blocks := bytes.SplitAfter(data.Bytes(), []byte("\n"))
			var parts [][]byte
			for from, at, n := 0, 0, 0; n < len(blocks); n++ {
				if at += len(blocks[n]); at-from >= test.size || n == len(blocks)-1 {
					parts = append(parts, data.Bytes()[from:at])
					from = at
				}
			}
			files := &loop{block: source.Block{Source: "app", Path: "/log", Place: 1, At: source.Position{Path: "/log", PrintLen: 1}}}
			a := &Agent{
				cfg:  Config{Data: dir, MaxSession: wire.MaxTimeout, Log: slog.New(slog.DiscardHandler)},
				host: "host", files: files, encoder: enc, trouble: newTrouble(),
			}
			s, err := a.openSession(b.Context(), wire.DesiredSession{
				ID: "sess_a", RemainingMS: 3_600_000, Context: test.context, Mode: wire.ModeComplete,
				Filters: wire.Filters{Pattern: "needle=", Level: wire.Strings{"INFO"}},
			}, "agent")
			if err != nil {
				b.Fatal(err)
			}
			s.link, s.log = sink{}, a.cfg.Log
			b.SetBytes(int64(data.Len()))
			b.ReportAllocs()
			for b.Loop() {
				for _, part := range parts {
					files.block.Data = part
					s.out.Ack(wire.Ack{Epoch: 1, Item: s.out.Open(0).NextItem + 1<<20, Credit: 1 << 40, Attached: true})
					if !s.step() {
						b.Fatal("the session waits")
					}
				}
			}
		})
	}
}

package file

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/spilelog/spile/agent/source"
)

// BenchmarkNext reads a cached file from its beginning to its end.
func BenchmarkNext(b *testing.B) {
	r := newRig(b)
	text := numbered(0, 2_000_000)
	if err := os.WriteFile(r.path("app.log"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		rd := r.open(source.Start{Resume: []source.Position{}})
		n := 0
		for n < len(text) {
			block, err := rd.Next()
			if errors.Is(err, source.ErrDry) {
				b.Fatalf("dry after %d of %d bytes", n, len(text))
			}
			n += len(block.Data)
		}
		_ = rd.Close()
	}
}

// BenchmarkIdle tells what a poll of a thousand quiet files costs, and what they hold.
func BenchmarkIdle(b *testing.B) {
	r := newRig(b)
	for i := range 1000 {
		r.write(fmt.Sprintf("app%d.log", i), numbered(0, 100))
	}
	rd := r.open(source.Start{})
	b.ReportAllocs()
	for b.Loop() {
		r.set.scan()
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/1024, "heap-KiB")
	_ = rd.Close()
}

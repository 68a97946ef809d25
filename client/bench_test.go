package client_test

import (
	"testing"

	"github.com/spilelog/spile/client"
)

// BenchmarkNext measures reading batches of a hundred events from a loopback socket.
func BenchmarkNext(b *testing.B) {
	f := &fake{t: b, batch: 100}
	for i := range 100_000 {
		f.frames = append(f.frames, logFrame(1, uint64(i+1)))
	}
	c := f.serve()
	b.SetBytes(int64(len(f.frames[0])))
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; {
		s, err := c.Stream(b.Context(), "sess_x", client.StreamOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < len(f.frames) && done < b.N; i++ {
			if _, err := s.Next(b.Context()); err != nil {
				b.Fatal(err)
			}
			done++
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

package tap

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// reader is a stream of the model, with what it has seen.
type reader struct {
	s       *stream
	b       batch
	holding bool
	// next is the number that must come next.
	next uint64
}

// finish checks the batch that r holds and gives it back.
func (r *reader) finish(t *rapid.T, tp *tape) {
	if !r.holding {
		return
	}
	for _, p := range r.b.pieces {
		r.next += p.missing
		lines := bytes.SplitAfter(p.data, []byte("\n"))
		if n := len(lines) - 1; uint64(n) != p.count {
			t.Fatalf("a piece of %d has %d lines", p.count, n)
		}
		for _, line := range lines[:len(lines)-1] {
			head, rest, _ := bytes.Cut(line, []byte(":"))
			size, _ := strconv.Atoi(string(head))
			if want := fmt.Sprintf("%s%d}\n", bytes.Repeat([]byte{'x'}, size), r.next); string(rest) != want {
				t.Fatalf("number %d is %q", r.next, line)
			}
			r.next++
		}
	}
	r.next += r.b.behind
	tp.giveBack(&r.b)
	r.holding = false
}

// TestTapeAgainstModel lets readers come, read, hold what they read, and leave, while events are put: each sees every
// number once, in order and unharmed, or as missing; and the tape keeps to its limit.
func TestTapeAgainstModel(t *testing.T) {
	owner := &Tap{o: Options{Buffer: minBuffer}}
	rapid.Check(t, func(t *rapid.T) {
		tp := owner.newTape(&ask{encoding: encodingJSON}, rapid.Uint64Range(0, 5).Draw(t, "taken"))
		taken := tp.taken
		var readers []*reader
		pick := func() *reader { return readers[rapid.IntRange(0, len(readers)-1).Draw(t, "reader")] }
		t.Repeat(map[string]func(*rapid.T){
			"join": func(*rapid.T) {
				s := newStream(tp)
				if s.origin != taken+1 {
					t.Fatalf("joined at %d, want %d", s.origin, taken+1)
				}
				readers = append(readers, &reader{s: s, next: taken + 1})
			},
			"put": func(*rapid.T) {
				for range rapid.IntRange(1, 40).Draw(t, "n") {
					size := rapid.SampledFrom([]int{0, 10, 300, 1100, minBuffer - 40, minBuffer}).Draw(t, "size")
					taken++
					tp.put(fmt.Appendf(nil, "%d:%s", size, bytes.Repeat([]byte{'x'}, size)))
				}
			},
			"take": func(*rapid.T) {
				if len(readers) == 0 {
					return
				}
				r := pick()
				r.finish(t, tp)
				r.b, r.holding = tp.take(r.s), true
			},
			"finish": func(*rapid.T) {
				if len(readers) == 0 {
					return
				}
				r := pick()
				had := r.holding
				r.finish(t, tp)
				if had && r.next > taken+1 {
					t.Fatalf("read up to %d of %d", r.next-1, taken)
				}
			},
			"leave": func(*rapid.T) {
				if len(readers) == 0 {
					return
				}
				r := pick()
				r.finish(t, tp)
				tp.leave(r.s)
				for i := range readers {
					if readers[i] == r {
						readers = append(readers[:i], readers[i+1:]...)
						break
					}
				}
			},
			"": func(*rapid.T) {
				if tp.bytes > tp.limit || tp.taken != taken {
					t.Fatalf("%d bytes of %d, %d events of %d", tp.bytes, tp.limit, tp.taken, taken)
				}
			},
		})
		for _, r := range readers {
			r.finish(t, tp)
			r.b, r.holding = tp.take(r.s), true
			r.finish(t, tp)
			if r.next != taken+1 {
				t.Fatalf("ended before %d, want %d", r.next, taken+1)
			}
			tp.leave(r.s)
		}
		if len(readers) > 0 && (len(tp.chunks) != 0 || tp.bytes != 0) {
			t.Fatalf("%d chunks, %d bytes are left", len(tp.chunks), tp.bytes)
		}
	})
}

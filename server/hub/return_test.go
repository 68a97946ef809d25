package hub

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/internal/fabric"
	"github.com/spilelog/spile/wire"
)

const testAgent = "00000000-0000-4000-8000-00000000000a"

// messagesOf takes a stream of frames apart, each of which is a whole message.
func messagesOf(t *testing.T, stream []byte) [][]byte {
	t.Helper()
	var out [][]byte
	for len(stream) > 0 {
		size, head := int(stream[1]), 2
		switch size {
		case 126:
			size, head = int(binary.BigEndian.Uint16(stream[2:])), 4
		case 127:
			size, head = int(binary.BigEndian.Uint64(stream[2:])), 10
		}
		if first := stream[0]; first != 0x81 && string(stream[:2]) != emptyPing || len(stream) < head+size {
			t.Fatalf("frame %x of %d bytes in %d", stream[:head], size, len(stream))
		}
		if stream[0] == 0x81 {
			out = append(out, stream[head:head+size])
		}
		stream = stream[head+size:]
	}
	return out
}

// TestStandingViewerGivesBack lets a viewer over WebSocket stand still at random, while more comes than the ring holds,
// and go on. It must be told each number once, and must hold little while it stands.
func TestStandingViewerGivesBack(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { standAndGoOn(t, rand.New(rand.NewPCG(seed, 0)), seed%2 == 0) })
		})
	}
}

func standAndGoOn(t *testing.T, random *rand.Rand, batch bool) {
	fab := fabric.NewMemory()
	h := New(Options{Fabric: fab, RingBytes: 256 << 10})
	err := h.Open(Session{ID: "sess_test", Agents: []wire.AgentRef{{ID: testAgent}}, ExpiresAt: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s := h.find("sess_test")
	s.takeReport(0, &wire.Report{State: wire.ReportOpen, Epoch: 1, NextItem: 1, NextSeq: 1})
	near, far := net.Pipe()
	out := &socketOutput{batch: batch, paced: &pacedConn{Conn: near, buffers: &h.buffers}}
	v, refusal := s.attach(View{FromStart: true, AllEvents: true, Batch: batch}, out)
	if refusal != nil {
		t.Fatal(refusal)
	}
	out.paced.stalled = v.detach
	out.paced.standing = func(written int, waiting []int) int { return out.standing(v, written, waiting) }
	ctx, cancel := context.WithCancel(t.Context())
	go v.run(ctx)
	var stream bytes.Buffer
	last := feed(t, v, far, random, &stream)
	// What is left is read to its end.
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = stream.ReadFrom(far)
	}()
	synctest.Wait()
	<-time.After(progressTick)
	synctest.Wait()
	account := v.accounts().Viewer[testAgent]
	cursor := v.cursor()
	cancel()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	_, _ = near.Close(), far.Close()
	<-done
	_ = fab.Close()
	next, delivered, gapped := uint64(1), uint64(0), uint64(0)
	for _, message := range messagesOf(t, stream.Bytes()) {
		for line := range strings.Lines(string(message)) {
			var f struct {
				wire.Control
				Seq uint64 `json:"seq"`
			}
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			from, to := f.Seq, f.Seq
			switch {
			case f.Type == "log":
				delivered++
			case f.Event == wire.EventGap:
				from, to, gapped = f.From, f.To, gapped+f.Count
			default:
				continue
			}
			if from != next {
				t.Fatalf("%d to %d comes, want %d", from, to, next)
			}
			next = to + 1
		}
	}
	want := wire.ViewerAccounts{Offered: last, Delivered: delivered, Gapped: gapped}
	if next != last+1 || account != want || len(cursor) != 1 || cursor[0].Seq != last {
		t.Errorf("came up to %d of %d with %+v, want %+v; cursor %+v", next-1, last, account, want, cursor)
	}
}

// heldBy is how much of the ring's bytes a viewer holds.
func heldBy(v *viewer) (n int) {
	for i := range v.pieces {
		n += len(v.pieces[i].data)
	}
	for _, part := range v.out.(*socketOutput).parts {
		n += len(part)
	}
	return n
}

// putBatch lets a batch of so many events come, each with a text of some length.
func putBatch(t *testing.T, s *session, count uint64, length func() int) {
	t.Helper()
	a := s.agents[0]
	s.mu.Lock()
	b := &wire.Batch{Epoch: 1, Item: a.nextItem, First: a.nextSeq, Count: count}
	s.mu.Unlock()
	var frames []byte
	for seq := b.First; seq < b.First+b.Count; seq++ {
		frames = fmt.Appendf(frames, `{"type":"log","message":"%s","agent":"%s","epoch":1,"seq":%d}`+"\n",
			strings.Repeat("x", length()), testAgent, seq)
	}
	parts, err := checkFrames(frames, testAgent, b)
	if err != nil {
		t.Fatal(err)
	}
	var entries []*entry
	first := b.First
	for _, p := range parts {
		entries = append(entries, &entry{kind: entryFrames, epoch: 1, first: first, count: p.count, data: frames[:p.size]})
		first, frames = first+p.count, frames[p.size:]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acceptLocked(a, b.Item, entries...)
}

// feed lets batches come while a viewer reads at times. It returns the last number.
func feed(t *testing.T, v *viewer, far net.Conn, random *rand.Rand, stream *bytes.Buffer) uint64 {
	t.Helper()
	s := v.session
	a := s.agents[0]
	var stood time.Duration
	for range 40 {
		putBatch(t, s, 1+random.Uint64N(400), func() int { return random.IntN(300) })
		// Who stands still for too long is ended, which is not what this is about.
		if stood > wire.SlowViewer/2 || random.IntN(2) == 0 {
			stood = 0
			chunk := make([]byte, 1+random.IntN(100_000))
			_ = far.SetReadDeadline(time.Now().Add(time.Millisecond))
			for len(chunk) > 0 {
				n, err := far.Read(chunk)
				stream.Write(chunk[:n])
				chunk = chunk[n:]
				if err != nil {
					break
				}
			}
			_ = far.SetReadDeadline(time.Time{})
		} else {
			pause := time.Duration(random.Int64N(int64(5 * time.Second)))
			stood += pause
			<-time.After(pause)
			synctest.Wait()
			if held := heldBy(v); pause > 2*progressTick && held > 2*entryBytes {
				t.Fatalf("%d bytes held by a viewer that stands still", held)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.nextSeq - 1
}

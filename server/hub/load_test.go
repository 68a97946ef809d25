package hub_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/spilelog/spile/server/hub"
	"github.com/spilelog/spile/wire"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// handshake opens a WebSocket by hand and never reads: the client costs nothing, so that the figure is the server's.
func handshake(tb testing.TB, addr string) net.Conn {
	tb.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	if err := conn.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		tb.Fatal(err)
	}
	_, err = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: "+addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		tb.Fatal(err)
	}
	return conn
}

// inUse is the memory of heap and stacks after a collection.
func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// TestStalledViewersCostLittle connects 1,000 viewers that read nothing, idle first, then in a flood.
func TestStalledViewersCostLittle(t *testing.T) {
	const viewers, idleLimit, stalledLimit = 1000, 48 << 10, 64 << 20
	h, fab := newHub(t, nil)
	a := newFakeAgent(t, fab, agentID)
	a.report(wire.ReportOpen, nil)
	server := serve(t, h, hub.View{Batch: true})
	addr := strings.TrimPrefix(server.URL, "http://")
	before := inUse()
	conns := make([]net.Conn, 0, viewers)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	for range viewers {
		conns = append(conns, handshake(t, addr))
	}
	deadline := time.Now().Add(10 * time.Second)
	for h.Viewers(sessionID) < viewers && time.Now().Before(deadline) {
		<-time.After(10 * time.Millisecond)
	}
	idle := (inUse() - before) / viewers
	t.Logf("%d bytes for an idle viewer", idle)
	if idle > idleLimit {
		t.Errorf("an idle viewer costs %d bytes, want at most %d", idle, idleLimit)
	}
	reader := watch(h, hub.View{})
	a.pad = strings.Repeat("x", 200)
	for range 1500 {
		a.send(a.batch(170))
		if a.item%8 == 0 {
			last := a.item - 1
			a.await(func(ack wire.Ack) bool { return ack.Item >= last })
		}
		clear(a.sent)
	}
	reader.leave()
	<-reader.done
	reader.gate.set(func() { reader.gate.body.Reset() })
	reader = nil
	stalled := int64(inUse()) - int64(before)
	t.Logf("%d bytes for %d stalled viewers and the ring", stalled, viewers)
	if stalled > stalledLimit+wire.RingBytes {
		t.Errorf("%d bytes, want at most %d", stalled, stalledLimit+wire.RingBytes)
	}
}

// TestHammer lets viewers of all kinds come and go while two agents send and somebody asks.
func TestHammer(t *testing.T) {
	h, fab := newHub(t, func(s *hub.Session) {
		s.Agents = append(s.Agents, wire.AgentRef{ID: otherID})
	})
	server := serve(t, h, hub.View{AllEvents: true})
	var group, senders sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	for _, id := range []string{agentID, otherID} {
		a := newFakeAgent(t, fab, id)
		a.report(wire.ReportOpen, nil)
		senders.Go(func() {
			for range 500 {
				a.send(a.batch(20))
				a.send(a.gap(1))
			}
		})
	}
	for i := range 6 {
		path := []string{"/ws", "/sse", "/nd"}[i%3]
		group.Go(func() {
			for ctx.Err() == nil {
				once(t, server, path)
			}
		})
	}
	group.Go(func() {
		for ctx.Err() == nil {
			h.Extend(sessionID, time.Now().Add(time.Hour))
			_, _ = h.Accounts(sessionID), h.Viewers(sessionID)
			runtime.Gosched()
		}
	})
	senders.Wait()
	stop()
	group.Wait()
	h.End(context.Background(), sessionID, wire.EndStopped)
	h.End(context.Background(), sessionID, wire.EndStopped)
}

// once is one short visit.
func once(t *testing.T, server *httptest.Server, path string) {
	if path == "/ws" {
		conn, _, err := websocket.Dial(context.Background(), strings.Replace(server.URL, "http", "ws", 1)+path, nil)
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		_, _, _ = conn.Read(context.Background())
		_ = conn.CloseNow()
		return
	}
	resp, err := http.Get(server.URL + path)
	if err != nil {
		t.Errorf("get: %v", err)
		return
	}
	_, _ = io.ReadFull(resp.Body, make([]byte, 100))
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
}

// BenchmarkDeliveries counts events written to batched viewers over loopback.
func BenchmarkDeliveries(b *testing.B) {
	for _, viewers := range []int{1, 100} {
		b.Run(fmt.Sprintf("viewers-%d", viewers), func(b *testing.B) {
			h, fab := newHub(b, nil)
			a := newFakeAgent(b, fab, agentID)
			a.report(wire.ReportOpen, nil)
			server := serve(b, h, hub.View{Batch: true})
			var group sync.WaitGroup
			for range viewers {
				conn := handshake(b, strings.TrimPrefix(server.URL, "http://"))
				_ = conn.(*net.TCPConn).SetReadBuffer(1 << 20)
				group.Go(func() { _, _ = io.Copy(io.Discard, conn) })
			}
			a.await(func(ack wire.Ack) bool { return ack.Attached })
			const frames = 300
			b.ResetTimer()
			sent := 0
			for b.Loop() {
				a.send(a.batch(frames))
				sent += frames
				last := a.item - 8
				if a.item > 8 {
					a.await(func(ack wire.Ack) bool { return ack.Item >= last })
				}
				delete(a.sent, last)
			}
			b.ReportMetric(float64(sent*viewers)/b.Elapsed().Seconds(), "deliveries/s")
			b.StopTimer()
			h.End(context.Background(), sessionID, wire.EndStopped)
			group.Wait()
		})
	}
}

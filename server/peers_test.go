package server

import (
	"net"
	"testing"
	"time"
)

func TestPeerIsGone(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(int64(1000+seconds), 0) }
	type look struct {
		at      int
		unacked bool
		acked   uint64
		silence int
		gone    bool
	}
	for _, test := range []struct {
		name  string
		looks []look
	}{
		{"nothing-is-sent", []look{{0, false, 0, 0, false}, {100, false, 0, 0, false}}},
		{"all-is-acknowledged", []look{{0, false, 10, 0, false}, {20, false, 20, 0, false}, {40, false, 20, 0, false}}},
		{"is-slow", []look{{0, true, 1, 9, false}, {8, true, 2, 9, false}, {16, true, 3, 9, false}, {24, true, 4, 9, false}}},
		{"is-gone", []look{{0, true, 5, 0, false}, {8, true, 5, 6, false}, {10, true, 5, 6, true}}},
		{"has-no-room-and-says-so", []look{{0, true, 5, 0, false}, {10, true, 5, -1, false}, {25, true, 5, -1, false}}},
		{"was-silent-before", []look{{0, false, 5, -9, false}, {600, true, 5, 600, false}, {603, false, 6, 0, false}}},
		{"comes-back", []look{{0, true, 5, 0, false}, {9, false, 9, 0, false}, {20, true, 9, 9, false}, {29, true, 9, 9, false}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var one peer
			for _, l := range test.looks {
				if gone := one.gone(at(l.at), dues{l.unacked, l.acked, time.Duration(l.silence) * time.Second}); gone != l.gone {
					t.Errorf("after %d s: gone %v, want %v", l.at, gone, l.gone)
				}
			}
		})
	}
}

func TestPeersForgetsWhatIsClosed(t *testing.T) {
	listener, err := listenConfig().Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	watched := watchPeers(listener)
	defer watched.Close()
	var dialer net.Dialer
	there, err := dialer.DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	here, err := watched.Accept()
	if err != nil {
		t.Fatal(err)
	}
	watched.sweep(time.Now())
	if len(watched.conns) != 1 {
		t.Fatalf("%d connections are known, want the open one", len(watched.conns))
	}
	if err := here.Close(); err != nil {
		t.Fatal(err)
	}
	if watched.sweep(time.Now()); len(watched.conns) != 0 {
		t.Errorf("%d connections are known, want none", len(watched.conns))
	}
}

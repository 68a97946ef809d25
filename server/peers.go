package server

import (
	"context"
	"net"
	"sync"
	"time"
)

// A peer whose machine or network is gone says no goodbye. Nothing but TCP can find that out about a viewer over plain
// HTTP, who sends nothing: where nothing is being sent, the kernel's probes do; where something is, peers sees that it
// stays unacknowledged. A peer that is there and does not read acknowledges and is left to its own limit.
const (
	// probeIdle, probeInterval and probeCount are the kernel's probes of a silent connection.
	probeIdle     = 15 * time.Second
	probeInterval = 4 * time.Second
	probeCount    = 3
	// unackedLimit is how long what was sent may be without any acknowledgement, sweepPeers how often that is looked at.
	unackedLimit = 10 * time.Second
	sweepPeers   = 2 * time.Second
	// unanswered is how long a peer that is gone has answered nothing although things were sent to it again. One that
	// is there and has no room for them answers each time, and still acknowledges nothing new.
	unanswered = 3 * time.Second
	// maxUnsent bounds what the kernel holds for a connection beside what is on its way: without it a viewer that
	// reads nothing is filled with megabytes, which nobody reads and everybody waits for.
	maxUnsent = 64 << 10
)

// dues is what a connection's other side owes.
type dues struct {
	// unacked says that something that was sent is not acknowledged, acked how many bytes ever were.
	unacked bool
	acked   uint64
	// silence is the time from its last answer to what was sent last.
	silence time.Duration
}

// listenConfig says how connections are taken.
func listenConfig() *net.ListenConfig {
	return &net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: probeIdle, Interval: probeInterval, Count: probeCount,
	}}
}

// peers is a listener that closes the connections whose other side is gone.
type peers struct {
	net.Listener

	// mu guards conns and what is in it.
	mu    sync.Mutex
	conns map[*net.TCPConn]*peer
}

// peer is what is known of the other side of a connection.
type peer struct {
	// acked is how much it had acknowledged when something was first seen to be outstanding, at since; a zero since
	// says that nothing is.
	acked uint64
	since time.Time
}

// watchPeers makes a listener that knows its connections. Nothing is looked at until run.
func watchPeers(l net.Listener) *peers {
	return &peers{Listener: l, conns: map[*net.TCPConn]*peer{}}
}

// Accept implements [net.Listener].
func (p *peers) Accept() (net.Conn, error) {
	conn, err := p.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok && err == nil {
		limitUnsent(tcp)
		p.mu.Lock()
		p.conns[tcp] = &peer{}
		p.mu.Unlock()
	}
	return conn, err
}

// run closes connections whose other side is gone until ctx ends.
func (p *peers) run(ctx context.Context) error {
	tick := time.NewTicker(sweepPeers)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			p.sweep(now)
		}
	}
}

// sweep looks at every connection once, and forgets those that are closed.
func (p *peers) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for conn, one := range p.conns {
		owed, err := outstanding(conn)
		if err == nil && !one.gone(now, owed) {
			continue
		}
		if err == nil {
			// Whoever reads or writes there learns of it.
			_ = conn.Close()
		}
		delete(p.conns, conn)
	}
}

// gone notes what is outstanding now and says whether that has been without any acknowledgement for too long.
func (o *peer) gone(now time.Time, owed dues) bool {
	switch {
	case !owed.unacked:
		o.since = time.Time{}
	case o.since.IsZero() || owed.acked != o.acked:
		o.since, o.acked = now, owed.acked
	}
	return owed.unacked && now.Sub(o.since) >= unackedLimit && owed.silence >= unanswered
}

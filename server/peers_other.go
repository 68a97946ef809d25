//go:build !linux

package server

import "net"

// outstanding says nothing of what is outstanding: a connection whose other side is gone is found where nothing was
// sent to it, by the probes. An error says that the connection is closed.
func outstanding(conn *net.TCPConn) (dues, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return dues{}, err
	}
	return dues{}, raw.Control(func(uintptr) {})
}

// limitUnsent does nothing: what the kernel holds for a connection has the kernel's own bound.
func limitUnsent(*net.TCPConn) {}

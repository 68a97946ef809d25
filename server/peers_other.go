//go:build !linux

package server

import "net"

// outstanding says nothing of what is outstanding: a connection whose other side is gone is found where nothing was
// sent to it, by the probes. An error says that the connection is closed.
func outstanding(conn *net.TCPConn) (unacked bool, acked uint64, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false, 0, err
	}
	return false, 0, raw.Control(func(uintptr) {})
}

package server

import (
	"net"

	"golang.org/x/sys/unix"
)

// outstanding says whether something that was sent is not acknowledged, and how many bytes ever were. An error says
// that the connection is closed.
func outstanding(conn *net.TCPConn) (unacked bool, acked uint64, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false, 0, err
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err != nil {
		return false, 0, err
	}
	if failed != nil {
		return false, 0, failed
	}
	return info.Unacked > 0, info.Bytes_acked, nil
}

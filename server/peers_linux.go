package server

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// outstanding is what the other side of a connection owes. An error says that the connection is closed.
func outstanding(conn *net.TCPConn) (dues, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return dues{}, err
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err != nil {
		return dues{}, err
	}
	if failed != nil {
		return dues{}, failed
	}
	// Both are milliseconds before now.
	silence := time.Duration(int64(info.Last_ack_recv)-int64(info.Last_data_sent)) * time.Millisecond
	return dues{unacked: info.Unacked > 0, acked: info.Bytes_acked, silence: silence}, nil
}

// limitUnsent bounds what the kernel takes for a connection before it can send it. It does not bound what is on its
// way, and so costs no speed.
func limitUnsent(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	// Without it the connection works as well, it only costs more. A closed one tells whoever uses it.
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent)
	})
}

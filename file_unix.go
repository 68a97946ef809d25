//go:build unix

package spile

import (
	"os"
	"syscall"
)

// openFlags refuse a symbolic link, and neither wait at a named pipe nor take over a terminal.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_NOCTTY

// reopenSignals are the signals by which logrotate and its like ask for a new file.
func reopenSignals() []os.Signal { return []os.Signal{syscall.SIGHUP} }

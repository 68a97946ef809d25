//go:build unix

package spile

import "syscall"

// openFlags refuse a symbolic link, and neither wait at a named pipe nor take over a terminal.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK | syscall.O_NOCTTY

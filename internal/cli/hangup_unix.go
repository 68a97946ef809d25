//go:build unix

package cli

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// hangupPoll is how often a pipe is asked whether somebody still reads it.
const hangupPoll = 500 * time.Millisecond

// hangup waits until nobody reads the pipe out any more, and says so; false when ctx ends first. Without it a quiet
// session would outlive its reader until the next line.
func hangup(ctx context.Context, out any) bool {
	file, ok := out.(*os.File)
	if !ok {
		<-ctx.Done()
		return false
	}
	look := time.NewTicker(hangupPoll)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-look.C:
		}
		polled := []unix.PollFd{{Fd: int32(file.Fd())}}
		if n, err := unix.Poll(polled, 0); err == nil && n > 0 && polled[0].Revents&unix.POLLERR != 0 {
			return true
		}
	}
}

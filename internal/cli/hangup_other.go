//go:build !unix

package cli

import "context"

// hangup waits until ctx ends: this system does not tell whether a pipe is read.
func hangup(ctx context.Context, _ any) bool {
	<-ctx.Done()
	return false
}

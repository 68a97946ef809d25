package e2e

import "os"

// soaking says that soak tests run in full length: with SPILE_SOAK=1, which `make soak` sets. In the short form they
// hold nothing against the clock, since they may share the machine.
func soaking() bool { return os.Getenv("SPILE_SOAK") != "" }

// soak is the number for a long run, or the short one.
func soak[T any](short, long T) T {
	if soaking() {
		return long
	}
	return short
}

package backendtest

import (
	"runtime"
	"strings"
	"time"
)

// pollEvery is how often goroutines are looked at that may be about to end.
const pollEvery = 5 * time.Millisecond

// goroutines are the stacks of all goroutines, by the line that begins each: goroutine 12.
func goroutines() map[string]string {
	buf := make([]byte, 64<<10)
	n := runtime.Stack(buf, true)
	for n == len(buf) {
		buf = make([]byte, 2*len(buf))
		n = runtime.Stack(buf, true)
	}
	out := map[string]string{}
	for _, stack := range strings.Split(string(buf[:n]), "\n\n") {
		id, _, _ := strings.Cut(stack, " [")
		out[id] = stack
	}
	return out
}

// leftover is the stack of a goroutine that was not there before and does not end within the time, empty if there is
// none.
func leftover(before map[string]string, within time.Duration) string {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	deadline := time.Now().Add(within)
	for {
		left := ""
		for id, stack := range goroutines() {
			if _, ok := before[id]; !ok {
				left = stack
			}
		}
		if left == "" || time.Now().After(deadline) {
			return left
		}
		<-ticker.C
	}
}

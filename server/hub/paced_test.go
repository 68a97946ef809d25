package hub

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile/wire"
)

// TestPacedConnWantsProgress gives up on a peer that takes nothing, in time, and not on one that takes little.
func TestPacedConnWantsProgress(t *testing.T) {
	const never = time.Duration(0)
	for name, test := range map[string]struct {
		takes []time.Duration // when the peer takes a byte; at the last time it takes everything
		told  time.Duration   // when it is called stalled, at the earliest
		fails time.Duration   // when the write fails, at the earliest
	}{
		"slow-but-steady": {[]time.Duration{wire.SlowViewer - time.Second, 2*wire.SlowViewer - 3*time.Second}, never, never},
		"stops-half-way":  {[]time.Duration{10 * time.Second, time.Hour}, 10*time.Second + wire.SlowViewer, 10*time.Second + wire.SlowViewer + partingLimit},
		"comes-back-late": {[]time.Duration{wire.SlowViewer + 2*time.Second}, wire.SlowViewer, never},
		"never":           {[]time.Duration{time.Hour}, wire.SlowViewer, wire.SlowViewer + partingLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				began, told, count := time.Now(), never, 0
				c := &pacedConn{Conn: near, stalled: func() { told, count = time.Since(began), count+1 }}
				done, stop := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(done)
					for _, at := range test.takes {
						select {
						case <-time.After(time.Until(began.Add(at))):
						case <-stop:
							return
						}
						if _, err := far.Read(make([]byte, 1)); err != nil {
							return
						}
					}
					_, _ = io.Copy(io.Discard, far)
				}()
				_, err := c.Write(make([]byte, 100))
				failed := never
				if errors.Is(err, os.ErrDeadlineExceeded) {
					failed = time.Since(began)
				} else if err != nil {
					t.Errorf("write: %v", err)
				}
				if late := told - test.told; count > 1 || late < 0 || late > 2*progressTick {
					t.Errorf("called stalled %d times, after %v, want %v", count, told, test.told)
				}
				if late := failed - test.fails; late < 0 || late > 2*progressTick {
					t.Errorf("failed after %v, want %v", failed, test.fails)
				}
				close(stop)
				_, _ = near.Close(), far.Close()
				<-done
			})
		})
	}
}

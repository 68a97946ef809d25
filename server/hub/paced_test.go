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

// TestPacedConnWantsProgress gives up on a peer that takes nothing, and not on one that takes little.
func TestPacedConnWantsProgress(t *testing.T) {
	for name, test := range map[string]struct {
		pause   time.Duration // between two bytes that the peer takes
		stalled bool
		fails   bool
	}{
		"slow-but-steady": {wire.SlowViewer - time.Second, false, false},
		"comes-back-late": {wire.SlowViewer + time.Second, true, false},
		"never":           {3 * wire.SlowViewer, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				told := 0
				c := &pacedConn{Conn: near, stalled: func() { told++ }}
				done := make(chan struct{})
				go func() {
					defer close(done)
					one := make([]byte, 1)
					for range 2 {
						time.Sleep(test.pause)
						if _, err := far.Read(one); err != nil {
							return
						}
					}
					_, _ = io.Copy(io.Discard, far)
				}()
				_, err := c.Write(make([]byte, 100))
				if test.fails != errors.Is(err, os.ErrDeadlineExceeded) || !test.fails && err != nil {
					t.Errorf("write: %v", err)
				}
				if (told > 0) != test.stalled || told > 1 {
					t.Errorf("told %d times that it stalled", told)
				}
				_, _ = near.Close(), far.Close()
				<-done
			})
		})
	}
}

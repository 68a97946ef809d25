package tap

import (
	"testing"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/backendtest"
)

// TestContract checks the tap as a backend, with streams and a history that take all there is.
func TestContract(t *testing.T) {
	backendtest.Run(t, backendtest.Options{New: func(t *testing.T) spile.Backend {
		r := newRig(t, Options{AllMetadata: true, History: History{Bytes: 1 << 20}})
		for _, format := range []string{"json", "sse", "text", "html"} {
			r.watchAt(t, query("level", "trace", "pattern", ".", "format", format))
		}
		return r.tap.sink
	}})
}

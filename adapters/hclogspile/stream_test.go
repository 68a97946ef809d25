package hclogspile_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/hclogspile"
	"github.com/spilelog/spile/adapters/internal/streamtest"
	"github.com/spilelog/spile/tap"
)

// TestStream opens a stream at debug: hclog's debug records, those behind a guard too, reach it, and its own output
// stays as it was.
func TestStream(t *testing.T) {
	own, handler := &bytes.Buffer{}, spile.New()
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Info, Output: io.Discard})
	leaser := tap.NewLeaser(hclogspile.Dial(logger))
	sink := hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: hclog.Trace, Output: own})
	logger.RegisterSink(hclogspile.Output(sink, leaser))
	logger.RegisterSink(hclogspile.NewSink(handler))
	named := logger.Named("raft").With("user", "anna")

	named.Debug("before")
	stream := streamtest.Open(t, handler, leaser)
	if !named.IsDebug() {
		t.Error("debug is not enabled while somebody watches")
	}
	named.Debug("while")
	named.Info("to both")
	if line := stream.Until("while"); !strings.Contains(line, "[debug]") || !strings.Contains(line, "user=anna") {
		t.Errorf("got %q", line)
	}
	stream.Until("to both")
	stream.Close()
	if named.IsDebug() {
		t.Errorf("the level is %v after", named.GetLevel())
	}
	if text := own.String(); strings.Contains(text, "while") || !strings.Contains(text, "to both") {
		t.Errorf("the output has %q", text)
	}
}

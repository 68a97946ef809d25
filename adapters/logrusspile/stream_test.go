package logrusspile_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/internal/streamtest"
	"github.com/spilelog/spile/adapters/logrusspile"
	"github.com/spilelog/spile/tap"
)

// TestStream opens a stream at debug: logrus's debug records reach it, and its own output stays as it was.
func TestStream(t *testing.T) {
	own, handler := &bytes.Buffer{}, spile.New()
	logger := logrus.New()
	leaser := tap.NewLeaser(logrusspile.Dial(logger))
	logger.SetOutput(own)
	logger.SetFormatter(logrusspile.Output(logger.Formatter, leaser))
	logger.AddHook(logrusspile.NewHook(handler))
	entry := logger.WithField("user", "anna")

	entry.Debug("before")
	stream := streamtest.Open(t, handler, leaser)
	if !logger.IsLevelEnabled(logrus.DebugLevel) {
		t.Error("debug is not enabled while somebody watches")
	}
	entry.Debug("while")
	entry.Info("to both")
	if line := stream.Until("while"); !strings.Contains(line, "[debug]") || !strings.Contains(line, "user=anna") {
		t.Errorf("got %q", line)
	}
	stream.Until("to both")
	stream.Close()
	if logger.IsLevelEnabled(logrus.DebugLevel) {
		t.Errorf("the level is %v after", logger.GetLevel())
	}
	if text := own.String(); strings.Contains(text, "while") || !strings.Contains(text, "to both") {
		t.Errorf("the output has %q", text)
	}
}

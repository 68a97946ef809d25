package zapspile_test

import (
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/internal/streamtest"
	"github.com/spilelog/spile/adapters/zapspile"
	"github.com/spilelog/spile/tap"
)

// TestStream opens a stream at debug: zap's debug records, and code that asks for the level, reach it.
func TestStream(t *testing.T) {
	level := zap.NewAtomicLevel()
	leaser := tap.NewLeaser(zapspile.Dial(level))
	own, handler := &output{}, spile.New()
	logger := zap.New(zapcore.NewTee(
		zapcore.NewCore(encoder(), own, zapspile.Enabler(leaser)), zapspile.NewCore(handler),
	)).With(zap.String("user", "anna"))

	logger.Debug("before")
	stream := streamtest.Open(t, handler, leaser)
	if !level.Enabled(zap.DebugLevel) || logger.Check(zap.DebugLevel, "") == nil {
		t.Error("debug is not enabled while somebody watches")
	}
	logger.Debug("while")
	logger.Info("to both")
	if line := stream.Until("while"); !strings.Contains(line, "[debug]") || !strings.Contains(line, "user=anna") {
		t.Errorf("got %q", line)
	}
	stream.Until("to both")
	stream.Close()
	if level.Level() != zap.InfoLevel || logger.Check(zap.DebugLevel, "") != nil {
		t.Errorf("the level is %v after", level)
	}
	if own.has("while") || !own.has("to both") {
		t.Errorf("the output has %q", own.buf.String())
	}
}

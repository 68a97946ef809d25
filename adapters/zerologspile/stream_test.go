package zerologspile_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/internal/streamtest"
	"github.com/spilelog/spile/adapters/zerologspile"
	"github.com/spilelog/spile/tap"
)

// TestStream opens a stream at debug: zerolog's debug records reach it, and its own output stays as it was.
func TestStream(t *testing.T) {
	level := zerologspile.NewLevel(slog.LevelInfo)
	leaser := tap.NewLeaser(level)
	own, handler := &output{}, spile.New()
	writer := zerolog.MultiLevelWriter(zerologspile.Output(own, leaser), zerologspile.NewWriter(handler))
	logger := zerolog.New(writer).Sample(level).With().Str("user", "anna").Logger()

	logger.Debug().Msg("before")
	stream := streamtest.Open(t, handler, leaser)
	if !logger.Debug().Enabled() {
		t.Error("debug is not enabled while somebody watches")
	}
	logger.Debug().Msg("while")
	logger.Info().Msg("to both")
	if line := stream.Until("while"); !strings.Contains(line, "[debug]") || !strings.Contains(line, "user=anna") {
		t.Errorf("got %q", line)
	}
	stream.Until("to both")
	stream.Close()
	if level.Level() != slog.LevelInfo || logger.Debug().Enabled() {
		t.Errorf("the level is %v after", level.Level())
	}
	if text := own.buf.String(); strings.Contains(text, "while") || !strings.Contains(text, "to both") {
		t.Errorf("the output has %q", text)
	}
}

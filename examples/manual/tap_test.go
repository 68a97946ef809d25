package manual

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/adapters/zapspile"
	"github.com/spilelog/spile/tap"
)

// serveManual serves what the manual mounts, until the test ends.
func serveManual(t *testing.T, handler *spile.Handler) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(mux)
	end := func(context.Context) {}
	mount := func(ctx context.Context, mux *http.ServeMux, server *http.Server) error {
		logs, err := tap.Handler(handler, tap.Options{
			Metadata: []string{"app_id", "user", "http"},
			History:  tap.History{Bytes: 1 << 20},
		})
		if err != nil {
			return err
		}
		mux.Handle("GET /logs", logs)
		server.RegisterOnShutdown(func() { _ = logs.Close(ctx) })
		end = func(ctx context.Context) { _ = logs.Close(ctx) }
		return nil
	}
	if err := mount(context.WithoutCancel(t.Context()), mux, server.Config); err != nil {
		t.Fatal(err)
	}
	mountPrivate := func(mux *http.ServeMux) error {
		logs, err := tap.Handler(handler, tap.Options{
			MinLevel:          slog.LevelInfo,
			AdditionalHeaders: http.Header{"X-Custom-Header": {"foo"}},
			BasicAuth:         &tap.BasicAuth{User: "operator", Password: "secret"},
			RequestFilter: func(r *http.Request) (bool, string) {
				return strings.HasPrefix(r.RemoteAddr, "127.0.0.1:"), "only from this machine"
			},
		})
		if err != nil {
			return err
		}
		mux.Handle("GET /private", logs)
		endPublic := end
		end = func(ctx context.Context) { endPublic(ctx); _ = logs.Close(ctx) }
		return nil
	}
	if err := mountPrivate(mux); err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(func() {
		end(context.WithoutCancel(t.Context()))
		server.Close()
	})
	return server
}

func TestLeaser(t *testing.T) {
	handler := spile.New()
	var level slog.LevelVar
	leaser := tap.NewLeaser(tap.LevelVar(&level))
	logs, err := tap.Handler(handler, tap.Options{Lower: []*tap.Leaser{leaser}})
	if err != nil {
		t.Fatal(err)
	}
	defer logs.Close(t.Context())
	release := leaser.Lease(slog.LevelDebug)
	if level.Level() != slog.LevelDebug {
		t.Error("the level is not lowered")
	}
	leaser.SetLevel(slog.LevelWarn)
	release()
	if level.Level() != slog.LevelWarn {
		t.Errorf("after all leases the level is %v, want the operator's", level.Level())
	}
}

func TestZap(t *testing.T) {
	ownCore := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()),
		zapcore.AddSync(io.Discard), zap.InfoLevel)
	memory := spile.NewMemory(spile.MemoryOptions{BaseOptions: spile.BaseOptions{Level: slog.LevelDebug}})
	handler := spile.New(memory)
	logger := zap.New(zapcore.NewTee(ownCore, zapspile.NewCore(handler)), zap.AddCaller())
	logger.Debug("cart_loaded")
	has(t, memory.Text(), "cart_loaded")
}

// TestServerWriteTimeout keeps a stream open for longer than the server allows a response.
func TestServerWriteTimeout(t *testing.T) {
	const allowed = 50 * time.Millisecond
	handler := spile.New()
	logs, err := tap.Handler(handler, tap.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(logs)
	server.Config.WriteTimeout = allowed
	server.Start()
	defer server.Close()
	defer logs.Close(t.Context())

	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-time.After(2 * allowed)
	slog.New(handler).DebugContext(t.Context(), "order_placed")
	for in := bufio.NewScanner(resp.Body); ; {
		if !in.Scan() {
			t.Fatalf("the stream ended: %v", in.Err())
		}
		if strings.Contains(in.Text(), "order_placed") {
			return
		}
	}
}

package manual

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/backend/otlp"
	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// textOf is what a pattern makes of what log logs.
func textOf(t *testing.T, o format.PatternOptions, log func(logger *slog.Logger)) string {
	t.Helper()
	line, err := format.NewPattern(o)
	if err != nil {
		t.Fatal(err)
	}
	memory := spile.NewMemory(spile.MemoryOptions{
		BaseOptions: spile.BaseOptions{Level: slog.LevelDebug, Formatter: line},
	})
	log(slog.New(spile.New(memory)))
	return memory.Text()
}

// same fails the test unless got is want.
func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// has fails the test unless the text has all parts.
func has(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in %q", part, text)
		}
	}
}

func TestFirstLogger(t *testing.T) {
	stderr := os.Stderr
	defer func() { os.Stderr = stderr }()
	var err error
	if os.Stderr, err = os.Create(filepath.Join(t.TempDir(), "stderr")); err != nil {
		t.Fatal(err)
	}
	defer slog.SetDefault(slog.Default())
	ctx := t.Context()

	handler := spile.New(spile.NewConsole(spile.ConsoleOptions{}))
	defer handler.Close(ctx)
	logger := slog.New(handler)
	slog.SetDefault(logger)

	logger.InfoContext(ctx, "server_started", "port", 8080)

	printed, err := os.ReadFile(os.Stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	has(t, string(printed), "port=8080 [info] server_started\n")
}

func TestBackends(t *testing.T) {
	t.Chdir(t.TempDir())
	run := func(ctx context.Context) error {
		file, err := spile.OpenFile(spile.FileOptions{
			BaseOptions: spile.BaseOptions{Level: slog.LevelDebug},
			Path:        "app.log", MaxSize: 100 << 20, MaxAge: 24 * time.Hour, MaxFiles: 7, Compress: true,
		})
		if err != nil {
			return err
		}
		handler := spile.New(spile.NewConsole(spile.ConsoleOptions{}), file)
		handler.OnError(func(backend string, err error) { fmt.Fprintln(os.Stderr, backend, err) })

		if err := handler.Add(spile.NewNull()); err != nil { // Loggers made before have it too.
			return err
		}
		handler.Remove("null")
		handler.Backend("console").Settings().SetLevel(slog.LevelWarn)

		slog.New(handler).DebugContext(ctx, "file_only")
		return handler.Close(ctx)
	}
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("app.log")
	if err != nil {
		t.Fatal(err)
	}
	has(t, string(text), "file_only")
}

func TestBindings(t *testing.T) {
	for _, name := range []string{"documented-order", "other-order"} {
		t.Run(name, func(t *testing.T) {
			backend := spile.NewMemory(spile.MemoryOptions{})
			handler := spile.New(backend)
			bind := func() error {
				// Default level is info, but the database logs at warning,
				if err := backend.Bind("MyApp::Database::*", slog.LevelWarn); err != nil {
					return err
				}
				// except the query builder, which logs at debug.
				return backend.Bind("MyApp::Database::QueryBuilder", slog.LevelDebug)
			}
			if name == "other-order" {
				if err := backend.Bind("MyApp::Database::QueryBuilder", slog.LevelDebug); err != nil {
					t.Fatal(err)
				}
			}
			if err := bind(); err != nil {
				t.Fatal(err)
			}
			logger := slog.New(handler).With(spile.Namespace("MyApp::Database::QueryBuilder"))
			logger.DebugContext(t.Context(), "query_built")
			slog.New(handler).InfoContext(t.Context(), "pool_grown", spile.Namespace("MyApp::Database::Pool"))
			if got := backend.Events(); len(got) != 1 || got[0].Message != "query_built" {
				t.Errorf("got %v, want the query alone", got)
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	for _, test := range []struct{ namespace, winner, loser string }{
		{"MyApp::Database::QueryBuilder", "MyApp::Database::QueryBuilder", "MyApp::Database::*"},
		{"MyApp::HTTP", "MyApp::*", "MyApp::**"},
		{"MyApp::HTTP", "MyApp::**", "**"},
		{"A::X::B", "*::*::B", "**::B"},
		{"github.com/acme/shop/db.Pool", "github.com/acme/shop/db/Pool", "github.com/acme/**"},
	} {
		for _, order := range [][2]string{{test.winner, test.loser}, {test.loser, test.winner}} {
			base := spile.NewBase("any", spile.BaseOptions{})
			for _, pattern := range order {
				level := slog.LevelError
				if pattern == test.winner {
					level = slog.LevelDebug
				}
				if err := base.Bind(pattern, level); err != nil {
					t.Fatal(err)
				}
			}
			if !base.ShouldLogLevel(slog.LevelDebug, test.namespace) {
				t.Errorf("%s: %s must win over %s, bound in the order %q", test.namespace, test.winner, test.loser, order)
			}
		}
	}
}

func TestMetadata(t *testing.T) {
	ctx := t.Context()
	printed := textOf(t, format.PatternOptions{Pattern: "$metadata$message\n", AllKeys: true}, func(logger *slog.Logger) {
		ctx = spile.WithMetadata(ctx, slog.Int("user_id", 13))
		logger.InfoContext(ctx, "order_placed", slog.Group("http", slog.Int("status", 201)))
	})
	same(t, printed, "http.status=201 user_id=13 order_placed\n")
}

func TestLazy(t *testing.T) {
	calls := 0
	dump := func() string { calls++; return "much" }
	ctx := t.Context()
	memory := spile.NewMemory(spile.MemoryOptions{})
	logger := slog.New(spile.New(memory))
	logger.DebugContext(ctx, "state_dumped",
		"state", spile.Lazy(func() slog.Value { return slog.StringValue(dump()) }))
	if calls != 0 {
		t.Error("worked out though nobody takes it")
	}
	memory.SetLevel(slog.LevelDebug)
	logger.DebugContext(ctx, "state_dumped",
		"state", spile.Lazy(func() slog.Value { return slog.StringValue(dump()) }))
	if has(t, memory.Text(), "much"); calls != 1 {
		t.Errorf("worked out %d times, want once", calls)
	}
}

func TestPattern(t *testing.T) {
	memory := spile.NewMemory(spile.MemoryOptions{})
	change := func() error {
		line, err := format.NewPattern(format.PatternOptions{
			Pattern: "$date $time [$level] $metadata$message\n",
			Keys:    []string{"user_id", "request_id"},
			UTC:     true,
		})
		if err != nil {
			return err
		}
		memory.SetFormatter(line)
		return nil
	}
	if err := change(); err != nil {
		t.Fatal(err)
	}
	slog.New(spile.New(memory)).InfoContext(t.Context(), "a\nb", "other", 1, "user_id", 13)
	has(t, memory.Text(), ` [info] user_id=13 a\nb`+"\n")
}

func TestExact(t *testing.T) {
	log := func(logger *slog.Logger) { logger.InfoContext(t.Context(), "a\nb", "k", `v "w"`) }
	same(t, textOf(t, format.PatternOptions{Pattern: "$metadata$message\n", AllKeys: true}, log), `k="v \"w\"" a\nb`+"\n")
	same(t, textOf(t, format.PatternOptions{Pattern: "$metadata$message\n", AllKeys: true, Exact: true}, log),
		"k=v \"w\" a\nb\n")
}

func TestFunctionFormatter(t *testing.T) {
	short := format.Func(func(dst []byte, e *event.Event) []byte {
		dst = append(append(dst, e.Level.String()...), ' ')
		return append(event.AppendString(dst, e.Message), '\n')
	})
	memory := spile.NewMemory(spile.MemoryOptions{BaseOptions: spile.BaseOptions{Formatter: short}})
	slog.New(spile.New(memory)).InfoContext(t.Context(), "order_placed")
	same(t, memory.Text(), `info "order_placed"`+"\n")
}

func TestConventions(t *testing.T) {
	memory := spile.NewMemory(spile.MemoryOptions{})
	logger, ctx, err := slog.New(spile.New(memory)), t.Context(), errors.New("connection refused")
	logger.LogAttrs(ctx, slog.LevelError, "user_removal_failed",
		convention.User("alice"), convention.Server("localhost"), convention.Reason(err),
		convention.Tags("auth", "rdbms"), convention.Duration(1500*time.Millisecond))

	convention.UnexpectedCast("ping").Log(ctx, logger)

	load := func() {
		defer func() {
			if e, ok := convention.Recover("load_plugin", recover()); ok {
				e.Log(ctx, logger)
			}
		}()
		panic("no such plugin")
	}
	load()
	has(t, memory.Text(), `"duration":1500`, `"warning"`, "unexpected_cast", "load_plugin_exception", "no such plugin")
}

func TestAccumulator(t *testing.T) {
	memory := spile.NewMemory(spile.MemoryOptions{})
	logger, ctx := slog.New(spile.New(memory)), t.Context()
	acc := convention.Accumulator{User: "alice", Server: "localhost", ToJID: "bob@localhost"}
	logger.LogAttrs(ctx, slog.LevelWarn, "packet_dropped", convention.Expand([]slog.Attr{convention.Acc(acc)})...)
	has(t, memory.Text(), `"user":"alice","server":"localhost","to_jid":"bob@localhost"`)
}

func TestChecker(t *testing.T) {
	finding := convention.Default().CheckName("mod_mam_starting", "")[0] // of the rule EV06; suggests mam_starting
	if finding.Rule != "EV06" || finding.Suggestion != "mam_starting" {
		t.Errorf("got %s", finding)
	}
	for bad, good := range map[string]string{"s2s_dns_error": "s2s_dns_lookup_failed", "mod_mam_starting": "mam_starting"} {
		if convention.Worst(convention.Default().CheckName(bad, "")) < convention.Warning {
			t.Errorf("%s passes", bad)
		}
		if f := convention.Default().CheckName(good, ""); convention.Worst(f) > convention.Info {
			t.Errorf("%s: %v", good, f)
		}
	}
	// The subject of the third example of the published table is its module.
	if convention.Worst(convention.Default().CheckName("mongoose_wpool_mgr_pool_starting", "mongoose_wpool_mgr")) <
		convention.Warning {
		t.Error("the name of a whole module passes")
	}
}

func TestOTLP(t *testing.T) {
	got := make(chan string, 1)
	collectorServer := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		got <- r.URL.Path + body.String()
	}))
	defer collectorServer.Close()
	endpoint := collectorServer.URL
	run := func(ctx context.Context) error {
		collector, err := otlp.New(otlp.Options{
			Endpoint: endpoint, // such as https://collector.example:4318
			OnLoss:   func(records int, err error) { fmt.Fprintln(os.Stderr, records, err) },
		})
		if err != nil {
			return err
		}
		handler := spile.New(collector)
		slog.New(handler).InfoContext(ctx, "order_placed")
		return handler.Close(ctx)
	}
	if err := run(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(t, <-got, "/v1/logs", "order_placed")
}

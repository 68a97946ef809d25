package tap_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/tap"
)

// A tap is mounted like any other handler, and closed when the server shuts down.
func ExampleHandler() {
	handler := spile.New()
	logger := slog.New(handler)

	logs, err := tap.Handler(handler, tap.Options{
		Metadata: []string{"uuid", "user"},
		Text: format.Func(func(dst []byte, e *event.Event) []byte {
			return fmt.Appendf(dst, "%s %s %s\n", e.Level, e.Message, event.AppendMetadata(nil, e.Metadata))
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /logs", logs)
	server := httptest.NewServer(mux)
	defer server.Close()

	response, err := http.Get(server.URL + "/logs?level=debug&scope=uuid:42&format=text")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	logger.Debug("cart opened", "uuid", 42, "user", "ann", "password", "not shown")
	logger.Debug("cart opened", "uuid", 43, "user", "bob")
	logger.Warn("cart abandoned", "uuid", 42, "user", "ann")
	if err := logs.Close(context.Background()); err != nil {
		fmt.Println(err)
	}
	if _, err := io.Copy(os.Stdout, response.Body); err != nil {
		fmt.Println(err)
	}
	// Output:
	// debug cart opened {"uuid":42,"user":"ann"}
	// warning cart abandoned {"uuid":42,"user":"ann"}
	// -- the stream ended: the log was closed --
}

// A query that cannot be is refused with what is allowed.
func ExampleHandler_refused() {
	logs, err := tap.Handler(spile.New(), tap.Options{Metadata: []string{"uuid"}, MinLevel: slog.LevelInfo})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(logs)
	defer server.Close()
	for _, query := range []string{"level=debug", "scope=user:ann"} {
		response, err := http.Get(server.URL + "?" + query)
		if err != nil {
			fmt.Println(err)
			return
		}
		body := bufio.NewScanner(response.Body)
		body.Scan()
		fmt.Println(response.Status, body.Text())
		response.Body.Close()
	}
	// Output:
	// 400 Bad Request {"error":"validation_error","message":"level: debug is lower than this log may be watched: must be one of info, notice, warning, error, critical, alert, emergency","details":{"level":"debug is lower than this log may be watched: must be one of info, notice, warning, error, critical, alert, emergency"}}
	// 400 Bad Request {"error":"validation_error","message":"scope: unknown key \"user\": the key must be one of uuid, source, level, message","details":{"scope":"unknown key \"user\": the key must be one of uuid, source, level, message"}}
}

// A leaser lowers a level outside the handler while somebody needs it, and puts back the operator's current one.
func ExampleLeaser() {
	var level slog.LevelVar
	leaser := tap.NewLeaser(tap.LevelVar(&level))

	release := leaser.Lease(slog.LevelDebug)
	fmt.Println("leased:", level.Level())
	leaser.SetLevel(slog.LevelWarn)
	fmt.Println("operator changed:", level.Level())
	release()
	fmt.Println("released:", level.Level())
	// Output:
	// leased: DEBUG
	// operator changed: DEBUG
	// released: WARN
}

// Basic authentication and a filter of requests decide who may watch.
func ExampleOptions_access() {
	logs, err := tap.Handler(spile.New(), tap.Options{
		BasicAuth: &tap.BasicAuth{User: "ops", Password: os.Getenv("LOG_PASSWORD") + "secret"},
		RequestFilter: func(r *http.Request) (bool, string) {
			return r.Header.Get("X-Internal") != "", "only from inside"
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, password := range []string{"guess", "secret"} {
		request := httptest.NewRequest(http.MethodGet, "/logs", http.NoBody)
		request.SetBasicAuth("ops", password)
		answer := httptest.NewRecorder()
		logs.ServeHTTP(answer, request)
		fmt.Print(answer.Code, " ", answer.Body)
	}
	// Output:
	// 401 {"error":"unauthorized","message":"user and password are wanted"}
	// 403 {"error":"forbidden","message":"only from inside"}
}

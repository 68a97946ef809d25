package tap

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
)

// TestDefects holds the tap against what was found wrong in the backend that it follows, one test for each.
func TestDefects(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T)
	}{
		{"01-unknown-scope-key", testUnknownKey},
		{"02-scope-value-with-separator", testScopeSplit},
		{"03-level-words", testLevelWords},
		{"04-default-level", testDefaultLevel},
		{"05-separator", testSeparator},
		{"06-unprintable-value", testUnprintable},
		{"07-all-metadata-with-scope", testAllMetadata},
		{"08-unknown-stream", testUnknownStream},
		{"09-base-level-is-the-operators", testBaseLevel},
		{"10-operator-change-is-kept", testOperatorChange},
		{"11-level-changes-in-order", testLevelOrder},
		{"12-killed-request-frees-its-lease", testKilled},
		{"13-html-is-escaped", testEscaped},
		{"14-slow-client-is-bounded", testSlowClient},
		{"15-other-backends-are-not-flooded", testNoFlood},
	}
	for _, test := range tests {
		t.Run(test.name, test.run)
	}
}

// refused checks that a request is answered with 400 that says all of want, and leaves no lease.
func refused(t *testing.T, r *rig, target string, want ...string) {
	t.Helper()
	w := r.get(t, target)
	if w.Code != http.StatusBadRequest {
		t.Fatalf("GET %s: %d, want 400", target, w.Code)
	}
	for _, part := range want {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("GET %s: %s does not say %q", target, w.Body, part)
		}
	}
	if r.tap.Streams() != 0 || r.lowest() != slog.LevelInfo {
		t.Errorf("GET %s: %d streams, threshold %v", target, r.tap.Streams(), r.lowest())
	}
}

func testUnknownKey(t *testing.T) {
	r := newRig(t, Options{Metadata: []string{"uuid", "user"}})
	for _, scope := range []string{"app:1", "uuidx:1", "uuid.x y:", "users:1", "UUID:1"} {
		if scope == "uuid.x y:" {
			continue // A field of a shown group may be named.
		}
		refused(t, r, query("scope", scope), "uuid, user, source, level, message")
	}
	refused(t, r, query("scope", "uuid:1", "scope", "app:1"), "app", "uuid, user")
}

func testScopeSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Metadata: []string{"uuid"}})
		v := r.watchAt(t, query("scope", "uuid:a:b", "format", "text"))
		r.logger.Info("yes", "uuid", "a:b")
		r.logger.Info("no", "uuid", "a")
		r.logger.Info("no", "uuid", "a:b ")
		r.logger.Info("no")
		settle()
		if got := v.String(); !strings.Contains(got, " yes\n") || strings.Contains(got, " no\n") {
			t.Errorf("got %q", got)
		}
		v.leave()
		refused(t, r, query("scope", "uuid"), "uuid", "first")
		refused(t, r, query("scope", ""), "first")
		refused(t, r, query("scope", ":x"), "first")
	})
}

func testLevelWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{DefaultLevel: slog.LevelError})
		for word, want := range map[string]event.Level{
			"warning": event.Warning, "warn": event.Warning, "DEBUG": event.Debug, "notice": event.Notice,
			"Err": event.Error, "fatal": event.Critical, "trace": event.Trace, "emerg": event.Emergency,
		} {
			v := r.watchAt(t, query("level", word))
			if got := r.tap.sink.Level(); got != slog.Level(want) {
				t.Errorf("level=%s: %v, want %v", word, got, want)
			}
			v.leave()
		}
		refused(t, r, query("level", "bogus"), "bogus", event.LevelWords)
		refused(t, r, query("level", ""), event.LevelWords)
		refused(t, r, "/logs?level=info&level=debug", "more than once")
	})
}

func testDefaultLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			o    Options
			want slog.Level
		}{
			{Options{}, slog.LevelDebug},
			{Options{DefaultLevel: slog.LevelWarn}, slog.LevelWarn},
			{Options{MinLevel: slog.LevelInfo}, slog.LevelInfo},
			{Options{MinLevel: slog.LevelInfo, DefaultLevel: slog.LevelError}, slog.LevelError},
		} {
			r := newRig(t, test.o)
			v := r.watchAt(t, "/logs")
			if got := r.tap.sink.Level(); got != test.want {
				t.Errorf("%v and %v: got %v, want %v", test.o.DefaultLevel, test.o.MinLevel, got, test.want)
			}
			v.leave()
		}
		r := newRig(t, Options{MinLevel: slog.LevelInfo})
		refused(t, r, query("level", "debug"), "info, notice, warning, error")
	})
}

func testSeparator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Metadata: []string{"uuid"}, Separator: "=="})
		v := r.watchAt(t, query("scope", "uuid==a:b", "format", "text"))
		r.logger.Info("yes", "uuid", "a:b")
		r.logger.Info("no", "uuid", "b")
		settle()
		if got := v.String(); !strings.Contains(got, " yes\n") || strings.Contains(got, " no\n") {
			t.Errorf("got %q", got)
		}
		v.leave()
		refused(t, r, query("scope", "uuid:a"), `==`)
	})
}

// bomb is a value whose methods panic.
type bomb struct{}

func (bomb) String() string               { panic("boom") }
func (bomb) MarshalJSON() ([]byte, error) { panic("boom") }

func testUnprintable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Metadata: []string{"uuid"}})
		failed := 0
		r.handler.OnError(func(string, error) { failed++ })
		scoped := r.watchAt(t, query("scope", "uuid:{}", "format", "text"))
		empty := r.watchAt(t, query("scope", "uuid:", "format", "text"))
		all := r.watchAt(t, query("format", "json"))
		values := []any{struct{}{}, bomb{}, (*bomb)(nil), func() {}, make(chan int), map[string]int{}}
		for _, value := range values {
			r.logger.Info("odd", "uuid", value)
			r.logger.With("uuid", value).Info("odd")
		}
		r.logger.Info("nil", "uuid", nil)
		settle()
		if scoped.String() != "" || strings.Contains(empty.String(), "odd") {
			t.Errorf("scoped %q, empty %q", scoped, empty)
		}
		if !strings.Contains(empty.String(), " nil\n") {
			t.Errorf("nil does not match the empty text: %q", empty)
		}
		if n := strings.Count(all.String(), `"message":"odd"`); n != 2*len(values) || failed != 0 {
			t.Errorf("%d of %d records, %d failures: %s", n, 2*len(values), failed, all)
		}
	})
}

func testAllMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{AllMetadata: true})
		v := r.watchAt(t, query("scope", "req.id:7", "scope", "user:ann", "format", "json"))
		r.logger.With("user", "ann").WithGroup("req").Info("yes", "id", 7, "path", "/")
		r.logger.With("user", "bob").WithGroup("req").Info("no", "id", 7)
		settle()
		if got := v.String(); !strings.Contains(got, `"metadata":{"user":"ann","req":{"id":7,"path":"/"}}`) ||
			strings.Contains(got, `"no"`) {
			t.Errorf("got %s", got)
		}
	})
}

func testUnknownStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		v := r.watchAt(t, "/logs?format=text")
		r.tap.end(newStream(r.tap.newTape(&ask{}, 0)), endGone)
		if r.handler.Remove("nobody") != nil || r.tap.Streams() != 1 {
			t.Error("an unknown stream or backend was there")
		}
		r.logger.Debug("still here")
		settle()
		if !strings.Contains(v.String(), "still here") {
			t.Errorf("got %q", v)
		}
	})
}

func testBaseLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outside := &slog.LevelVar{}
		leaser := NewLeaser(LevelVar(outside))
		r := newRig(t, Options{Lower: []*Leaser{leaser}})
		for _, base := range []slog.Level{slog.LevelError, slog.LevelInfo, slog.LevelWarn} {
			r.console.SetLevel(base)
			outside.Set(base)
			v := r.watchAt(t, "/logs?level=debug")
			if r.lowest() != slog.LevelDebug || outside.Level() != slog.LevelDebug {
				t.Errorf("open: threshold %v, outside %v", r.lowest(), outside.Level())
			}
			v.leave()
			if r.lowest() != base || outside.Level() != base {
				t.Errorf("closed: threshold %v, outside %v, want %v", r.lowest(), outside.Level(), base)
			}
		}
	})
}

func testOperatorChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outside, direct := &slog.LevelVar{}, &slog.LevelVar{}
		leaser := NewLeaser(LevelVar(outside))
		r := newRig(t, Options{Lower: []*Leaser{leaser, NewLeaser(LevelVar(direct))}})
		v := r.watchAt(t, "/logs?level=debug")
		r.console.SetLevel(slog.LevelError)
		leaser.SetLevel(slog.LevelError)
		direct.Set(slog.LevelError)
		if outside.Level() != slog.LevelDebug || leaser.Level() != slog.LevelError {
			t.Errorf("open: outside %v, operator's %v", outside.Level(), leaser.Level())
		}
		v.leave()
		if r.lowest() != slog.LevelError || outside.Level() != slog.LevelError || direct.Level() != slog.LevelError {
			t.Errorf("closed: %v, %v, %v", r.lowest(), outside.Level(), direct.Level())
		}
	})
}

func testLevelOrder(t *testing.T) {
	outside := &slog.LevelVar{}
	r := newRig(t, Options{Lower: []*Leaser{NewLeaser(LevelVar(outside))}})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 100 {
				v := r.watchAt(t, query("level", event.LevelAt(i).String()))
				if l := slog.Level(event.LevelAt(i)); r.tap.sink.Level() > l || outside.Level() > l {
					t.Errorf("open at %v: %v, %v", l, r.tap.sink.Level(), outside.Level())
				}
				v.leave()
			}
		})
	}
	wg.Wait()
	if r.tap.sink.Level() != spile.LevelOff || outside.Level() != slog.LevelInfo {
		t.Errorf("all closed: %v, %v", r.tap.sink.Level(), outside.Level())
	}
}

// mine is a response whose writes panic.
type mine struct{ *screen }

func (mine) Write([]byte) (int, error) { panic("boom") }

func testKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{MaxDuration: time.Minute})
		v, other := r.watchAt(t, "/logs"), r.watchAt(t, "/logs")
		shared := r.tap.open[0].tape
		v.cancel()
		synctest.Wait()
		if r.tap.Streams() != 1 || len(shared.streams) != 1 {
			t.Errorf("one left: %d streams, %d on the tape", r.tap.Streams(), len(shared.streams))
		}
		other.cancel()
		synctest.Wait()
		if r.tap.Streams() != 0 || r.lowest() != slog.LevelInfo {
			t.Errorf("left: %d streams, threshold %v", r.tap.Streams(), r.lowest())
		}
		func() {
			defer func() { recover() }()
			req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/logs", http.NoBody)
			r.tap.ServeHTTP(mine{newScreen()}, req)
			t.Error("it did not panic")
		}()
		if r.tap.Streams() != 0 || r.lowest() != slog.LevelInfo {
			t.Errorf("panicked: %d streams, threshold %v", r.tap.Streams(), r.lowest())
		}
		r.watchAt(t, "/logs")
		pass(time.Minute)
		if r.tap.Streams() != 0 || r.lowest() != slog.LevelInfo {
			t.Errorf("expired: %d streams, threshold %v", r.tap.Streams(), r.lowest())
		}
	})
}

func testEscaped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{AllMetadata: true})
		v := r.watchAt(t, "/logs?format=html")
		const script = "<script>alert(1)</script>"
		r.say(script, script, script, spile.Namespace(script))
		settle()
		if got := v.String(); strings.Contains(got, "<script") || !strings.Contains(got, "&lt;script&gt;") {
			t.Errorf("got %s", got)
		}
	})
}

func testSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Buffer: minBuffer, WriteTimeout: time.Hour})
		v := r.watchAt(t, "/logs?format=text")
		release := v.stall()
		r.logger.Info("first")
		synctest.Wait()
		for range 10_000 {
			r.logger.Info("flood")
		}
		release()
		settle()
		if n := v.text.Len(); n > 2*minBuffer || !strings.Contains(v.String(), " events dropped: slow viewer --\n") {
			t.Errorf("%d bytes: %s", n, v)
		}
	})
}

func testNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{})
		v := r.watchAt(t, "/logs?level=trace&format=text")
		r.logger.Debug("detail")
		r.logger.Info("news")
		settle()
		if r.console.count("detail") != 0 || r.console.count("news") != 1 {
			t.Errorf("the console has %v", r.console.n)
		}
		if !bytes.Contains(v.text.Bytes(), []byte("detail")) {
			t.Errorf("got %s", v)
		}
		if r.handler.Enabled(context.Background(), slog.LevelDebug-1) != true {
			t.Error("guarded code does not run while somebody watches")
		}
	})
}

package tap

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/spilelog/spile"
)

// TestLongAccept checks that a header of a megabyte costs little: it did cost minutes.
func TestLongAccept(t *testing.T) {
	r := newRig(t, Options{})
	req := httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", http.NoBody)
	req.Header.Set("Accept", strings.Repeat("x/*,", 200_000)+"text/html;q=0.1")
	start := time.Now()
	w := httptest.NewRecorder()
	r.tap.ServeHTTP(w, req)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if got := w.Header().Get("Content-Type"); got != contentTypes[encodingHTML] {
		t.Errorf("got %d %s", w.Code, got)
	}
}

// TestRequestWithBody checks that there is no stream for a request whose end net/http would not notice.
func TestRequestWithBody(t *testing.T) {
	r := newRig(t, Options{})
	for _, length := range []int64{1, -1} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", strings.NewReader("x"))
		req.ContentLength = length
		w := httptest.NewRecorder()
		r.tap.ServeHTTP(w, req)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "body") {
			t.Errorf("length %d: got %d %s", length, w.Code, w.Body)
		}
	}
}

// TestHeadTellsWhatGetWould checks that HEAD does not promise a stream that GET refuses.
func TestHeadTellsWhatGetWould(t *testing.T) {
	r := newRig(t, Options{MaxStreams: 1})
	head := func(w http.ResponseWriter) {
		r.tap.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", http.NoBody))
	}
	w := httptest.NewRecorder()
	if head(noFlush{w}); w.Code != http.StatusInternalServerError {
		t.Errorf("cannot stream: got %d", w.Code)
	}
	v := r.watchAt(t, "/")
	w = httptest.NewRecorder()
	if head(w); w.Code != http.StatusTooManyRequests {
		t.Errorf("too many: got %d", w.Code)
	}
	v.leave()
	if err := r.tap.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	w = httptest.NewRecorder()
	if head(w); w.Code != http.StatusServiceUnavailable {
		t.Errorf("closed: got %d", w.Code)
	}
}

// TestStuckWritesAreBounded checks that viewers that were cut off, but whose server knows no deadlines, do not pile up.
func TestStuckWritesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 3
		r := newRig(t, Options{MaxStreams: streams, WriteTimeout: time.Second})
		for range 2 * streams {
			v := r.watchAt(t, "/?format=text")
			v.mu.Lock()
			v.ignoreDeadline = true
			v.mu.Unlock()
			release := v.stall()
			defer release()
			r.logger.Info("x")
			pass(2 * time.Second)
		}
		if n := r.tap.Streams(); n != 0 {
			t.Errorf("%d streams are open", n)
		}
		if w := r.get(t, "/"); w.Code != http.StatusTooManyRequests {
			t.Errorf("got %d", w.Code)
		}
	})
}

// anyField is an attribute with one of a few keys, plain, in groups, resolved late, or one whose method panics.
func anyField(t *rapid.T, key *rapid.Generator[string], depth int) slog.Attr {
	name := key.Draw(t, "key")
	switch kind := rapid.IntRange(0, 6).Draw(t, "kind"); {
	case kind == 0 && depth < 2:
		return slog.Group(anyGroup(t), anyField(t, key, depth+1), anyField(t, key, depth+1))
	case kind == 1:
		return slog.Any(name, spile.Lazy(func() slog.Value { return slog.StringValue("1") }))
	case kind == 2:
		return slog.Any(name, spile.Lazy(func() slog.Value { return slog.GroupValue(slog.Int("b", 1)) }))
	case kind == 3:
		return slog.Any(name, bomb{})
	case kind == 4:
		return slog.Any(name, nil)
	}
	return slog.Int(name, rapid.IntRange(1, 2).Draw(t, "value"))
}

// anyGroup is the name of a group, or none.
func anyGroup(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "a", "b", "a.b"}).Draw(t, "group")
}

// TestScopeIsTheSameForAll checks that what a stream shows does not depend on whether some other backend takes the call.
func TestScopeIsTheSameForAll(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.SampledFrom([]string{"a", "a.b", "b", "a.b.c", "c", "source", "level"})
		var carried []slog.Attr
		var groups []string
		for range rapid.IntRange(0, 3).Draw(rt, "carried") {
			groups, carried = append(groups, anyGroup(rt)), append(carried, anyField(rt, key, 0))
		}
		call, ctx := anyField(rt, key, 0), spile.WithMetadata(t.Context(), anyField(rt, key, 0))
		scope := key.Draw(rt, "scope") + ":" + rapid.SampledFrom([]string{"1", "2", "", "debug"}).Draw(rt, "wanted")
		shown := func(other slog.Level) int {
			r := newRig(t, Options{AllMetadata: true})
			r.console.SetLevel(other)
			v := r.watchAt(t, query("scope", scope, "format", "json"))
			h := slog.Handler(r.handler)
			for i := range carried {
				h = h.WithGroup(groups[i]).WithAttrs(carried[i : i+1])
			}
			slog.New(h).LogAttrs(ctx, slog.LevelDebug, "m", call)
			if err := r.tap.Close(t.Context()); err != nil {
				rt.Error(err)
			}
			<-v.done
			delivered, _ := tally(t, frames(t, v.String()))
			return int(delivered)
		}
		if alone, beside := shown(slog.LevelError), shown(slog.LevelDebug); alone != beside {
			rt.Fatalf("scope %s: %d alone, %d beside a backend that takes the call", scope, alone, beside)
		}
	})
}

// TestRawMessage checks that a raw message that is no JSON does not break a frame.
func TestRawMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{AllMetadata: true})
		v := r.watchAt(t, "/?format=json")
		for _, raw := range []string{"", "{", `1}`, `"},{"type":"control"`, "\n", "nul", "1 2", "1\n2"} {
			r.logger.Info("m", "raw", json.RawMessage(raw))
		}
		settle()
		if n := len(frames(t, v.String())); n != 9 {
			t.Errorf("%d frames", n)
		}
	})
}

package tap

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/wire"
)

func TestQueryRefused(t *testing.T) {
	r := newRig(t, Options{Metadata: []string{"uuid"}})
	long := strings.Repeat("x", 1000)
	tests := []struct {
		name, target string
		want         []string
	}{
		{"unknown-key", "/?levle=debug", []string{"levle", "level, scope, pattern, since, format"}},
		{"query-is-for-later", "/?query=x", []string{"level, scope, pattern, since, format"}},
		{"bad-escape", "/?level=%zz", []string{"%zz"}},
		{"semicolon", "/?level=debug;scope=uuid:1", []string{"semicolon"}},
		{"bad-pattern", query("pattern", "a("), []string{"byte 1"}},
		{"expensive-pattern", query("pattern", "(a?){1000}b"), []string{"instructions"}},
		{"two-patterns", "/?pattern=a&pattern=b", []string{"more than once"}},
		{"since-without-history", query("since", "5m"), []string{"keeps no history"}},
		{"bad-format", query("format", "xml"), []string{"html, text, json, sse"}},
		{"empty-format", query("format", ""), []string{"html, text, json, sse"}},
		{"many-scopes", "/?" + strings.Repeat("scope=uuid:1&", 33) + "level=info", []string{"at most 32"}},
		{"long-scope", query("scope", "uuid:"+long), []string{"at most 512"}},
		{"long-key", query("scope", long+":1"), []string{"…", "uuid, source, level, message"}},
		{"all-at-once", query("level", "x", "scope", "y:1", "format", "z"), []string{"unknown level", "unknown key", "unknown format"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			refused(t, r, test.target, test.want...)
			if n := r.get(t, test.target).Body.Len(); n > 2000 {
				t.Errorf("the answer repeats too much: %d bytes", n)
			}
		})
	}
}

func TestScopeOfKeyWithColon(t *testing.T) {
	r := newRig(t, Options{Metadata: []string{"a:b"}, Separator: "="})
	refused(t, r, query("scope", "a:c=1"), "must be one of a:b")
	v := r.watchAt(t, query("scope", "a:b=1=2", "format", "text"))
	r.logger.Info("other", "a:b", "1", "a", "b=1=2")
	r.logger.Info("this", "a:b", "1=2")
	if err := r.tap.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-v.done
	if got := v.String(); strings.Contains(got, "other") || !strings.Contains(got, "this") {
		t.Errorf("got %q", got)
	}
}

func TestAccept(t *testing.T) {
	tests := []struct {
		name, accept, want string // want is empty for 406
	}{
		{"none", "", "text/plain"},
		{"curl", "*/*", "text/plain"},
		{"browser", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"},
		{"event-source", "text/event-stream", "text/event-stream"},
		{"ndjson", "application/x-ndjson", "application/x-ndjson"},
		{"json", "application/json", "application/x-ndjson"},
		{"json-first", "application/json, text/plain, */*", "application/x-ndjson"},
		{"quality-decides", "text/html;q=0.2, text/plain;q=0.1, application/json;q=0.9", "application/x-ndjson"},
		{"subtype-wildcard", "application/*", "application/x-ndjson"},
		{"wildcard-but-not-text", "text/plain;q=0, text/*", "text/html"},
		{"upper-case", "TEXT/HTML", "text/html"},
		{"unknown", "image/png", ""},
		{"refused", "text/html;q=0", ""},
		{"bad-quality", "text/html;q=x", ""},
		{"unknown-and-known", "image/png, text/event-stream;q=0.1", "text/event-stream"},
	}
	r := newRig(t, Options{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/", http.NoBody)
			if test.accept != "" {
				req.Header.Set("Accept", test.accept)
			}
			w := httptest.NewRecorder()
			r.tap.ServeHTTP(w, req)
			switch {
			case test.want == "":
				if w.Code != http.StatusNotAcceptable {
					t.Errorf("got %d %s", w.Code, w.Header().Get("Content-Type"))
				}
			case w.Code != http.StatusOK || w.Header().Get("Content-Type") != test.want+"; charset=utf-8":
				t.Errorf("got %d %s", w.Code, w.Header().Get("Content-Type"))
			}
		})
	}
	if w := r.get(t, "/?format=nonsense"); w.Code != http.StatusBadRequest {
		t.Errorf("format beats Accept: got %d", w.Code)
	}
}

// FuzzQuery checks that a query is either refused or kept to: no part of it is left out, and nothing unknown in it.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "level=debug&scope=uuid:42", "scope=uuid:a:b&scope=level:error", "level=DEBUG&pattern=a.*b", "scope=uuid",
		"scope=app:1", "format=json&x=1", "level=%zz", "scope=%75uid:\xff", "since=1h", "scope=message:&scope=source::",
	} {
		f.Add(seed)
	}
	h := spile.New()
	tp, err := Handler(h, Options{Metadata: []string{"uuid"}})
	if err != nil {
		f.Fatal(err)
	}
	known := []string{keyLevel, keyScope, keyPattern, keyFormat}
	f.Fuzz(func(t *testing.T, raw string) {
		a, refusal := tp.parse(&http.Request{URL: &url.URL{RawQuery: raw}})
		if refusal != nil {
			if refusal.Code != wire.CodeValidation || refusal.Message == "" || len(refusal.Message) > 16<<10 {
				t.Fatalf("refused with %+v", refusal)
			}
			return
		}
		values, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("taken though it is malformed: %v", err)
		}
		for key := range values {
			if !slices.Contains(known, key) {
				t.Fatalf("taken though %q is unknown", key)
			}
		}
		if len(a.scopes) != len(values[keyScope]) || a.patterned != (values.Get(keyPattern) != "") {
			t.Fatalf("%d of %d scopes, pattern %v", len(a.scopes), len(values[keyScope]), a.patterned)
		}
		for i, s := range a.scopes {
			if s.key+":"+s.value != values[keyScope][i] || !tp.mayName(s.key) {
				t.Fatalf("scope %q:%q of %q", s.key, s.value, values[keyScope][i])
			}
		}
	})
}

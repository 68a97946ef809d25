package e2e

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/tap"
)

// hostile are texts that a stranger might have logged, and what a reader must see of them.
var hostile = []struct{ name, text, seen string }{
	{"plain", "plain", "plain"},
	{"line-feed", "a\n[error] forged", `a\n[error] forged`},
	{"carriage-return", "a\rb", `a\rb`},
	{"escape", "a\x1b[2Jb", `a\u001b[2Jb`},
	{"null", "a\x00b", `a\u0000b`},
	{"line-separator", "a\u2028b", `a\u2028b`},
	{"bidi", "a\u202eb\u2066c", `a\u202eb\u2066c`},
	{"script", "<script>window.ran=1;alert(1)</script>", "<script>window.ran=1;alert(1)</script>"},
	{"image", `<img src=x onerror="window.ran=1">`, `<img src=x onerror="window.ran=1">`},
	{"svg", `<svg/onload=window.ran=1>`, `<svg/onload=window.ran=1>`},
	{"frame", `<iframe src="javascript:parent.ran=1"></iframe>`, `<iframe src="javascript:parent.ran=1"></iframe>`},
	{"refresh", `<meta http-equiv=refresh content="0;url=/elsewhere">`, `<meta http-equiv=refresh content="0;url=/elsewhere">`},
	{"comment", "<!-- --><![CDATA[", "<!-- --><![CDATA["},
	{"style-end", "</style></span></p></body></html><b>bold</b>", "</style></span></p></body></html><b>bold</b>"},
	{"attribute", `" onmouseover="window.ran=1" x='`, `" onmouseover="window.ran=1" x='`},
	{"entity", "&lt;b&gt; &#60;", "&lt;b&gt; &#60;"},
	{"invalid-utf8", "a\xff\xc3(\xed\xa0\x80b", "a\ufffd\ufffd(\ufffd\ufffd\ufffdb"},
	{"utf7", "+ADw-script+AD4-window.ran=1+ADw-/script+AD4-", "+ADw-script+AD4-window.ran=1+ADw-/script+AD4-"},
}

// seenPage is what a browser made of the page.
type seenPage struct {
	// Elements are the names of all elements, Attributes those of attributes within the body; each once, sorted.
	Elements, Attributes []string
	// Styles is how many style elements there are, Ran what a script left behind.
	Styles int
	Ran    bool
	Title  string
	Events []seenEvent
}

// seenEvent is one event in the page.
type seenEvent struct {
	// Parent is the element around it; Height is 0 where nothing of it can be seen.
	Parent, Level, Shown, Message, Metadata string
	Height                                  float64
}

// lookAtPage is the expression that gives a seenPage.
const lookAtPage = `(() => {
	if (!document.body) return {events: []};
	const names = list => [...new Set(list)].sort();
	const all = [...document.querySelectorAll('*')];
	const text = (p, name) => p.querySelector(name)?.textContent ?? '';
	return {
		elements: names(all.map(e => e.localName)),
		attributes: names([...document.body.querySelectorAll('*')].flatMap(e => e.getAttributeNames())),
		styles: document.querySelectorAll('style').length,
		ran: 'ran' in window,
		title: document.title,
		events: [...document.querySelectorAll('p:has(.message)')].map(p => ({
			parent: p.parentElement.localName, level: p.className, shown: p.innerText,
			message: text(p, '.message'), metadata: text(p, '.metadata'), height: p.getBoundingClientRect().height,
		})),
	};
})()`

// TestHostileRecordsInBrowser has a real browser show what strangers have logged: it is text and nothing else, also
// where the security policy, which would stop a script too, was replaced.
func TestHostileRecordsInBrowser(t *testing.T) {
	t.Parallel()
	browser := newTab(t)
	for _, test := range []struct {
		name    string
		headers http.Header
	}{{"with-policy", nil}, {"without-policy", http.Header{"X-Own": {"1"}}}} {
		t.Run(test.name, func(t *testing.T) {
			browser.t = t
			handler := spile.New(spile.NewNull())
			logs, err := tap.Handler(handler, tap.Options{AllMetadata: true, Headers: test.headers})
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(logs)
			t.Cleanup(server.Close)
			t.Cleanup(func() {
				if err := logs.Close(context.WithoutCancel(t.Context())); err != nil {
					t.Error(err)
				}
			})

			clear(browser.notes)
			browser.call("Page.navigate", map[string]any{"url": server.URL + "/?level=debug&format=html"}, nil)
			await(t, "the stream is open", func() bool { return logs.Streams() == 1 })
			levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
			logger := slog.New(handler)
			for i, h := range hostile {
				//nolint:sloglint // that it is no constant is what is tested
				logger.LogAttrs(t.Context(), levels[i%len(levels)], h.text,
					slog.String("value", h.text), slog.String("key "+h.text, "x"))
			}
			var page seenPage
			await(t, "all events are in the page", func() bool {
				browser.eval(lookAtPage, &page)
				return len(page.Events) >= len(hostile)
			})
			checkPage(t, &page)
			if want := []string{server.URL + "/?level=debug&format=html"}; !cmp.Equal(want, browser.requests()) {
				t.Errorf("the page asked for %q, want %q", browser.requests(), want)
			}
			keepPicture(t, browser)
			browser.call("Page.navigate", map[string]any{"url": "about:blank"}, nil)
			begun := time.Now()
			await(t, "the lease is over", func() bool { return !handler.Enabled(t.Context(), slog.LevelError) })
			if took := time.Since(begun); took > time.Second {
				t.Errorf("the lease was over %v after the page was left, want 1 s at most", took)
			}
		})
	}
}

// checkPage checks that the page holds the events, and nothing that is not ours.
func checkPage(t *testing.T, page *seenPage) {
	t.Helper()
	if page.Ran || page.Styles != 1 || page.Title != "Log" {
		t.Errorf("a script ran: %v; %d style elements, want 1; title %q", page.Ran, page.Styles, page.Title)
	}
	ours := []string{"body", "br", "head", "html", "meta", "p", "span", "style", "title"}
	if diff := cmp.Diff(ours, page.Elements); diff != "" {
		t.Errorf("elements (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"class"}, page.Attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if len(page.Events) != len(hostile) {
		t.Fatalf("%d events, want %d", len(page.Events), len(hostile))
	}
	words := []string{"debug", "info", "warning", "error"}
	for i, h := range hostile {
		got := page.Events[i]
		if got.Parent != "body" || got.Level != words[i%len(words)] || got.Message != h.seen || got.Height < 10 {
			t.Errorf("%s is shown as %+v, want %q", h.name, got, h.seen)
		}
		// In metadata quotes have backslashes.
		value := strings.ReplaceAll(h.seen, `"`, `\"`)
		if !strings.Contains(got.Metadata, value) || !strings.Contains(got.Metadata, "key "+value) {
			t.Errorf("%s: metadata %s do not hold %s", h.name, got.Metadata, value)
		}
		if !strings.Contains(got.Shown, h.seen) || strings.Count(got.Shown, "\n") != 1 {
			t.Errorf("%s: a reader sees %q, want two lines with %q", h.name, got.Shown, h.seen)
		}
	}
}

// keepPicture writes the page as a picture to the folder that SPILE_PICTURES names.
func keepPicture(t *testing.T, b *tab) {
	t.Helper()
	folder := os.Getenv("SPILE_PICTURES")
	if folder == "" {
		return
	}
	name := strings.ReplaceAll(t.Name(), "/", "-") + ".png"
	if err := os.WriteFile(filepath.Join(folder, name), b.picture(), 0o600); err != nil {
		t.Fatal(err)
	}
}

package tap

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"unicode/utf8"

	"github.com/spilelog/spile"
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

// attacks are texts that try to be more than a text.
var attacks = map[string]string{
	"lf":           "a\n-- 9 events dropped: slow viewer --\nb",
	"cr":           "a\r2000-01-01 00:00:00.000 [info] forged",
	"crlf":         "a\r\n\r\ndata: forged",
	"esc":          "a\x1b[2J\x1b]0;title\x07b",
	"nul":          "a\x00b",
	"ls":           "a\u2028b\u2029c",
	"nel":          "a\u0085b",
	"bidi":         "a\u202eb\u2066c",
	"script":       "</p><script>alert(1)</script><!--",
	"attribute":    `" onmouseover="alert(1)`,
	"invalid-utf8": "a\xff\xc0\xafb\xed\xa0\x80",
	"sse":          "a\n\nevent: log\ndata: {}",
	"json":         `"},{"type":"control"`,
}

// rawJSON is JSON that a program vouches for, wrongly.
type rawJSON string

func (r rawJSON) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func TestInjection(t *testing.T) {
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{AllMetadata: true})
				visits := map[string]*visit{}
				for _, f := range []string{"text", "html", "json", "sse"} {
					visits[f] = r.watchAt(t, query("format", f))
				}
				const n = 5
				quoted, _ := json.Marshal(attack)
				r.say(attack)
				r.logger.Info("value", "key", attack, slog.Group(attack, attack, attack))
				r.logger.LogAttrs(t.Context(), slog.LevelInfo, "key", slog.Int(attack, 1), slog.Any("error", &jsonError{attack}))
				r.logger.LogAttrs(t.Context(), slog.LevelInfo, "source", spile.Namespace(attack))
				r.logger.Info("json", "raw", rawJSON(" [\r\n"+string(quoted)+"\n] "), "json", event.JSON("[\n1\r]"))
				settle()
				for f, v := range visits {
					checkForm(t, f, v.String(), n)
				}
			})
		})
	}
}

// jsonError is an error with any text.
type jsonError struct{ text string }

func (e *jsonError) Error() string { return e.text }

// checkForm checks that text holds n events of the format and nothing else.
func checkForm(t *testing.T, f, text string, n int) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: not valid UTF-8: %q", f, text)
	}
	for _, r := range text {
		if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029') {
			t.Errorf("%s: control character %U in %q", f, r, text)
		}
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	switch f {
	case "text":
		if len(lines) != n {
			t.Errorf("text: %d lines, want %d: %q", len(lines), n, text)
		}
		for _, line := range lines {
			if !strings.HasPrefix(line, "2000-01-01 ") {
				t.Errorf("text: forged line %q", line)
			}
		}
	case "html":
		_, body, _ := strings.Cut(text, "<body>\n")
		if got := strings.Count(body, "<p class="); got != n || strings.Count(body, "\n") != n {
			t.Errorf("html: %d paragraphs, want %d: %s", got, n, body)
		}
		rest := body
		for _, tag := range []string{
			`<p class="info">`, "</p>", `<span class="time">`, `<span class="level">`, `<span class="metadata">`,
			`<span class="message colorlevel">`, "</span>", "<br>",
		} {
			rest = strings.ReplaceAll(rest, tag, "")
		}
		if strings.ContainsAny(rest, "<>\"'") {
			t.Errorf("html: markup that is not ours: %s", rest)
		}
	default:
		if got := len(frames(t, text)); got != n+1 {
			t.Errorf("%s: %d frames, want %d: %s", f, got, n+1, text)
		}
		for i, line := range lines {
			data := strings.HasPrefix(line, "data: {")
			if f == "sse" && (i%2 == 0) != data || f == "json" && !strings.HasPrefix(line, "{") {
				t.Errorf("%s: line %d is %q", f, i, line)
			}
		}
	}
}

// TestPanickingValues checks that a value that panics costs one event's metadata, in each format.
func TestPanickingValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Metadata: []string{"value"}})
		visits := map[string]*visit{}
		for _, f := range []string{"text", "html", "json", "sse"} {
			visits[f] = r.watchAt(t, query("format", f))
		}
		pattern := r.watchAt(t, query("format", "json", "pattern", "log_format_failed"))
		r.logger.Info("before")
		r.logger.Info("during", "value", bomb{})
		r.logger.Info("during", "value", spile.Lazy(func() slog.Value { panic("boom") }))
		r.logger.Info("after")
		settle()
		for f, v := range visits {
			got := v.String()
			if !strings.Contains(got, "before") || !strings.Contains(got, "after") ||
				strings.Count(got, "log_format_failed") < 2 || strings.Count(got, "during") != 2 {
				t.Errorf("%s: got %s", f, got)
			}
		}
		if n := len(frames(t, pattern.String())); n != 3 {
			t.Errorf("%d frames match the pattern", n)
		}
		if n := r.tap.sink.Failed(); n != 0 {
			t.Errorf("%d records failed", n)
		}
	})
}

// table is a page of its own kind.
type table struct{}

func (table) AppendHead(dst []byte) []byte { return append(dst, "<table>"...) }
func (table) AppendFoot(dst []byte) []byte { return append(dst, "</table>"...) }
func (table) Append(dst []byte, e *event.Event) []byte {
	if e.Message == "boom" {
		panic(e.Message)
	}
	dst = append(append(dst, "<tr><td>"...), e.Message...)
	return append(event.AppendMetadata(dst, e.Metadata), "</td></tr>"...)
}

func (table) AppendNotice(dst []byte, text string) []byte {
	return append(append(dst, "<caption>"...), text...)
}

func TestOwnPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{HTML: table{}, Metadata: []string{"b", "a"}})
		v := r.watchAt(t, "/?format=html")
		r.logger.Info("row", "a", 1, "secret", 2, "b", 3)
		r.logger.Info("boom")
		settle()
		if err := r.tap.Close(t.Context()); err != nil {
			t.Error(err)
		}
		got := v.String()
		if !strings.HasPrefix(got, `<table><tr><td>row{"b":3,"a":1}</td></tr>`) || !strings.Contains(got, "log_format_failed") ||
			!strings.HasSuffix(got, "<caption>the stream ended: the log was closed</table>") {
			t.Errorf("got %s", got)
		}
	})
}

// TestOwnText checks a text format without notices of its own.
func TestOwnText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{Text: &format.Logfmt{}, Metadata: []string{"user"}})
		v := r.watchAt(t, "/?format=text")
		r.logger.Info("hello there", "user", "ann", "x", 1)
		settle()
		if got := v.String(); !strings.HasPrefix(got, "time=2000-01-01T00:00:00.000Z level=info") ||
			!strings.HasSuffix(got, " user=ann text=\"hello there\"\n") {
			t.Errorf("got %q", got)
		}
	})
}

// TestPlaces checks the keys that the place of a call gives, shown and as scopes.
func TestPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pkg = "github.com/spilelog/spile/tap"
		r := newRig(t, Options{Metadata: []string{"module", "function", "file", "line", "at", "mfa"}})
		v := r.watchAt(t, query("scope", "module:"+pkg, "format", "json"))
		other := r.watchAt(t, query("scope", "module:"+pkg+"/x", "format", "json"))
		own := r.watchAt(t, query("scope", "module:Elixir.MyApp.Foo", "format", "text"))
		r.logger.Info("here")
		r.logger.Info("named", "module", "Elixir.MyApp.Foo")
		settle()
		got := v.String()
		for _, want := range []string{
			`"module":"` + pkg + `"`, `"function":"TestPlaces.func1"`, `forms_test.go"`, `"line":`, `"mfa":"` + pkg + `.TestPlaces`,
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %s in %s", want, got)
			}
		}
		if len(frames(t, got)) != 2 || len(frames(t, other.String())) != 1 || strings.Count(own.String(), "\n") != 1 {
			t.Errorf("got %s\n%s\n%s", got, other, own)
		}
	})
}

// TestSlog runs slogtest through the frames of a stream, with others coming and going.
func TestSlog(t *testing.T) {
	for _, coming := range []bool{false, true} {
		var r *rig
		var v, other *visit
		n := 0
		slogtest.Run(t, func(t *testing.T) slog.Handler {
			r = newRig(t, Options{AllMetadata: true})
			v = r.watchAt(t, "/?format=json")
			if n++; coming && n%2 == 0 {
				other = r.watchAt(t, query("level", "trace", "format", "text"))
			}
			return r.handler
		}, func(t *testing.T) map[string]any {
			if other != nil {
				other.leave()
				other = nil
			}
			if err := r.tap.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(v.String()) {
				var f struct {
					Type, Timestamp, Level, Message string
					Metadata                        map[string]any
				}
				if err := json.Unmarshal([]byte(line), &f); err != nil {
					t.Fatal(err)
				}
				if f.Type != "log" {
					continue
				}
				out := f.Metadata
				out[slog.LevelKey], out[slog.MessageKey] = f.Level, f.Message
				if !strings.HasPrefix(f.Timestamp, "0001-") { // A frame has a time always.
					out[slog.TimeKey] = f.Timestamp
				}
				return out
			}
			t.Fatalf("no event in %s", v)
			return nil
		})
	}
}

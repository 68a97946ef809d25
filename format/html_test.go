package format

import (
	"errors"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
)

// paragraph is the only markup that an event may have.
var paragraph = regexp.MustCompile(
	`^<p class="[a-z]+">(?:<span class="time">[0-9:.]{12}</span> )?<span class="level">\[[a-z]+\]</span> ` +
		`(?:<span class="metadata">([^<>"']*)</span>)?<br><span class="message colorlevel">([^<>"']*)</span></p>\n$`,
)

// checkHTML checks that an event is one line and has no markup but ours; it gives the text that a browser shows of the
// message.
func checkHTML(t *testing.T, line []byte) string {
	t.Helper()
	parts := paragraph.FindSubmatch(line)
	if parts == nil {
		t.Fatalf("markup of a stranger: %q", line)
	}
	message := html.UnescapeString(string(parts[2]))
	for _, text := range []string{message, html.UnescapeString(string(parts[1]))} {
		if !utf8.ValidString(text) || strings.IndexFunc(text, dangerous) >= 0 {
			t.Fatalf("something dangerous in %q", text)
		}
	}
	return message
}

func TestHTML(t *testing.T) {
	at := time.Date(2024, 1, 15, 12, 6, 30, 100999999, time.UTC)
	metadata := event.Metadata{
		field("user", event.String("alice b")),
		field("list", event.Any([]string{"a"})),
		field("n", event.Nil()),
		field("http", group(field("code", event.Int(200)), field("", group(field("ok", event.Bool(false)))))),
		field(
			"",
			group(field("d", event.Duration(time.Second))),
		),
		field("err", event.Any(errors.New("<no>"))),
		field("a<b", event.JSON(`{"x":'&'}`)),
	}
	tests := []struct {
		name   string
		format HTML
		event  event.Event
		want   string
	}{
		{
			"zero",
			HTML{},
			event.Event{},
			`<p class="info"><span class="level">[info]</span> <br><span class="message colorlevel"></span></p>`,
		},
		{
			"no-keys",
			HTML{UTC: true},
			event.Event{Time: at, Level: event.Error, Message: "a\n<b>", Metadata: metadata},
			`<p class="error"><span class="time">12:06:30.100</span> <span class="level">[error]</span> <br>` +
				`<span class="message colorlevel">a\n&lt;b&gt;</span></p>`,
		},
		{
			"keys",
			HTML{Keys: []string{"http.code", "none", "list", "user", "http"}},
			event.Event{Level: event.Warning, Metadata: metadata},
			`<p class="warning"><span class="level">[warning]</span> ` +
				`<span class="metadata">http.code=200 user=&#34;alice b&#34; http.code=200 http.ok=false </span>` +
				`<br><span class="message colorlevel"></span></p>`,
		},
		{
			"all-keys",
			HTML{AllKeys: true, Keys: []string{"user"}},
			event.Event{Metadata: metadata},
			`<p class="info"><span class="level">[info]</span> ` +
				`<span class="metadata">user=&#34;alice b&#34; http.code=200 http.ok=false ` +
				`d=1s err=&lt;no&gt; a&lt;b=&#34;{\&#34;x\&#34;:&#39;&amp;&#39;}&#34; </span>` +
				`<br><span class="message colorlevel"></span></p>`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.format.Append(nil, &tt.event)
			if diff := cmp.Diff(tt.want+"\n", string(got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			checkHTML(t, got)
		})
	}
}

func TestPage(t *testing.T) {
	h := &HTML{Title: `</title><script>"&`}
	page := string(h.AppendHead(nil))
	if !strings.Contains(page, "<title>&lt;/title&gt;&lt;script&gt;&#34;&amp;</title>") ||
		!strings.HasSuffix(page, "<body>\n") {
		t.Errorf("got %s", page)
	}
	if strings.Contains(page, "<script") || strings.Count(page, "<style>") != 1 || strings.Contains(page, "style=") {
		t.Errorf("a policy could not allow this: %s", page)
	}
	for i := range event.NumLevels {
		if word := event.LevelAt(i).String(); !strings.Contains(page, "."+word+" .colorlevel") {
			t.Errorf("no colour for %s", word)
		}
	}
	if got := string((&HTML{}).AppendHead(nil)); !strings.Contains(got, "<title>Log</title>") {
		t.Errorf("got %s", got)
	}
	if got := string(h.AppendFoot(nil)); got != "</body>\n</html>\n" {
		t.Errorf("got %s", got)
	}
}

func TestHTMLTimesAreLocal(t *testing.T) {
	at := time.Date(2024, 1, 15, 12, 6, 30, 0, time.FixedZone("", 5*60))
	want := `<span class="time">` + at.Local().Format("15:04:05.000") + `</span>`
	if got := string((&HTML{}).Append(nil, &event.Event{Time: at})); !strings.Contains(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
}

func FuzzHTML(f *testing.F) {
	f.Add("message", "key", "value")
	f.Add("<script>", `"><img src=x onerror=alert(1)>`, "'&\u202e\xff\n")
	f.Fuzz(func(t *testing.T, message, key, value string) {
		e := event.Event{Time: time.Unix(0, 0), Message: message, Metadata: event.Metadata{
			field(key, event.String(value)), field(value, group(field(key, event.JSON(value)))),
		}}
		if got := unescape(checkHTML(t, (&HTML{AllKeys: true}).Append(nil, &e))); got != Prune(message) {
			t.Errorf("got %q, want %q", got, Prune(message))
		}
	})
}

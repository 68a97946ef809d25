package format

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
)

// bomb panics in each of its methods.
type bomb struct{ with any }

func (b bomb) Error() string { panic(b.with) }

// grumbler is an error whose text cannot be had.
type grumbler struct{}

func (grumbler) Error() string { panic(grumbler{}) }

// hollow has the methods of a formatter that it does not have.
type hollow struct{ *JSON }

func TestAppendWithoutPanic(t *testing.T) {
	f := Func(func(dst []byte, e *event.Event) []byte { return append(dst, e.Message...) })
	if got := string(Append(f, []byte("before "), &event.Event{Message: "m"})); got != "before m" {
		t.Errorf("got %q", got)
	}
}

func TestFallback(t *testing.T) {
	explode := func(with any) *event.Event {
		return &event.Event{
			Time: time.UnixMilli(1705312800123), Level: event.Warning, Source: "shop", Message: "hello\nworld",
			Metadata: event.Metadata{field("before", event.Int(1)), field("err", event.Any(bomb{with}))},
		}
	}
	tests := []struct {
		name      string
		formatter Formatter
		event     *event.Event
		want      string
	}{
		{
			"logfmt", &Logfmt{}, explode("boom"),
			`time=2024-01-15T10:00:00.123Z level=error what=log_format_failed reason=boom class=panic source=shop ` +
				`formatter=*format.Logfmt original_level=warning original_message="hello\nworld"` + "\n",
		},
		{
			"json", &JSON{}, explode(errors.New("boom")),
			`{"timestamp":"2024-01-15T10:00:00.123Z","level":"error","source":"shop","message":"log_format_failed",` +
				`"what":"log_format_failed","class":"panic","reason":"boom","formatter":"*format.JSON",` +
				`"original_level":"warning","original_message":"hello\nworld"}` + "\n",
		},
		{
			"html", &HTML{UTC: true, Keys: []string{"err"}}, explode("<b>"),
			`<p class="error"><span class="time">10:00:00.123</span> <span class="level">[error]</span> ` +
				`<span class="metadata">class=panic reason=&lt;b&gt; formatter=*format.HTML original_level=warning ` +
				`original_message=&#34;hello\nworld&#34; </span><br>` +
				`<span class="message colorlevel">log_format_failed</span></p>` + "\n",
		},
		{
			"reason-panics", Func(func([]byte, *event.Event) []byte { panic(grumbler{}) }), &event.Event{},
			`level=error what=log_format_failed reason="a panic whose value has no text" class=panic ` +
				`formatter=format.Func original_level=info original_message=""` + "\n",
		},
		{
			"no-formatter", nil, &event.Event{Message: "m"},
			`level=error what=log_format_failed reason="runtime error: invalid memory address or nil pointer dereference" ` +
				`class=panic formatter=<nil> original_level=info original_message=m` + "\n",
		},
		{
			"no-event", &JSON{}, nil,
			`{"level":"error","message":"log_format_failed","what":"log_format_failed","class":"panic",` +
				`"reason":"runtime error: invalid memory address or nil pointer dereference",` +
				`"formatter":"*format.JSON","original_level":"info","original_message":""}` + "\n",
		},
		{
			"hollow",
			hollow{},
			&event.Event{},
			`level=error what=log_format_failed reason="runtime error: invalid memory address or nil pointer dereference" ` +
				`class=panic formatter=format.hollow original_level=info original_message=""` + "\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := string(Append(tt.formatter, append(make([]byte, 0, 4096), "before\n"...), tt.event))
			if diff := cmp.Diff("before\n"+tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFallbackIsBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	e := &event.Event{Message: long, Metadata: event.Metadata{field("err", event.Any(bomb{long}))}}
	got := Append(&JSON{}, nil, e)
	if len(got) > 3*DefaultLimit || !json.Valid(got) {
		t.Errorf("%d bytes", len(got))
	}
}

func TestFallbackKeepsItsForm(t *testing.T) {
	e := &event.Event{
		Message:  hostileText,
		Source:   hostileText,
		Metadata: event.Metadata{field("err", event.Any(bomb{hostileText}))},
	}
	var object map[string]string
	out := Append(&JSON{}, nil, e)
	if err := json.Unmarshal(out, &object); err != nil || object["reason"] != Prune(hostileText) {
		t.Errorf("%s: %v", out, err)
	}
	if pairs := readLogfmt(
		t,
		Append(&Logfmt{}, nil, e),
	); pairs[len(pairs)-1] != [2]string{
		"original_message",
		Prune(hostileText),
	} {
		t.Errorf("got %q", pairs)
	}
	checkHTML(t, Append(&HTML{}, nil, e))
}

// TestPlacesAreForManyAtOnce is for the race detector: a formatter makes its cache of places when it is first used.
func TestPlacesAreForManyAtOnce(t *testing.T) {
	l, j := &Logfmt{}, &JSON{At: true}
	e := event.Event{PC: here(), Message: "m"}
	wantLine, wantObject := string((&Logfmt{}).Append(nil, &e)), string((&JSON{At: true}).Append(nil, &e))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				if got := string(Append(l, nil, &e)); got != wantLine {
					t.Errorf("got %s, want %s", got, wantLine)
				}
				if got := string(Append(j, nil, &e)); got != wantObject {
					t.Errorf("got %s, want %s", got, wantObject)
				}
			}
		})
	}
	all.Wait()
}

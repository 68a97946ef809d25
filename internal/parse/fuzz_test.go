package parse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spilelog/spile/event"
)

// checkLine checks what holds for every line: valid JSON in one line, unique keys, one level, a message, and that
// reading the line a second time gives the same.
func checkLine(t testing.TB, line string) {
	t.Helper()
	var p Parser
	var ev event.Event
	level, ok := p.Level(line)
	p.Parse(line, testNow, &ev)
	if ok && level != ev.Level {
		t.Errorf("%q: Level = %v, but Parse finds %v", line, level, ev.Level)
	}
	if ev.Message == "" && line != "" {
		t.Errorf("%q: empty message", line)
	}
	seen := make(map[string]bool)
	for _, f := range ev.Metadata {
		if seen[f.Key] {
			t.Errorf("%q: key %q twice", line, f.Key)
		}
		seen[f.Key] = true
	}
	out := append(event.AppendMembers([]byte{'{'}, &ev), '}')
	if !json.Valid(out) || !utf8.Valid(out) || bytes.IndexByte(out, '\n') >= 0 {
		t.Errorf("%q: not JSON in one line: %q", line, out)
	}
	// Where the line has no year, Time completes it by the clock and Parse by testNow.
	if own, ok := p.Time(line); ok && !ev.Time.Equal(own) && ev.Time.Year() == own.Year() {
		t.Errorf("%q: Time = %v, but Parse finds %v", line, own, ev.Time)
	}
	ev.Reset()
	p.Parse(line, testNow, &ev)
	if again := append(event.AppendMembers([]byte{'{'}, &ev), '}'); !bytes.Equal(out, again) {
		t.Errorf("%q: second time %q, first %q", line, again, out)
	}
	var c Counter
	c.Count([]byte(line + "\n"))
	if !strings.HasSuffix(line, "\r") && c.Lines == 1 && c.Levels[ev.Level.Index()] != 1 {
		t.Errorf("%q: Counter = %v, but Parse finds %v", line, c.Levels, ev.Level)
	}
}

func FuzzParse(f *testing.F) {
	for _, line := range benchLines {
		f.Add(line)
	}
	for _, line := range []string{
		"", "{", "{}", `{"a":[[[`, `{"\u0061":"\ud83d"}`, "{\"a\":{\"\xff\":1}}", `{"level":"x`, `a=`, `a="\`, `a=1 b`,
		`<34>`, `<34>1 -`, `<191>1 - - - - - [a b="c"] x`, `<34>Oct  1 22:14:15 `, `Jan 15 10:00:00 h a[`, "\ufeff",
		`I0115 10:00:00.123456 1 f] "`, `2024/01/15 10:00:00 [error] 1#1`, `[Mon Jan 15 10:00:00 2024] [error]`,
		`h - - [15/Jan/2024:10:00:00 +0000] "" 200`, `2024-01-15T10:00:00.123456Z h t:`, `level=error`,
		`[error] x`, `a <WARN> b`, `{"ts":1e9,"time":"99999999999999999999"}`, `{"a":"\ud800\u0061"}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.IndexByte(line, '\n') < 0 {
			checkLine(t, line)
		}
	})
}

// FuzzJSON holds the scan of JSON against encoding/json: a line becomes fields exactly if it is a valid object.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":1}`, `{"a":-0.5e+3}`, `{"a":01}`, `{"a":"\x"}`, `{"a":tru}`, `{"a":1,}`, `{ }`, `{"a":[],"b":{}} `,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if !strings.HasPrefix(line, "{") || strings.Count(line, "[")+strings.Count(line, "{") > maxDepth {
			return
		}
		var p Parser
		var ev event.Event
		if got, want := p.jsonMembers(line, -1, &ev), json.Valid([]byte(line)); got != want {
			t.Errorf("%q: valid = %v, want %v", line, got, want)
		}
	})
}

func TestManyFields(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"msg":"m"`)
	for i := range 3000 {
		fmt.Fprintf(&b, `,"k%d":%d`, i%1000, i)
	}
	b.WriteString("}")
	var p Parser
	for range 2 {
		var ev event.Event
		p.Parse(b.String(), testNow, &ev)
		if n := len(ev.Metadata); n != 1000 {
			t.Fatalf("%d fields, want 1000", n)
		}
		if v, _ := ev.Metadata.Get("k999"); v.Text() != "2999" {
			t.Errorf("k999 = %s, want 2999", v.Text())
		}
	}
}

func TestDeepJSON(t *testing.T) {
	checkLine(t, `{"level":"error","a":`+strings.Repeat("[", 60000))
	checkLine(t, `{"a":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)+"}")
}

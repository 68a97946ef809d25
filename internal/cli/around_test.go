package cli

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// aroundFlag makes the request of spile tail with arguments.
func aroundFlag(t *testing.T, args ...string) (wire.Context, error) {
	t.Helper()
	a := &app{Surroundings: Surroundings{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}}
	cmd := a.tailCommand()
	flags := &tailFlags{}
	cmd.ResetFlags()
	flags.add(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return wire.Context{}, err
	}
	req, err := flags.request()
	return req.Context, err
}

func TestContextFlags(t *testing.T) {
	for _, test := range []struct {
		args string
		want wire.Context
	}{
		{"", wire.Context{}},
		{"-A 3", wire.Context{After: 3}},
		{"-B 2", wire.Context{Before: 2}},
		{"-C 5", wire.Context{Before: 5, After: 5}},
		{"-A 1 -C 5", wire.Context{Before: 5, After: 1}},
		{"-C 5 -B 0", wire.Context{After: 5}},
		{"--context 100 --after-context 0 --before-context=7", wire.Context{Before: 7}},
	} {
		got, err := aroundFlag(t, strings.Fields(test.args)...)
		if err != nil || got != test.want {
			t.Errorf("%s: %+v %v", test.args, got, err)
		}
	}
	for _, bad := range []string{"-A 101", "-B -1", "-C x", "-C 1.5"} {
		if _, err := aroundFlag(t, strings.Fields(bad)...); err == nil || !strings.Contains(err.Error(), "from 0 to 100") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// placed is a frame at a place.
func placed(t *testing.T, file string, from, to int, context string) client.Frame {
	t.Helper()
	return logOf(t, fmt.Sprintf(`{"type":"log","timestamp":"2024-01-15T10:00:00.123Z","level":"INFO","source":"app",`+
		`"message":"%[1]s%[2]d","metadata":{"host":"h","file":"/%[1]s","offset":%[2]d,"end_offset":%[3]d},`+
		`"raw":"%[1]s%[2]d"%[4]s,"agent":"id-1","epoch":1,"seq":2}`, file, from, to, context))
}

func TestGroupsAreSeparated(t *testing.T) {
	const near = `,"context":true`
	frames := []client.Frame{
		placed(t, "a", 10, 20, near), placed(t, "a", 20, 30, ""), placed(t, "a", 40, 50, ""), placed(t, "b", 50, 60, near),
		placed(t, "b", 60, 70, ""),
		{Control: &wire.Control{}, Line: []byte("{}")},
		placed(t, "b", 70, 80, near),
	}
	other := placed(t, "b", 80, 90, "")
	other.Log.Agent = "id-2"
	// A frame of an agent that tells no ends: nothing is known of it, and nothing said.
	blind := placed(t, "c", 5, 9, "")
	blind.Log.Metadata = []byte(`{"file":"/c","offset":5}`)
	frames = append(frames, other, blind)
	const raw = "a10\na20\n--\na40\n--\nb50\nb60\nb70\n--\nb80\nc5\n"
	for _, test := range []struct {
		output string
		want   string
	}{
		{"raw", raw},
		{"$message", raw},
		{"$message\n", raw},
		{"logfmt", ""},
		{"csv", ""},
		{"json", ""},
	} {
		o := outputOf(t, test.output)
		o.groups = true
		var text []byte
		for _, f := range frames {
			text = o.append(text, f)
		}
		if test.want != "" && string(text) != test.want || test.want == "" && strings.Contains(string(text), "\n--\n") {
			t.Errorf("%s: %s", test.output, text)
		}
	}
	for _, output := range []string{"pretty", "text"} {
		o := outputOf(t, output)
		o.groups = true
		var text []byte
		for _, f := range frames {
			text = o.append(text, f)
		}
		if n := strings.Count(string(text), "\n--\n"); n != 3 || strings.Contains(string(text), "offset") != (output == "text") {
			t.Errorf("%s: %d separators in %s", output, n, text)
		}
	}
	// Without context lines never follow on one another, and nobody wants that told.
	o := outputOf(t, "raw")
	if text := o.append(o.append(nil, frames[0]), frames[2]); string(text) != "a10\na40\n" {
		t.Errorf("without context: %s", text)
	}
}

func TestContextIsDim(t *testing.T) {
	o := outputOf(t, outputPretty)
	o.colour, o.groups = true, true
	near := string(o.append(nil, placed(t, "a", 10, 20, `,"context":true`)))
	if near != styleDim+"10:00:00.123 INFO  app a10"+styleReset+"\n" {
		t.Errorf("context: %q", near)
	}
	match := string(o.append(nil, placed(t, "a", 30, 40, "")))
	if !strings.HasPrefix(match, styleDim+"--"+styleReset+"\n") || !strings.Contains(match, styleInfo) {
		t.Errorf("match: %q", match)
	}
}

func TestConditionsCountMatchesOnly(t *testing.T) {
	near, match := placed(t, "a", 1, 2, `,"context":true`).Log, placed(t, "a", 2, 3, "").Log
	c, err := newConditions(&tailFlags{expect: 2})
	if err != nil {
		t.Fatal(err)
	}
	for i, log := range []*wire.Log{near, match, near, near, match} {
		if got := c.take(log); got != (i == 4) {
			t.Errorf("line %d decides: %v", i, got)
		}
	}
	c, err = newConditions(&tailFlags{until: "a", failOn: "a1"})
	if err != nil {
		t.Fatal(err)
	}
	if c.take(near) || !c.take(match) || c.failed {
		t.Errorf("%+v", c)
	}
}

package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// nasty is a frame in which every text tries to command the terminal.
const nasty = `{"type":"log","timestamp":"2024-01-15T10:00:00.123Z","level":"WARN","source":"a\u001b[2Jpp",` +
	`"message":"bad\nline \u202e","metadata":{"host":"web-1","file":"/a","user id":"x y","n":1.50,"ok":true,` +
	`"o":{"k":[1, 2]},"e":"","k\u0007":"\u009b"},"raw":"b\u001b[0m\nr","agent":"id-1","epoch":1,"seq":2}`

// logOf is the frame of a line of JSON.
func logOf(t testing.TB, line string) client.Frame {
	t.Helper()
	log := new(wire.Log)
	if err := json.Unmarshal([]byte(line), log); err != nil {
		t.Fatal(err)
	}
	return client.Frame{Log: log, Line: []byte(line)}
}

// outputOf makes an output in UTC.
func outputOf(t testing.TB, text string, columns ...string) *output {
	t.Helper()
	o, err := newOutput(outputOptions{text: text, columns: columns, zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOutputs(t *testing.T) {
	tests := []struct {
		name, output, want string
		columns            []string
		names              map[string]string
	}{
		{name: "json", output: "json", want: nasty + "\n"},
		{name: "raw", output: "raw", want: "b\x1b[0m\nr\n"},
		{name: "text", output: "text", want: `2024-01-15T10:00:00.123Z WARN  a\x1b[2Jpp bad\nline \u202e host=web-1 ` +
			`file=/a user id="x y" n=1.50 ok=true o={"k":[1, 2]} e="" k\x07=\u009b` + "\n"},
		{name: "pretty-plain", output: "pretty", want: `10:00:00.123 WARN  a\x1b[2Jpp bad\nline \u202e ` +
			`user id="x y" n=1.50 ok=true o={"k":[1, 2]} e="" k\x07=\u009b` + "\n"},
		{
			name: "several-agents", output: "pretty", names: map[string]string{"id-1": "web-1", "id-2": "web-2"},
			want: `10:00:00.123 WARN  web-1 a\x1b[2Jpp bad\nline \u202e ` +
				`user id="x y" n=1.50 ok=true o={"k":[1, 2]} e="" k\x07=\u009b` + "\n",
		},
		{
			name: "pattern", output: "$date $time [$level] $source@$node/$agent $message costs $5$",
			names: map[string]string{"id-1": "one"},
			want:  `2024-01-15 10:00:00.123 [warning] a\x1b[2Jpp@web-1/one bad\nline \u202e costs $5$` + "\n",
		},
		{name: "pattern-metadata", output: "$metadata[$level]", want: `host=web-1 file=/a "user id"="x y" n=1.50 ok=true ` +
			`o="{\"k\":[1, 2]}" e="" "k\u0007"="\u009b" [warning]` + "\n"},
		{name: "pattern-of-columns", output: "$metadata$level", columns: []string{"n", "none", "host"}, want: "n=1.50 host=web-1 warning\n"},
		{name: "logfmt", output: "logfmt", want: `time=2024-01-15T10:00:00.123Z level=warning text="bad\nline \u202e" ` +
			`source="a\u001b[2Jpp" host=web-1 file=/a user\u0020id="x y" n=1.50 ok=true o="{\"k\":[1, 2]}" e="" ` +
			`k\u0007="\u009b"` + "\n"},
		{
			name: "csv", output: "csv", columns: []string{"time", "level", "message", "o.k", "n", "none"},
			want: `2024-01-15T10:00:00.123Z,WARN,bad\nline \u202e,"[1, 2]",1.50,` + "\n",
		},
		{name: "text-columns", output: "text", columns: []string{"time", "user id", "level", "metadata"}, want: "2024-01-15T10:00:00.123Z\tx y\tWARN\t" +
			`{"host":"web-1","file":"/a","user id":"x y","n":1.50,"ok":true,"o":{"k":[1, 2]},"e":"","k\u0007":"\u009b"}` + "\n"},
		{name: "pretty-columns", output: "pretty", columns: []string{"level", "date", "node", "n"}, want: "WARN  2024-01-15 web-1 1.50\n"},
		{name: "pattern-with-line-end", output: "\n$level\n", want: "\nwarning\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := outputOf(t, tt.output, tt.columns...)
			o.names = tt.names
			if got := string(o.append(nil, logOf(t, nasty))); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestColumnsStandInLine(t *testing.T) {
	o := outputOf(t, outputPretty, "source", "level", "message")
	var got []byte
	for _, source := range []string{"app", "nginx/error", "x"} {
		got = o.append(got, client.Frame{Log: &wire.Log{Level: "INFO", Source: source, Message: "m"}})
	}
	want := "app INFO  m\nnginx/error INFO  m\nx           INFO  m\n"
	if string(got) != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestCSVCommandsNoSpreadsheet(t *testing.T) {
	tests := []struct{ name, message, want string }{
		{"formula", "=1+1", "'=1+1"},
		{"command", "@SUM(A1)", "'@SUM(A1)"},
		{"list", "- a", "'- a"},
		{"number", "-5.5", "-5.5"},
		{"quoted", "a,\"b\"", `"a,""b"""`},
		{"plain", "a=b", "a=b"},
		{"tab", "\t=1", "'\t=1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := outputOf(t, outputCSV, "message")
			if string(o.head) != "message\n" {
				t.Errorf("head %q", o.head)
			}
			if got := string(o.append(nil, client.Frame{Log: &wire.Log{Message: tt.message}})); got != tt.want+"\n" {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOutputColours(t *testing.T) {
	o := outputOf(t, outputPretty)
	o.colour = true
	line := `{"type":"log","timestamp":"2024-01-15T10:00:00Z","level":"ERROR","source":"app","message":"m",` +
		`"metadata":{"k":"v"},"agent":"a","epoch":1,"seq":1}`
	want := "\x1b[2m10:00:00.000\x1b[0m \x1b[31mERROR\x1b[0m \x1b[36mapp\x1b[0m m \x1b[2mk=\x1b[0mv\n"
	if got := string(o.append(nil, logOf(t, line))); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestOutputOfControlFrames(t *testing.T) {
	tests := []struct {
		name, output string
		event        wire.Event
		want         string
	}{
		{name: "json-gap", output: "json", event: wire.EventGap, want: "{}\n"},
		{name: "json-heartbeat", output: "json", event: wire.EventHeartbeat},
		{name: "text-gap", output: "text", event: wire.EventGap},
		{name: "raw-end", output: "raw", event: wire.EventSessionEnded},
		{name: "pattern-end", output: "$level", event: wire.EventSessionEnded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := outputOf(t, tt.output)
			f := client.Frame{Control: &wire.Control{Event: tt.event}, Line: []byte("{}")}
			if got := string(o.append(nil, f)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOutputRefuses(t *testing.T) {
	tests := []struct {
		name, output string
		columns      []string
		want         string
	}{
		{name: "no-field", output: "jsn", want: "must be one of pretty, json, logfmt, text, csv, raw, or a pattern"},
		{name: "unknown-field", output: "$time $levels", want: "$levels"},
		{name: "first-of-two", output: "$bad $worse", want: "$bad"},
		{name: "after-ours", output: "$source $worse", want: "$worse"},
		{name: "empty", output: "", want: "must be one of"},
		{name: "columns-of-json", output: "json", columns: []string{"time"}, want: "--columns: -o json has none"},
		{name: "columns-of-raw", output: "raw", columns: []string{"time"}, want: "--columns: -o raw has none"},
		{name: "own-column-in-pattern", output: "$metadata", columns: []string{"level"}, want: "level is no metadata"},
		{name: "column-without-name", output: "csv", columns: []string{"time", " "}, want: "has no name"},
		{name: "too-many-columns", output: "csv", columns: make([]string, 65), want: "65 columns, must be at most 64"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newOutput(outputOptions{text: tt.output, columns: tt.columns, zone: time.UTC})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzOutputNeverCommandsTheTerminal(f *testing.F) {
	f.Add("m\x1b[2J", "k\x07", "v\u202e", "s\n")
	f.Add("\xff\x9b", "=", "\u2028", "\x7f")
	f.Fuzz(func(t *testing.T, message, key, value, source string) {
		metadata, err := json.Marshal(map[string]any{key: value, "nested": map[string]string{key: value}})
		if err != nil {
			return
		}
		frame := client.Frame{Log: &wire.Log{Message: message, Metadata: metadata, Source: source, Level: key, Agent: value}}
		for _, text := range []string{
			"pretty", "text", "logfmt", "csv", "$time $date $level $message $metadata $source $agent $node",
		} {
			o := outputOf(t, text)
			o.names = map[string]string{value: value, "": source}
			got := string(o.append(nil, frame))
			if !strings.HasSuffix(got, "\n") || forbidden(strings.TrimSuffix(got, "\n")) {
				t.Errorf("%s printed %q", text, got)
			}
		}
	})
}

// TestPatternKnowsItsWords holds the words that a refusal lists to those that a pattern takes.
func TestPatternKnowsItsWords(t *testing.T) {
	for _, name := range ownColumns() {
		if _, err := newPatternPrinter("<$"+name+">", nil, time.UTC); err != nil {
			t.Errorf("$%s is listed and refused: %v", name, err)
		}
	}
	_, err := newPatternPrinter("$agent $nope", nil, time.UTC)
	if err == nil || !strings.HasSuffix(err.Error(), `"$nope" is no word of a pattern: must be one of `+
		"$time, $date, $level, $agent, $node, $source, $message, $metadata") {
		t.Errorf("got %v", err)
	}
}

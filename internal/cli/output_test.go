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

func TestOutputs(t *testing.T) {
	tests := []struct {
		name, output, want string
		colour             bool
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
		{name: "pattern-metadata", output: "$metadata[$level]", want: `host=web-1 file=/a user id="x y" n=1.50 ok=true ` +
			`o={"k":[1, 2]} e="" k\x07=\u009b [warning]` + "\n"},
		{name: "pattern-with-line-end", output: "\n$level\n", want: "\nwarning\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := parseOutput(tt.output)
			if err != nil {
				t.Fatal(err)
			}
			o.zone, o.names, o.colour = time.UTC, tt.names, tt.colour
			if got := string(o.append(nil, logOf(t, nasty))); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestOutputColours(t *testing.T) {
	o := &output{kind: outputPretty, zone: time.UTC, colour: true}
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
			o, err := parseOutput(tt.output)
			if err != nil {
				t.Fatal(err)
			}
			f := client.Frame{Control: &wire.Control{Event: tt.event}, Line: []byte("{}")}
			if got := string(o.append(nil, f)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestOutputRefuses(t *testing.T) {
	tests := []struct {
		name, output, want string
	}{
		{name: "no-field", output: "jsn", want: "must be one of pretty, json, text, raw, or a pattern"},
		{name: "unknown-field", output: "$time $levels", want: "unknown field $levels: must be one of $time, $date"},
		{name: "first-of-two", output: "$bad $worse", want: "unknown field $bad"},
		{name: "empty", output: "", want: "must be one of"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parseOutput(tt.output); err == nil || !strings.Contains(err.Error(), tt.want) {
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
		for _, text := range []string{"pretty", "text", "$time $date $level $message $metadata $source $agent $node"} {
			o, err := parseOutput(text)
			if err != nil {
				t.Fatal(err)
			}
			o.names = map[string]string{value: value, "": source}
			got := string(o.append(nil, frame))
			if !strings.HasSuffix(got, "\n") || forbidden(strings.TrimSuffix(got, "\n")) {
				t.Errorf("%s printed %q", text, got)
			}
		}
	})
}

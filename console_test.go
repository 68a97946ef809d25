package spile

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
)

func TestColourful(t *testing.T) {
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tests := map[string]struct {
		w    any
		env  map[string]string
		want bool
	}{
		"terminal":             {device, map[string]string{"TERM": "xterm"}, true},
		"terminal-unnamed":     {device, nil, true},
		"terminal-dumb":        {device, map[string]string{"TERM": "dumb"}, false},
		"terminal-no-color":    {device, map[string]string{"NO_COLOR": "1"}, false},
		"terminal-no-color-to": {device, map[string]string{"NO_COLOR": ""}, true},
		"file":                 {file, nil, false},
		"memory":               {&bytes.Buffer{}, nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := colourful(tt.w.(interface{ Write([]byte) (int, error) }), func(key string) string { return tt.env[key] }); got != tt.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// consoleEvent is a record that has what could forge a line.
func consoleEvent() *event.Event {
	return &event.Event{
		Time: time.Date(2024, 1, 15, 10, 0, 0, 123e6, time.Local), Level: event.Warning, Message: "slow\nforged",
		Metadata: event.Metadata{
			{Key: "user", Value: event.String("a b=c")},
			{Key: "list", Value: event.Any([]int{1, 2})},
			{Key: "g", Value: event.Group(&event.Metadata{{Key: "ok", Value: event.Bool(false)}})},
		},
	}
}

// TestConsoleDefaults prints one line with everything, and no colour into what is no terminal.
func TestConsoleDefaults(t *testing.T) {
	var out bytes.Buffer
	c := NewConsole(ConsoleOptions{Writer: &out})
	if err := c.Log(t.Context(), consoleEvent()); err != nil {
		t.Fatal(err)
	}
	want := `10:00:00.123 user="a b=c" list=[1,2] g.ok=false [warning] slow\nforged` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	if c.Name() != "console" || c.out.w != &out {
		t.Errorf("name %q", c.Name())
	}
	if c := NewConsole(ConsoleOptions{Name: "c"}); c.Name() != "c" || c.out.w != os.Stderr {
		t.Errorf("name %q, and it does not write to standard error", c.Name())
	}
}

// TestConsoleColours gives patterns colours where the output shows them, and where the pattern does not say otherwise.
func TestConsoleColours(t *testing.T) {
	pattern := func(o format.PatternOptions) *format.Pattern {
		o.Pattern = "$message\n"
		p, err := format.NewPattern(o)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, tt := range map[string]struct {
		colours bool
		f       format.Formatter
		want    bool
	}{
		"terminal":                 {true, pattern(format.PatternOptions{}), true},
		"no-terminal":              {false, pattern(format.PatternOptions{}), false},
		"terminal-default":         {true, nil, true},
		"no-terminal-default":      {false, nil, false},
		"terminal-but-never":       {true, pattern(format.PatternOptions{Colors: format.Colors{Mode: format.ColorNever}}), false},
		"no-terminal-but-always":   {false, pattern(format.PatternOptions{Colors: format.Colors{Mode: format.ColorAlways}}), true},
		"terminal-but-no-patttern": {true, messageOnly.Formatter, false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			c := NewConsole(ConsoleOptions{Writer: &out})
			c.colours, c.lines.standard = tt.colours, consoleFormatter().WithColor(tt.colours)
			c.SetFormatter(tt.f)
			if err := c.Log(t.Context(), consoleEvent()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(out.String(), "\x1b["); got != tt.want {
				t.Errorf("printed %q", out.String())
			}
		})
	}
}

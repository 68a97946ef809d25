package format

import (
	"strings"
	"testing"

	"github.com/spilelog/spile/event"
)

// mustPattern returns a formatter of options that are valid.
func mustPattern(t testing.TB, o PatternOptions) *Pattern {
	t.Helper()
	p, err := NewPattern(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestColors(t *testing.T) {
	tests := []struct {
		name   string
		colors Colors
		level  event.Level
		own    event.Value
		want   string
	}{
		{"trace-as-debug", Colors{}, event.Trace, event.Nil(), "\x1b[36mm\x1b[0m\n"},
		{"emergency-as-error", Colors{Error: "bright light_red"}, event.Emergency, event.Nil(), "\x1b[1m\x1b[91mm\x1b[0m\n"},
		{"own-text", Colors{}, event.Info, event.String("bright red"), "\x1b[1m\x1b[31mm\x1b[0m\n"},
		{"own-list", Colors{}, event.Info, event.Any([]string{"bright", "red"}), "\x1b[1m\x1b[31mm\x1b[0m\n"},
		{"own-unknown", Colors{}, event.Error, event.String("blu"), "\x1b[31mm\x1b[0m\n"},
		{"own-half-known", Colors{}, event.Error, event.Any([]string{"bright", "blu"}), "\x1b[31mm\x1b[0m\n"},
		{"own-empty", Colors{}, event.Error, event.String(""), "\x1b[31mm\x1b[0m\n"},
		{"own-false", Colors{}, event.Error, event.Bool(false), "\x1b[31mm\x1b[0m\n"},
		{"own-clear", Colors{}, event.Error, event.String("clear"), "\x1b[31mm\x1b[0m\n"},
		{"own-home", Colors{}, event.Error, event.Any([]string{"home"}), "\x1b[31mm\x1b[0m\n"},
		{"own-sequence", Colors{}, event.Error, event.String("\x1b[2J"), "\x1b[31mm\x1b[0m\n"},
		{"never", Colors{Mode: ColorNever}, event.Error, event.String("red"), "m\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPattern(t, PatternOptions{Pattern: "$metadata$message\n", AllKeys: true, Colors: tt.colors})
			e := event.Event{Level: tt.level, Message: "m", Metadata: event.Metadata{{Key: AnsiColorKey, Value: tt.own}}}
			if got := string(p.WithColor(true).Append([]byte("\n"), &e)); got != "\n"+tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWithColorAsksTheModeFirst(t *testing.T) {
	e := event.Event{Message: "m"}
	for _, tt := range []struct {
		name        string
		mode        ColorMode
		alone, with string
	}{
		{"auto", ColorAuto, "m", "\x1b[22mm\x1b[0m"},
		{"always", ColorAlways, "\x1b[22mm\x1b[0m", "\x1b[22mm\x1b[0m"},
		{"never", ColorNever, "m", "m"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := mustPattern(t, PatternOptions{Pattern: "$message", Colors: Colors{Mode: tt.mode}})
			if got := string(p.Append(nil, &e)); got != tt.alone {
				t.Errorf("alone: got %q, want %q", got, tt.alone)
			}
			if got := string(p.WithColor(true).Append(nil, &e)); got != tt.with {
				t.Errorf("with colour: got %q, want %q", got, tt.with)
			}
			if got := string(p.WithColor(true).WithColor(false).Append(nil, &e)); got != tt.alone {
				t.Errorf("back again: got %q, want %q", got, tt.alone)
			}
		})
	}
}

func TestUnknownColorsAreAllTold(t *testing.T) {
	_, err := NewPattern(PatternOptions{Colors: Colors{Mode: 9, Debug: "bright blu", Error: "clear"}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"mode of colors is 9", `debug has the unknown name "blu"`, `error has the unknown name "clear"`, "light_red_background"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

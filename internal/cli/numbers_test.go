package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/spilelog/spile/wire"
)

// commands are cmd and all below it.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, commands(sub)...)
	}
	return all
}

// TestEveryNumberSaysWhatIsAllowed gives each flag of each command that is no text what no number is. A flag of a type
// that is read by the library fails here, since the library says it in its own words.
func TestEveryNumberSaysWhatIsAllowed(t *testing.T) {
	app := &app{Surroundings{Getenv: func(string) string { return "" }}}
	seen := 0
	for _, cmd := range commands(app.root()) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			switch f.Value.Type() {
			case "string", "stringArray", "stringSlice", "list":
				return
			}
			seen++
			args := append(strings.Fields(cmd.CommandPath())[1:], "--"+f.Name+"=abc")
			got := run(t.Context(), nil, args...)
			want := "spile: --" + f.Name + `: "abc" must be `
			hint := "\nhint: see " + cmd.CommandPath() + " --help\n"
			if got.exit != wire.ExitUsage || !strings.HasPrefix(got.stderr, want) ||
				!strings.HasSuffix(got.stderr, hint) || strings.Contains(got.stderr, "strconv") {
				t.Errorf("%v: exit %d, %q", args, got.exit, got.stderr)
			}
		})
	}
	if seen < 20 {
		t.Errorf("only %d flags were looked at", seen)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Hour: "1h", 2 * time.Minute: "2m", 10 * time.Second: "10s", 90 * time.Minute: "1h30m",
		10*time.Minute + 10*time.Second: "10m10s", 20 * time.Hour: "20h", time.Hour + 5*time.Second: "1h0m5s",
	} {
		if got := short(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

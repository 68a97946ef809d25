package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// doctorFlags are the flags of spile doctor.
type doctorFlags struct {
	connection
	output string
	idle   seconds
}

// doctorLong is the help of spile doctor.
const doctorLong = `Look step by step for what keeps streams from coming through: the name, the port, the certificate,
the server, the token, the clock. Then the server sends timed messages over WebSocket, server-sent events and NDJSON,
whose arrival shows what proxies on the way do: strip the Upgrade header, hold answers back, compress them, remove
headers, cut them. What is wrong is told in words, with the lines for nginx or HAProxy that help. Of several proxies
on the way nobody can tell from the ends which one it is: then all are named that show themselves.

With --idle it also looks whether a stream lives that long on heartbeats alone, one every 15 s; 70s finds every
proxy with the usual limit of 60 s or less that does not let heartbeats count.

Exit status 0: nothing is in the way; 1: something is. Streams of Spile's clients come through all the same where
plain requests do: they fall back from WebSocket to server-sent events to polling.`

// doctorCommand is spile doctor.
func (a *app) doctorCommand() *cobra.Command {
	flags := &doctorFlags{}
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Find out what is in the way between here and the server",
		Long:    doctorLong,
		Example: "  spile doctor --server https://spile.example.org --token-file token\n  spile doctor --idle 70s -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if flags.output != outputText && flags.output != outputJSON {
				return usageError("", "-o: %q must be text or json", flags.output)
			}
			c, err := a.client(cmd, &flags.connection)
			if err != nil {
				return err
			}
			return a.doctor(cmd.Context(), c, flags)
		},
	}
	flags.connection.add(cmd)
	cmd.Flags().StringVarP(&flags.output, "output", "o", outputText, "text or json")
	cmd.Flags().Var(within{&flags.idle, 0, wire.MaxBeaconTime}, "idle",
		"also look whether a stream lives this long on heartbeats, at most 2m")
	return cmd
}

// errInTheWay is the error of an examination that found something. It was told already.
var errInTheWay = errors.New("something is in the way")

// doctor examines and tells.
func (a *app) doctor(ctx context.Context, c *client.Client, flags *doctorFlags) error {
	o := client.ExamineOptions{Idle: time.Duration(flags.idle)}
	text := flags.output == outputText
	colour := a.colours(a.Stdout)
	if text {
		fmt.Fprintf(a.Stdout, "%s\n\n", neutral(c.BaseURL()))
		o.OnResult = func(r client.Result) { fmt.Fprintln(a.Stdout, resultLine(r, colour)) }
	}
	found, err := c.Examine(ctx, o)
	if err != nil {
		return err
	}
	if text {
		fmt.Fprint(a.Stdout, examinationText(found))
	} else if err := a.printJSON(found); err != nil {
		return err
	}
	if !found.Good {
		return &failure{exit: wire.ExitFailed, err: errInTheWay}
	}
	return nil
}

// resultLine is one result for people.
func resultLine(r client.Result, colour bool) string {
	word := string(r.Outcome)
	if r.Outcome == client.OutcomeSkipped {
		word = "-"
	}
	line := fmt.Sprintf("%-8s %-10s %s", word, r.Check, neutral(r.Text))
	if !colour {
		return line
	}
	style, ok := map[client.Outcome]string{
		client.OutcomeProblem: styleError, client.OutcomeWarning: styleWarning, client.OutcomeSkipped: styleDim,
	}[r.Outcome]
	if !ok {
		return line
	}
	return style + line + styleReset
}

// examinationText says in plain words what is wrong, who does it, and what helps.
func examinationText(found *client.Examination) string {
	var b strings.Builder
	b.WriteByte('\n')
	if len(found.Hops) > 0 {
		fmt.Fprintf(&b, "Between here and the server: %s\n", neutral(strings.Join(found.Hops, ", ")))
	}
	if arrived := found.Arrived; arrived != nil && !found.Good {
		fmt.Fprintf(&b, "Requests arrive as %s for %s", neutral(arrived.Proto), neutral(arrived.Host))
		for _, name := range sortedKeys(arrived.Headers) {
			if name != "User-Agent" && name != "Accept-Encoding" {
				fmt.Fprintf(&b, ", %s: %s", neutral(name), neutral(strings.Join(arrived.Headers[name], ", ")))
			}
		}
		b.WriteByte('\n')
	}
	for _, t := range troubles(found) {
		t.write(&b)
	}
	if found.Good {
		b.WriteString("Nothing is in the way.\n")
	}
	if found.Transport != "" {
		fmt.Fprintf(&b, "Streams come by %s.\n", transportNames[found.Transport])
	}
	return b.String()
}

// trouble is one cause with everything that shows it.
type trouble struct {
	client.Finding
	outcome client.Outcome
	seen    []string
}

// write says what is wrong, who does it, and what helps.
func (t *trouble) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s: %s\n", t.outcome, strings.ReplaceAll(string(t.Cause), "_", " "))
	for _, seen := range t.seen {
		fmt.Fprintf(b, "  %s\n", neutral(seen))
	}
	if t.Hop != "" {
		fmt.Fprintf(b, "  by %s\n", neutral(t.Hop))
	}
	if strings.HasPrefix(t.Hop, "one of ") {
		b.WriteString("  which one cannot be told from here: run spile doctor against each, from the server outwards\n")
	}
	for _, cure := range t.Cures {
		fmt.Fprintf(b, "  %s:\n", cure.Proxy)
		for _, line := range cure.Lines {
			fmt.Fprintf(b, "      %s\n", line)
		}
	}
	b.WriteByte('\n')
}

// troubles are the causes that were found, each once: what cures it in one place cures it in all.
func troubles(found *client.Examination) []*trouble {
	var out []*trouble
	for _, r := range found.Results {
		for _, f := range r.Findings {
			i := slices.IndexFunc(out, func(t *trouble) bool { return t.Cause == f.Cause })
			if i < 0 {
				i = len(out)
				out = append(out, &trouble{Finding: f, outcome: r.Outcome})
			}
			out[i].seen = append(out[i].seen, string(r.Check)+": "+f.Text)
			if r.Outcome == client.OutcomeProblem {
				out[i].outcome = r.Outcome
			}
		}
	}
	return out
}

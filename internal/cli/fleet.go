package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// Outputs of lists.
const outputTable = "table"

// listFlags are the flags of commands that print a list.
type listFlags struct {
	connection
	output string
}

// add adds the flags to cmd.
func (l *listFlags) add(cmd *cobra.Command) {
	l.connection.add(cmd)
	cmd.Flags().StringVarP(&l.output, "output", "o", outputTable, "table or json")
}

// check refuses an unknown output before anything is asked of the server.
func (l *listFlags) check() error {
	if l.output != outputTable && l.output != outputJSON {
		return usageError("", "-o: %q must be table or json", l.output)
	}
	return nil
}

// agentsCommand is spile agents.
func (a *app) agentsCommand() *cobra.Command {
	flags := &listFlags{}
	cmd := &cobra.Command{
		Use:   "agents",
		Short: "List the agents of the fleet",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			c, err := a.client(cmd, &flags.connection)
			if err != nil {
				return err
			}
			list, err := c.Agents(cmd.Context())
			if err != nil {
				return err
			}
			if flags.output == outputJSON {
				return a.printJSON(list)
			}
			return a.printAgents(list.Agents, time.Now())
		},
	}
	flags.add(cmd)
	return cmd
}

// printAgents prints the table of agents.
func (a *app) printAgents(agents []wire.Agent, now time.Time) error {
	rows := [][]string{{"NAME", "STATUS", "SINCE", "SESSIONS", "LABELS", "SOURCES", "VERSION", "ID"}}
	var problems []string
	for _, agent := range agents {
		labels := make([]string, 0, len(agent.Labels))
		for _, key := range sortedKeys(agent.Labels) {
			labels = append(labels, key+"="+agent.Labels[key])
		}
		sources := make([]string, len(agent.Sources))
		for i, s := range agent.Sources {
			sources[i] = fmt.Sprintf("%s(%d)", s.Name, s.Files)
			if s.Problem != "" {
				sources[i] += "!"
			}
		}
		status := string(agent.Status)
		if agent.Problem != "" {
			status += "!"
			problems = append(problems, agent.Name+": "+agent.Problem)
		}
		rows = append(rows, []string{
			agent.Name, status, ago(agent.StatusSince, now),
			fmt.Sprint(agent.Sessions), strings.Join(labels, ","), strings.Join(sources, ","), agent.Version, agent.ID,
		})
	}
	if err := table(a.Stdout, rows); err != nil {
		return err
	}
	for _, problem := range problems {
		// Nobody is left to tell that it could not be told.
		_, _ = a.Stderr.Write(append(append([]byte("-- "), neutral(problem)...), '\n'))
	}
	return nil
}

// ago is how long ago t was, in its largest unit.
func ago(t wire.Time, now time.Time) string {
	const day = 24 * time.Hour
	if t.IsZero() {
		return "-"
	}
	d := max(now.Sub(t.Time), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// table prints rows in columns; what is empty is a dash.
func table(w io.Writer, rows [][]string) error {
	// The padding is two spaces between columns.
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		var line []byte
		for i, cell := range row {
			if i > 0 {
				line = append(line, '\t')
			}
			if cell == "" {
				cell = "-"
			}
			// A tab of the data would open a column of its own.
			line = appendNeutral(line, strings.ReplaceAll(cell, "\t", " "))
		}
		if _, err := tw.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return tw.Flush()
}

// printJSON prints v for programs and people.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// onlyOnline is the one agent that is online.
func onlyOnline(ctx context.Context, c *client.Client) (*wire.Agent, error) {
	list, err := c.Agents(ctx)
	if err != nil {
		return nil, err
	}
	var online []*wire.Agent
	var names []string
	for i := range list.Agents {
		if agent := &list.Agents[i]; agent.Status == wire.AgentOnline {
			online, names = append(online, agent), append(names, agent.Name)
		}
	}
	switch len(online) {
	case 1:
		return online[0], nil
	case 0:
		return nil, &failure{
			exit: wire.ExitRefused, hint: "spile agents lists them all",
			err: fmt.Errorf("no agent is online (%d known)", len(list.Agents)),
		}
	}
	return nil, usageError("", "name an agent; online are %s", strings.Join(names, ", "))
}

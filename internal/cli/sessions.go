package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/wire"
)

// sessionsCommand is spile sessions with its three ways; without one it lists.
func (a *app) sessionsCommand() *cobra.Command {
	list := a.sessionsList("sessions")
	list.Short = "List, stop or extend sessions"
	list.AddCommand(a.sessionsList("list"), a.sessionsStop(), a.sessionsExtend())
	return list
}

// sessionsList is spile sessions list, under a name.
func (a *app) sessionsList(use string) *cobra.Command {
	flags := &listFlags{}
	status := ""
	cmd := &cobra.Command{
		Use:   use,
		Short: "List the sessions",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.check(); err != nil {
				return err
			}
			c, err := a.client(cmd, &flags.connection)
			if err != nil {
				return err
			}
			sessions, err := c.Sessions(cmd.Context(), status)
			if err != nil {
				return err
			}
			if flags.output == outputJSON {
				return a.printJSON(sessions)
			}
			return a.printSessions(sessions.Sessions, time.Now())
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&status, "status", "", "active or ended (default active)")
	return cmd
}

// printSessions prints the table of sessions.
func (a *app) printSessions(sessions []wire.Session, now time.Time) error {
	rows := [][]string{{"ID", "AGENTS", "STATUS", "ENDS", "MODE", "VIEWERS", "BY", "FILTER"}}
	for i := range sessions {
		s := &sessions[i]
		ends := string(s.EndReason)
		if s.Status == wire.StatusActive {
			ends = "in " + max(s.ExpiresAt.Sub(now), 0).Round(time.Second).String()
		}
		rows = append(rows, []string{
			s.ID, agentNames(s), string(s.Status), ends, string(s.Mode),
			fmt.Sprint(s.Viewers), s.CreatedBy, filterText(s.Filters),
		})
	}
	return table(a.Stdout, rows)
}

// agentNames are the names of the session's agents, with commas.
func agentNames(s *wire.Session) string {
	names := make([]string, len(s.Agents))
	for i, agent := range s.Agents {
		names[i] = agent.Name
	}
	return strings.Join(names, ",")
}

// filterText is a filter as the flags of spile tail would say it.
func filterText(f wire.Filters) string {
	var parts []string
	if len(f.Level) > 0 {
		parts = append(parts, "level="+strings.Join(f.Level, ","))
	}
	if f.MinLevel != "" {
		parts = append(parts, "min-level="+f.MinLevel)
	}
	for _, source := range f.Source {
		parts = append(parts, "source="+source)
	}
	if f.Pattern != "" {
		parts = append(parts, fmt.Sprintf("pattern=%q", f.Pattern))
	}
	for _, scope := range f.Scope {
		parts = append(parts, "scope="+scope)
	}
	return strings.Join(parts, " ")
}

// sessionsStop is spile sessions stop.
func (a *app) sessionsStop() *cobra.Command {
	conn := &connection{}
	cmd := &cobra.Command{
		Use:   "stop ID",
		Short: "End a session now",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd, conn)
			if err != nil {
				return err
			}
			s, err := c.Stop(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printOutcome("%s ended (%s)\n", s.ID, s.EndReason)
		},
	}
	cmd.ValidArgsFunction = oneWord(a.completeSessions(conn))
	conn.add(cmd)
	return cmd
}

// sessionsExtend is spile sessions extend.
func (a *app) sessionsExtend() *cobra.Command {
	conn := &connection{}
	timeout := seconds(wire.DefaultTimeout)
	cmd := &cobra.Command{
		Use:   "extend ID",
		Short: "Give a session more time, counted from now",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client(cmd, conn)
			if err != nil {
				return err
			}
			whole := int((time.Duration(timeout) + time.Second - 1) / time.Second)
			s, err := c.Extend(cmd.Context(), args[0], whole)
			if err != nil {
				return err
			}
			return a.printOutcome("%s ends at %s\n", s.ID, s.ExpiresAt.Format(wire.TimeLayout))
		},
	}
	cmd.ValidArgsFunction = oneWord(a.completeSessions(conn))
	conn.add(cmd)
	cmd.Flags().Var(within{&timeout, 0, wire.MaxTimeout}, "timeout", "remaining length, at most 1h")
	return cmd
}

// printOutcome prints one line about what was done.
func (a *app) printOutcome(format string, args ...any) error {
	line := strings.TrimSuffix(fmt.Sprintf(format, args...), "\n")
	_, err := a.Stdout.Write(append(neutral(line), '\n'))
	return err
}

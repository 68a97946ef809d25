package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// completionLimit is how long a shell waits for the names that only a server knows.
const completionLimit = 2 * time.Second

// completeAgents completes the names of agents that are not on the line yet. A server that cannot be asked has none.
func (a *app) completeAgents(c *connection) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if err := a.readEnv(cmd); err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		server, err := a.client(cmd, c)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		ctx, cancel := context.WithTimeout(ctx, completionLimit)
		defer cancel()
		list, err := server.Agents(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		var names []string
		for i := range list.Agents {
			name := list.Agents[i].Name
			if strings.HasPrefix(name, begun) && !slices.Contains(args, name) {
				names = append(names, name+"\t"+string(list.Agents[i].Status))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/client"
)

// completionLimit is how long a shell waits for the names that only a server knows.
const completionLimit = 2 * time.Second

// completeAgents completes the names of agents that are not on the line yet. A server that cannot be asked has none.
func (a *app) completeAgents(c *connection) cobra.CompletionFunc {
	return a.completeFrom(c, func(ctx context.Context, server *client.Client) (words []string, err error) {
		list, err := server.Agents(ctx)
		for i := range list.Agents {
			words = append(words, list.Agents[i].Name+"\t"+string(list.Agents[i].Status))
		}
		return words, err
	})
}

// completeSessions completes the ids of open sessions. A server that cannot be asked has none.
func (a *app) completeSessions(c *connection) cobra.CompletionFunc {
	return a.completeFrom(c, func(ctx context.Context, server *client.Client) (words []string, err error) {
		list, err := server.Sessions(ctx, "")
		for i := range list.Sessions {
			words = append(words, list.Sessions[i].ID+"\t"+agentNames(&list.Sessions[i]))
		}
		return words, err
	})
}

// completeFrom completes what ask finds at the server: words, each with a tab and what it is, of which those that are
// on the line already are left out.
func (a *app) completeFrom(
	c *connection, ask func(ctx context.Context, server *client.Client) ([]string, error),
) cobra.CompletionFunc {
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
		words, err := ask(ctx, server)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		words = slices.DeleteFunc(words, func(word string) bool {
			name, _, _ := strings.Cut(word, "\t")
			return !strings.HasPrefix(name, begun) || slices.Contains(args, name)
		})
		return words, cobra.ShellCompDirectiveNoFileComp
	}
}

// oneWord completes the first argument with what complete finds, and none after it.
func oneWord(complete cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return complete(cmd, args, begun)
	}
}

// completeWord completes a flag that takes one of words.
func completeWord(words []string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}

// completeList completes a flag that takes some of words with commas between them: the last one that was begun, with
// those before it, since shells take the whole list for one word. No space follows, for a comma may.
func completeList(words []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, begun string) (found []string, _ cobra.ShellCompDirective) {
		before, last := "", begun
		if at := strings.LastIndexByte(begun, ','); at >= 0 {
			before, last = begun[:at+1], begun[at+1:]
		}
		given := strings.Split(before, ",")
		for _, word := range words {
			if strings.HasPrefix(word, last) && !slices.Contains(given, word) {
				found = append(found, before+word)
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// askForShell makes spile completion fail without a shell that it knows: a help text is nothing to complete with, and
// would be installed in silence.
func askForShell(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		var shells []string
		for _, shell := range cmd.Commands() {
			shells = append(shells, shell.Name())
		}
		cmd.Args = cobra.ArbitraryArgs
		cmd.RunE = func(*cobra.Command, []string) error {
			return usageError("see spile completion --help", "name one of the shells %s", strings.Join(shells, ", "))
		}
	}
}

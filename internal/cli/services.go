package cli

import "github.com/spf13/cobra"

// serviceCommands are the commands that run parts of a fleet.
func (a *app) serviceCommands() []*cobra.Command { return []*cobra.Command{a.agentCommand()} }

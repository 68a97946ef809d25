package cli

import (
	"github.com/spf13/cobra"

	"github.com/spilelog/spile/internal/demo"
)

// serviceCommands are the commands that run parts of a fleet.
func (a *app) serviceCommands() []*cobra.Command {
	return []*cobra.Command{a.serveCommand(), a.agentCommand(), a.tokenCommand(), a.demoCommand()}
}

// demoLong is the help of spile demo.
const demoLong = `Run a server and an agent on this machine, to look at: a small shop that writes logs, and FILEs if
named.

Everything lies in a new temporary folder that is removed at the end (Ctrl-C).`

// demoCommand is spile demo.
func (a *app) demoCommand() *cobra.Command {
	listen, log := "", &logFlags{}
	cmd := &cobra.Command{
		Use:   "demo [FILE...]",
		Short: "Try it: a server, an agent and a shop that writes logs, in one process",
		Long:  demoLong,
		RunE: func(cmd *cobra.Command, files []string) error {
			logger, err := log.logger(a.Stderr)
			if err != nil {
				return err
			}
			return demo.Run(cmd.Context(), demo.Config{
				Files: files, Listen: listen, Stdin: a.Stdin, Stdout: a.Stdout, Stderr: a.Stderr, Version: version(), Log: logger,
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:7800", "address to listen at; a taken port gives way to the next free one")
	fromEnv(f, "listen", "SPILE_LISTEN")
	log.add(f)
	log.level = "error"
	f.Lookup("log-level").DefValue = log.level
	return cmd
}

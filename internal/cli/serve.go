package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/server"
)

// serveFlags are the flags of spile serve.
type serveFlags struct {
	listen      string
	data        string
	publicURL   string
	metricsOpen bool
	log         logFlags
}

// serveLong is the help of spile serve.
const serveLong = `Run the server: one port for people, programs and agents, one folder for what it knows.

The first start writes admin.token and enrol.token into the data folder. Agents join with the second,
people and programs call with the first or with what spile token create prints.`

// serveCommand is spile serve.
func (a *app) serveCommand() *cobra.Command {
	flags := &serveFlags{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long:  serveLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serve(cmd.Context(), flags)
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.listen, "listen", server.DefaultListen, "address and port to listen at")
	f.StringVar(&flags.data, "data", a.defaultData("server"), "folder for the server's state")
	f.StringVar(&flags.publicURL, "public-url", "", "where people and agents reach the server (default the listener)")
	f.BoolVar(&flags.metricsOpen, "metrics-open", false, "answer /metrics without a token")
	flags.log.add(f)
	for _, name := range []string{"listen", "data", "public-url", "metrics-open"} {
		fromEnv(f, name, "SPILE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
	return cmd
}

// serve runs a server until ctx ends.
func (a *app) serve(ctx context.Context, flags *serveFlags) error {
	log, err := flags.log.logger(a.Stderr)
	if err != nil {
		return err
	}
	data, err := filepath.Abs(flags.data)
	if err != nil {
		return fmt.Errorf("find data folder: %w", err)
	}
	var s *server.Server
	s, err = server.New(ctx, server.Config{
		Listen: flags.listen, Data: data, PublicURL: flags.publicURL, Version: version(), Log: log,
		MetricsOpen: flags.metricsOpen, Ready: func(url string) { a.welcome(s, url) },
	})
	if err != nil {
		return err
	}
	return errors.Join(s.Run(ctx), s.Close())
}

// welcome tells how to use a server that listens at url.
func (a *app) welcome(s *server.Server, url string) {
	exe := self()
	text := fmt.Sprintf(`spile listens at %s

Join an agent:
  %s agent --server %s --enrol-token-file %s --file '/var/log/*.log'
Watch:
  %s tail --server %s --token-file %s
The page (this login works once):
  %s
`, url, exe, url, shellWord(s.EnrolTokenFile()), exe, url, shellWord(s.AdminTokenFile()), s.NewLogin())
	// Nobody is left to tell that the welcome could not be told.
	_, _ = fmt.Fprint(a.Stderr, text)
}

// tokenFlags are the flags of spile token create.
type tokenFlags struct {
	data    string
	subject string
	ttl     seconds
}

// defaultTokenLife is how long a token lives: a year.
const defaultTokenLife = 8760 * time.Hour

// tokenCommand is spile token.
func (a *app) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make tokens for people and programs",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	flags := &tokenFlags{ttl: seconds(defaultTokenLife)}
	create := &cobra.Command{
		Use:   "create",
		Short: "Print a new token, signed with the key in a server's data folder",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			token, err := server.CreateToken(cmd.Context(), flags.data, flags.subject, time.Duration(flags.ttl))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.Stdout, token)
			return err
		},
	}
	f := create.Flags()
	f.StringVar(&flags.data, "data", a.defaultData("server"), "the server's data folder")
	f.StringVar(&flags.subject, "subject", "admin", "whom the token stands for, as records show it")
	f.Var(&flags.ttl, "ttl", "how long it is good for")
	fromEnv(f, "data", "SPILE_DATA")
	cmd.AddCommand(create)
	return cmd
}

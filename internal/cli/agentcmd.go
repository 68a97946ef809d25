package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/agent"
	"github.com/spilelog/spile/agent/source/file"
	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// agentFlags are the flags of spile agent.
type agentFlags struct {
	config  string
	file    agentFile
	labels  []string
	files   []string
	session seconds
	log     logFlags
}

// agentLong is the help of spile agent.
const agentLong = `Read logs where they lie, count them, and stream what a session asks for while it lasts.

The agent reads only the files that it was given; no server can widen that, nor its limits. What is given on the
line counts before the environment, that before the file, that before the default.

The file of --config is YAML with the keys
  server, enrol_token_file, data, name, labels (a map), files (a list of [source=]glob, or of maps with source and
  glob), max_session, max_rate
Relative paths in it are taken from its folder.

SPILE_ENROL_TOKEN may hold the enrolment token itself, in place of a file.`

// agentCommand is spile agent.
func (a *app) agentCommand() *cobra.Command {
	flags := &agentFlags{}
	cmd := &cobra.Command{
		Use:   "agent --server URL --enrol-token-file FILE --file [SOURCE=]GLOB...",
		Short: "Serve the logs of this machine to a server",
		Long:  agentLong,
		Example: "  spile agent --server https://spile.example.org --enrol-token-file enrol.token \\\n" +
			"    --label env=prod --file 'nginx=/var/log/nginx/*.log' --file /var/log/syslog",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := flags.settle(cmd)
			if err != nil {
				return err
			}
			return a.runAgent(cmd.Context(), cfg, flags)
		},
	}
	flags.add(cmd, a.defaultData("agent"))
	return cmd
}

// add adds the flags to cmd.
func (g *agentFlags) add(cmd *cobra.Command, data string) {
	f := cmd.Flags()
	f.StringVar(&g.config, "config", "", "YAML file with the same settings")
	f.StringVar(&g.file.Server, "server", defaultServer, "where the server is")
	f.StringVar(&g.file.EnrolTokenFile, "enrol-token-file", "", "file with the enrolment token, needed the first time")
	f.StringVar(&g.file.Data, "data", data, "folder for the agent's key and journals")
	f.StringVar(&g.file.Name, "name", "", "unique name (default the host's name)")
	f.StringArrayVar(&g.labels, "label", nil, "key=value (repeat for more)")
	f.StringArrayVar(&g.files, "file", nil, "[source=]glob of files that may be read (repeat for more)")
	f.Var(&g.session, "max-session", "longest session that this agent serves (default 1h)")
	f.Var(whole[int]{to: &g.file.MaxRate}, "max-rate", "most events a second of one session (default no limit)")
	g.log.add(f)
	for _, name := range []string{"config", "server", "enrol-token-file", "data", "name", "max-session", "max-rate"} {
		fromEnv(f, name, "SPILE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")))
	}
}

// settle merges line, environment, file and defaults. Flags hold line and environment by now.
func (g *agentFlags) settle(cmd *cobra.Command) (agentFile, error) {
	cfg := agentFile{}
	if g.config != "" {
		var err error
		if cfg, err = readAgentFile(g.config); err != nil {
			return cfg, err
		}
	}
	given := cmd.Flags().Changed
	text := func(flag string, from string, to *string) {
		if given(flag) || *to == "" {
			*to = from
		}
	}
	text("server", g.file.Server, &cfg.Server)
	text("enrol-token-file", g.file.EnrolTokenFile, &cfg.EnrolTokenFile)
	text("data", g.file.Data, &cfg.Data)
	text("name", g.file.Name, &cfg.Name)
	if given("max-rate") {
		cfg.MaxRate = g.file.MaxRate
	}
	if given("max-session") {
		cfg.MaxSession = yamlDuration(g.session)
	}
	if given("label") {
		labels, err := parseLabels(g.labels)
		if err != nil {
			return cfg, err
		}
		cfg.Labels = labels
	}
	if given("file") {
		cfg.Files = nil
		for _, arg := range g.files {
			entry, err := parseFileEntry(arg)
			if err != nil {
				return cfg, usageError("", "--file: %w", err)
			}
			cfg.Files = append(cfg.Files, entry)
		}
	}
	if given("name") && cfg.Name == "" {
		return cfg, usageError("leave --name out to take the host's name", "--name: must not be empty")
	}
	return cfg, cfg.complete()
}

// complete fills in the host's name and makes relative globs absolute.
func (c *agentFile) complete() error {
	if len(c.Files) == 0 {
		return usageError("for example --file 'nginx=/var/log/nginx/*.log'", "no files: give --file or files in --config")
	}
	// The client knows what the URL of a server is; an agent would try a wrong one for ever.
	if _, err := client.New(client.Options{BaseURL: c.Server}); err != nil {
		return err
	}
	if c.Name == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("read host name: %w", err)
		}
		c.Name = host
	}
	here, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("read working folder: %w", err)
	}
	for i := range c.Files {
		c.Files[i].Glob = absolute(here, c.Files[i].Glob)
	}
	return nil
}

// runAgent runs an agent until ctx ends.
func (a *app) runAgent(ctx context.Context, cfg agentFile, flags *agentFlags) error {
	log, err := flags.log.logger(a.Stderr)
	if err != nil {
		return err
	}
	specs := make([]file.Spec, len(cfg.Files))
	for i, entry := range cfg.Files {
		specs[i] = file.Spec{Source: entry.Source, Glob: entry.Glob}
	}
	member, err := agent.New(agent.Config{
		Server: cfg.Server, EnrolTokenFile: cfg.EnrolTokenFile, EnrolToken: a.Getenv("SPILE_ENROL_TOKEN"),
		Data: cfg.Data, Name: cfg.Name, Labels: cfg.Labels,
		Files: specs, MaxSession: time.Duration(cfg.MaxSession), MaxRate: cfg.MaxRate, Version: version(), Log: log,
	})
	if err != nil {
		return err
	}
	err = member.Run(ctx)
	if refused, ok := errors.AsType[*wire.Error](err); ok && refused.Code == wire.CodeUnauthorized {
		return &failure{exit: refused.Code.Exit(), hint: agentHint, err: err}
	}
	return err
}

// agentHint says what to do when a server does not know an agent. People's tokens, of which the general hint speaks,
// would not help.
const agentHint = "give the server's enrol.token with --enrol-token-file or SPILE_ENROL_TOKEN; " +
	"an agent that was forgotten there joins again with a new --data"

// systemData is where a service of root keeps its state.
const systemData = "/var/lib/spile"

// defaultData is the folder of a part's state: below /var/lib for root, else the user's own state folder.
func (a *app) defaultData(part string) string {
	if os.Geteuid() == 0 {
		return filepath.Join(systemData, part)
	}
	if state := a.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "spile", part)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return filepath.Join(home, ".local", "state", "spile", part)
}

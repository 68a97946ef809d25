package cli

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/spilelog/spile/client"
	"github.com/spilelog/spile/wire"
)

// envKey is the annotation of a flag that names its environment variable.
const envKey = "spile_env"

// fromEnv gives flag an environment variable, which --help then lists.
func fromEnv(flags *pflag.FlagSet, flag, variable string) {
	f := flags.Lookup(flag)
	f.Usage += " [" + variable + "]"
	if f.Annotations == nil {
		f.Annotations = map[string][]string{}
	}
	f.Annotations[envKey] = []string{variable}
}

// readEnv sets each flag that was not given on the line from its environment variable.
func (a *app) readEnv(cmd *cobra.Command) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		names := f.Annotations[envKey]
		if len(names) == 0 || f.Changed || failed != nil {
			return
		}
		value := a.Getenv(names[0])
		if value == "" {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			if invalid := (*pflag.InvalidValueError)(nil); errors.As(err, &invalid) {
				err = wrongValue(invalid)
			}
			failed = usageError("see "+cmd.CommandPath()+" --help", "%s: %w", names[0], err)
		}
	})
	return failed
}

// seconds is a length of time on the command line: a Go duration or a bare number of seconds.
type seconds time.Duration

// String is the length as a Go duration; empty for none, so that help prints no default.
func (s *seconds) String() string {
	if *s == 0 {
		return ""
	}
	return time.Duration(*s).String()
}

// Set reads a length.
func (s *seconds) Set(text string) error {
	d, err := parseSeconds(text)
	*s = seconds(d)
	return err
}

// allowed says which values are.
func (s *seconds) allowed() string { return anyLength }

// Type names the form in help texts.
func (s *seconds) Type() string { return "duration" }

// defaultServer is where a server listens that was told nothing else.
const defaultServer = "http://127.0.0.1:7800"

// connection is the flags of every command that calls a server.
type connection struct {
	server    string
	tokenFile string
}

// add adds the flags to cmd.
func (c *connection) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.server, "server", defaultServer, "where the server is")
	flags.StringVar(&c.tokenFile, "token-file", "", "file with the token (or the token itself in SPILE_TOKEN)")
	fromEnv(flags, "server", "SPILE_SERVER")
	fromEnv(flags, "token-file", "SPILE_TOKEN_FILE")
}

// client makes the client of cmd. The token is that of --token-file, else SPILE_TOKEN, else SPILE_TOKEN_FILE.
func (a *app) client(cmd *cobra.Command, c *connection) (*client.Client, error) {
	token := a.Getenv("SPILE_TOKEN")
	onLine := c.tokenFile != "" && c.tokenFile != a.Getenv("SPILE_TOKEN_FILE")
	if c.tokenFile != "" && (onLine || token == "") {
		data, err := os.ReadFile(c.tokenFile)
		if err != nil {
			return nil, usageError("name a file that this user may read", "read token: %v", err)
		}
		if token = strings.TrimSpace(string(data)); token == "" {
			return nil, usageError("", "read token: %s is empty", c.tokenFile)
		}
	}
	return client.New(client.Options{BaseURL: c.server, Token: token})
}

// afterStop is how long a clean-up call may take once the command was told to end. A server answers when the agents
// have said their last word and viewers, of which one may be stuck, had their moment to read it.
const afterStop = wire.EndGrace + 4*time.Second

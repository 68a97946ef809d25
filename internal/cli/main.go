// Package cli is the command line: flags, environment, configuration, output, exit statuses. It wires the parts
// together; each part works without it.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/wire"
)

// Surroundings are what a command meets outside its arguments. The zero value is the process's own.
type Surroundings struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Getenv looks up an environment variable; empty and absent are the same.
	Getenv func(name string) string
}

// app is what the commands share.
type app struct {
	Surroundings
}

// Main runs the command that args (without the program's name) ask for and returns the exit status. It ends early,
// and cleanly, when ctx ends.
func Main(ctx context.Context, args []string, s Surroundings) int {
	if s.Stdin == nil {
		s.Stdin = os.Stdin
	}
	if s.Stdout == nil {
		s.Stdout = os.Stdout
	}
	if s.Stderr == nil {
		s.Stderr = os.Stderr
	}
	if s.Getenv == nil {
		s.Getenv = os.Getenv
	}
	a := &app{Surroundings: s}
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil || readerGone(err) {
		return wire.ExitOK
	}
	return a.report(cmd, err)
}

// exitText ends each command's help.
const exitText = `
Exit status:
  0  done; what was waited for (--until, --expect) has come
  1  failed
  2  wrong usage
  3  refused by the server
  4  server lost, or a stream that is not whole
  5  the end came before --until matched or --expect lines had come
  6  a line matched --fail-on
`

// root builds the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "spile",
		Short: "Logs stay where they are written; draw them when you need them",
		Long: "Spile leaves logs where they are written and streams them for a while when somebody asks.\n\n" +
			"Try it: spile demo",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError(didYouMean(cmd, args[0]), "unknown command %q", args[0])
			}
			return cmd.Help()
		},
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetUsageTemplate(root.UsageTemplate() + exitText)
	root.AddCommand(a.tailCommand(), a.agentsCommand(), a.sessionsCommand(), a.doctorCommand(), a.canaryCommand(),
		a.lintCommand(), a.manCommand(), a.versionCommand())
	root.AddCommand(a.serviceCommands()...)
	root.SetFlagErrorFunc(flagError)
	a.wrap(root)
	askForShell(root)
	return root
}

// maxTypos is how many letters may be wrong in a word that is taken for a command's name.
const maxTypos = 2

// didYouMean is the hint at the commands below cmd that word is nearly the name of, else at the help.
func didYouMean(cmd *cobra.Command, word string) string {
	cmd.SuggestionsMinimumDistance = maxTypos
	hint := "see spile --help"
	if near := cmd.SuggestionsFor(word); len(near) > 0 {
		return "did you mean " + strings.Join(near, " or ") + "? " + hint
	}
	return hint
}

// readerGone reports whether err says that nobody reads the output any more, as behind head -1: a clean end. A broken
// connection has the same number, and is none.
func readerGone(err error) bool {
	connection := (*net.OpError)(nil)
	return errors.Is(err, syscall.EPIPE) && !errors.As(err, &connection)
}

// wrap makes each command of the tree read its environment before it runs, and marks what it returns, so that every
// other error is one of usage.
func (a *app) wrap(cmd *cobra.Command) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := a.readEnv(cmd); err != nil {
				return err
			}
			if err := run(cmd, args); err != nil {
				return &ranError{err}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		a.wrap(sub)
	}
}

// ranError marks the error of a command that was called as it should be.
type ranError struct{ error }

// Unwrap is the error itself.
func (e *ranError) Unwrap() error { return e.error }

// failure is an error with an exit status and a hint at what to do.
type failure struct {
	exit int
	hint string
	err  error
}

// Error is the text of the error without the hint.
func (f *failure) Error() string { return f.err.Error() }

// Unwrap is the error that f adds to.
func (f *failure) Unwrap() error { return f.err }

// usageError is the error of a wrong call.
func usageError(hint, format string, args ...any) error {
	return &failure{exit: wire.ExitUsage, hint: hint, err: fmt.Errorf(format, args...)}
}

// report prints err with a hint and returns the exit status.
func (a *app) report(cmd *cobra.Command, err error) int {
	exit, hint, text := wire.ExitUsage, "see "+cmd.CommandPath()+" --help", err.Error()
	if ran := (*ranError)(nil); errors.As(err, &ran) {
		exit, hint = wire.ExitFailed, ""
	}
	if refused := (*wire.Error)(nil); errors.As(err, &refused) {
		exit, hint = refused.Code.Exit(), hintFor(refused.Code)
		// The code is for programs; people get the sentence.
		text = strings.Replace(text, refused.Error(), refused.Message, 1)
	}
	if f := (*failure)(nil); errors.As(err, &f) {
		exit, hint = f.exit, f.hint
	}
	out := append([]byte("spile: "), neutral(text)...)
	out = append(out, '\n')
	if hint != "" {
		out = append(append(append(out, "hint: "...), neutral(hint)...), '\n')
	}
	// Nobody is left to tell that the error could not be told.
	_, _ = a.Stderr.Write(out)
	return exit
}

// hintFor says what to do about a refusal.
func hintFor(code wire.Code) string {
	switch code {
	case wire.CodeUnavailable:
		return "is the server running, and is --server (SPILE_SERVER) its address?"
	case wire.CodeUnauthorized:
		return "give a token with --token-file, SPILE_TOKEN_FILE or SPILE_TOKEN; " +
			"the server keeps one in admin.token of its data folder"
	case wire.CodeForbidden:
		return "this token may not do that; ask whoever runs the server"
	case wire.CodeNotFound, wire.CodeAgentOffline:
		return "spile agents lists the agents, spile sessions the sessions"
	case wire.CodeStorage:
		return "ask whoever runs the server to make room on the disk of its data folder"
	case wire.CodeRateLimited:
		return "wait a little and try again"
	}
	return ""
}

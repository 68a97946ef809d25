package cli

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/convention/conventionfile"
	"github.com/spilelog/spile/wire"
)

// defaultMaxFindings is how many findings are printed one by one.
const defaultMaxFindings = 50

// failNever is the value of --fail-on that no finding reaches.
const failNever = "never"

// lintFlags are the flags of spile lint.
type lintFlags struct {
	config   string
	severity string
	failOn   string
	output   string
	max      int
	summary  bool
	repeats  bool
}

// lintLong is the help of spile lint.
const lintLong = `Check NDJSON and logfmt logs by the conventions of event names and fields.

Each record is judged: is its name (what, else the message) a lower_snake_case event, do its fields have the types
of the catalogue, do they go together. Each finding is printed where it first stands, and then a table by rule, which
counts all. Lines that are neither JSON objects nor logfmt are counted and not judged. FILE may end in .gz or .zst;
- is standard input.

The file of --config is YAML with the keys
  vendor_prefixes, module_prefixes, allowed_modules, max_length, max_words, levels, reserved_keys, text_values,
  severities (a map of rule to off, info, warning or error), domains
Logs whose logger writes keys such as pid itself want reserved_keys: [], those of Spile levels: [trace].

It ends with 1 where a finding is as grave as --fail-on says, and with 2 where it could not check.`

// lintCommand is spile lint.
func (a *app) lintCommand() *cobra.Command {
	flags := &lintFlags{max: defaultMaxFindings}
	cmd := &cobra.Command{
		Use:   "lint FILE|-...",
		Short: "Check logs by the conventions of event names and fields",
		Long:  lintLong,
		Example: "  spile lint app.log\n" +
			"  journalctl -u app -o cat | spile lint --summary --fail-on never -",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("spile lint - reads standard input", "name a log to check")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := a.newLintRun(flags)
			if err != nil {
				return err
			}
			for _, path := range args {
				if err = run.file(cmd.Context(), path); err != nil || run.stopped {
					break
				}
			}
			if err = errors.Join(err, run.close(err == nil)); readerGone(err) {
				return nil
			}
			if err != nil {
				return err
			}
			return run.verdict()
		},
	}
	flags.add(cmd)
	return cmd
}

// add adds the flags to cmd.
func (l *lintFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&l.config, "config", "", "YAML file with the settings of the conventions")
	f.StringVar(&l.severity, "severity", convention.Warning.String(), "report from this severity on: info, warning, error")
	f.StringVar(&l.failOn, "fail-on", convention.Error.String(), "end with 1 from this severity on, or never")
	f.StringVarP(&l.output, "output", "o", outputPretty, "pretty, or json for one object a line")
	f.Var(whole[int]{to: &l.max}, "max", "print so many findings one by one, 0 for all")
	f.BoolVar(&l.repeats, "repeats", false, "print a finding again for each record that has it")
	f.BoolVar(&l.summary, "summary", false, "print no findings, only the summary")
	severities := []string{convention.Info.String(), convention.Warning.String(), convention.Error.String()}
	for name, words := range map[string][]string{
		"severity": severities, "fail-on": append(severities, failNever), "output": {outputPretty, outputJSON},
	} {
		// The only error is that of a flag that does not exist.
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

// settle validates the flags.
func (l *lintFlags) settle() (severity, failOn convention.Severity, err error) {
	if severity, err = lintSeverity("--severity", l.severity); err != nil {
		return 0, 0, err
	}
	failOn = convention.Error + 1
	if l.failOn != failNever {
		if failOn, err = lintSeverity("--fail-on", l.failOn); err != nil {
			return 0, 0, err
		}
	}
	if failOn < severity {
		return 0, 0, usageError("give --severity "+l.failOn+" too",
			"--fail-on: %s is less grave than --severity %s: what fails must be seen", l.failOn, l.severity)
	}
	if l.output != outputPretty && l.output != outputJSON {
		return 0, 0, usageError("", "-o: %q must be pretty or json", l.output)
	}
	return severity, failOn, nil
}

// lintSeverity reads the severity of a flag.
func lintSeverity(flag, word string) (convention.Severity, error) {
	var s convention.Severity
	if err := s.UnmarshalText([]byte(word)); err != nil || s == convention.Off {
		return 0, usageError("", "%s: %q must be info, warning or error%s", flag, word,
			map[bool]string{true: ", or " + failNever}[flag == "--fail-on"])
	}
	return s, nil
}

// checkers are the checker of records with types, and that of records that know only text.
func (l *lintFlags) checkers() (typed, text *convention.Checker, err error) {
	var c convention.Config
	if l.config != "" {
		data, err := os.ReadFile(l.config)
		if err != nil {
			return nil, nil, usageError("name a file that this user may read", "read settings: %w", err)
		}
		if c, err = conventionfile.Parse(data); err != nil {
			return nil, nil, usageError("see spile lint --help for the keys", "%s: %w", l.config, err)
		}
	}
	if typed, err = convention.New(c); err != nil {
		return nil, nil, err
	}
	c.TextValues = true
	text, err = convention.New(c)
	return typed, text, err
}

// verdict is an error where a finding is grave enough.
func (r *lintRun) verdict() error {
	failing := 0
	for _, rule := range r.rules {
		if rule.severity >= r.failOn {
			failing += rule.count
		}
	}
	if failing == 0 {
		return nil
	}
	return &failure{
		exit: wire.ExitFailed, hint: "severities in --config say which rules count, --fail-on what fails",
		err: fmt.Errorf("findings of severity %s or above: %d", r.failOn, failing),
	}
}

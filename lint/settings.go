package lint

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/convention/conventionfile"
)

// ConfigName is the name of the file that holds a repository's settings.
const ConfigName = ".spile-lint.yml"

// settings are the flags of an analyzer.
type settings struct {
	config   string
	severity convention.Severity
	prose    bool
	tests    bool
	off      ruleList
}

// add adds the flags to f.
func (s *settings) add(f *flag.FlagSet) {
	f.StringVar(&s.config, "config", "", "`file` with the settings of the convention (default the nearest "+ConfigName+")")
	f.TextVar(&s.severity, "severity", convention.Warning, "report from this `severity` on: info, warning or error")
	f.BoolVar(&s.prose, "prose", false, "allow messages that are prose; only the field what is then a name")
	f.BoolVar(&s.tests, "tests", false, "check _test.go files too")
	f.Var(&s.off, "off", "comma-separated `rules` that are not evaluated, such as LC03")
}

// ruleList is a list of ids of rules in a flag.
type ruleList []string

// String is the list as it is written.
func (l *ruleList) String() string { return strings.Join(*l, ",") }

// Set reads a list.
func (l *ruleList) Set(text string) error {
	*l = nil
	for id := range strings.SplitSeq(text, ",") {
		if !known(id) {
			return fmt.Errorf("unknown rule %q: must be LC01 to LC05, EV01 to EV11 or RC01 to RC13", id)
		}
		*l = append(*l, id)
	}
	return nil
}

// checker makes the checker for the package in folder dir.
func (s *settings) checker(dir string) (*convention.Checker, error) {
	path := s.config
	if path == "" {
		var err error
		if path, err = FindConfig(dir); err != nil || path == "" {
			return convention.Default(), err
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	c, err := conventionfile.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return convention.New(c)
}

// FindConfig is the path of the nearest file named [ConfigName], in dir or in a folder above it, but not above the
// root of a git repository; "" where there is none.
func FindConfig(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find settings: %w", err)
	}
	for {
		path := filepath.Join(dir, ConfigName)
		if ok, err := exists(path); ok || err != nil {
			return path, err
		}
		root, err := exists(filepath.Join(dir, ".git"))
		parent := filepath.Dir(dir)
		if root || err != nil || parent == dir {
			return "", err
		}
		dir = parent
	}
}

// exists says whether there is a file of that name.
func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find settings: %w", err)
	}
	return true, nil
}

// reports says whether a finding of that rule and severity is reported.
func (s *settings) reports(rule string, severity convention.Severity) bool {
	return severity >= s.severity && severity != convention.Off && !slices.Contains(s.off, rule)
}

package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/checker"
	"golang.org/x/tools/go/packages"

	"github.com/spilelog/spile/lint"
)

// finding is a diagnostic and where it stands.
type finding struct {
	analysis.Diagnostic
	place token.Position
}

// run checks the packages that args name and returns the exit status.
func run(args []string, stdout, stderr io.Writer) int {
	a := lint.New()
	flags := flag.NewFlagSet("spile-lint", flag.ContinueOnError)
	flags.SetOutput(stderr)
	a.Flags.VisitAll(func(f *flag.Flag) { flags.Var(f.Value, f.Name, f.Usage) })
	fix := flags.Bool("fix", false, "apply the suggested fixes")
	flags.Usage = func() {
		fmt.Fprint(stderr, "Check the names and fields of structured logs.\n\nUsage: spile-lint [flags] PACKAGE...\n\n"+
			"Exit status: 0 clean, 1 findings, 2 could not check.\n\nFlags:\n")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitClean
	} else if err != nil {
		return exitFailed
	}
	if flags.NArg() == 0 {
		fmt.Fprint(stderr, "spile-lint: name packages, such as ./...\n")
		return exitFailed
	}
	tests := flags.Lookup("tests").Value.String() == "true"
	fset := token.NewFileSet()
	findings, err := check(a, fset, tests, flags.Args())
	if err != nil {
		fmt.Fprintln(stderr, "spile-lint:", err)
		return exitFailed
	}
	if *fix {
		if findings, err = repair(fset, findings); err != nil {
			fmt.Fprintln(stderr, "spile-lint:", err)
			return exitFailed
		}
	}
	for _, f := range findings {
		f.place.Filename = shorten(f.place.Filename)
		fmt.Fprintf(stdout, "%s: %s\n", f.place, f.Message)
	}
	if len(findings) > 0 {
		return exitFindings
	}
	return exitClean
}

// check is the findings in the packages, in the order of files and lines and each once: a package and its variant for
// tests share files.
func check(a *analysis.Analyzer, fset *token.FileSet, tests bool, patterns []string) ([]finding, error) {
	pkgs, err := packages.Load(&packages.Config{Mode: packages.LoadSyntax, Fset: fset, Tests: tests}, patterns...)
	if err != nil {
		return nil, fmt.Errorf("load packages: %w", err)
	}
	if err := loadErrors(pkgs); err != nil {
		return nil, err
	}
	graph, err := checker.Analyze([]*analysis.Analyzer{a}, pkgs, nil)
	if err != nil {
		return nil, err
	}
	var findings []finding
	faults := map[string]bool{}
	for _, action := range graph.Roots {
		if action.Err != nil {
			faults[action.Err.Error()] = true
		}
		for _, d := range action.Diagnostics {
			findings = append(findings, finding{d, fset.Position(d.Pos)})
		}
	}
	if len(faults) > 0 {
		return nil, together(faults)
	}
	slices.SortFunc(findings, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.place.Filename, b.place.Filename), cmp.Compare(a.place.Offset, b.place.Offset),
			strings.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(findings, func(a, b finding) bool {
		return a.place == b.place && a.Message == b.Message
	}), nil
}

// loadErrors is what is wrong with the packages.
func loadErrors(pkgs []*packages.Package) error {
	faults := map[string]bool{}
	packages.Visit(pkgs, nil, func(p *packages.Package) {
		for _, err := range p.Errors {
			faults[err.Error()] = true
		}
	})
	if len(faults) == 0 {
		return nil
	}
	return together(faults)
}

// together is one error of several texts.
func together(faults map[string]bool) error {
	var lines []string
	for fault := range faults {
		lines = append(lines, fault)
	}
	slices.Sort(lines)
	return errors.New(strings.Join(lines, "\n"))
}

// shorten is the path from the working folder where that is shorter.
func shorten(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && len(short) < len(path) {
		return short
	}
	return path
}

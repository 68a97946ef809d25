package cli

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// repository is the root of the repository as this package's tests see it.
const repository = "../.."

// pages are the texts that a reader may paste from.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	texts := map[string]string{}
	for _, name := range append(names, filepath.Join(repository, "README.md")) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	ourCommand = regexp.MustCompile(`^(?:bin/|go run \./cmd/)?spile( .*)?$`)
	word       = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
	testName   = regexp.MustCompile("`(Test[A-Za-z0-9_]+)(?:/([a-z0-9-]+))?`")
	faultRow   = regexp.MustCompile(`(?m)^\t\{"([a-z0-9-]+)", (?:true|false), fault`)
	localLink  = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
)

func TestPagesNameCommandsAndFlagsThatExist(t *testing.T) {
	found := 0
	for name, text := range pages(t) {
		for _, block := range shellBlock.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
				match := ourCommand.FindStringSubmatch(strings.TrimSpace(line))
				if match == nil {
					continue
				}
				found++
				words := word.FindAllString(match[1], -1)
				for i := range words {
					words[i] = strings.Trim(words[i], `'"`)
				}
				if problem := misuse(words); problem != "" {
					t.Errorf("%s: %s: %s", name, strings.TrimSpace(line), problem)
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d commands were found", found)
	}
}

// misuse says what is wrong with a line of words after the program's name.
func misuse(words []string) string {
	a := &app{Surroundings: Surroundings{Stdout: io.Discard, Stderr: io.Discard, Getenv: func(string) string { return "" }}}
	root := a.root()
	root.InitDefaultCompletionCmd(words...)
	cmd, rest, err := root.Find(words)
	if err != nil {
		return err.Error()
	}
	if cmd == root && len(words) > 0 {
		return "no such command"
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err.Error()
	}
	if cmd.HasSubCommands() && cmd.Args == nil && len(cmd.Flags().Args()) > 0 {
		return "no such subcommand"
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err.Error()
	}
	return ""
}

func TestMisuseIsFound(t *testing.T) {
	for _, words := range [][]string{{"frobnicate"}, {"tail", "--colour"}, {"sessions", "stop"}, {"man", "x"}} {
		if misuse(words) == "" {
			t.Errorf("%q passes", words)
		}
	}
}

// tests is the source of every test of the repository.
func tests(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"bin", "node_modules", ".git"}, d.Name()):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

func TestPagesNameTestsThatExist(t *testing.T) {
	all := tests(t)
	for name, text := range pages(t) {
		for _, match := range testName.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(all, "func "+match[1]+"(") {
				t.Errorf("%s names %s, which is no test", name, match[1])
			}
			if match[2] != "" && !strings.Contains(all, `"`+match[2]+`"`) {
				t.Errorf("%s names %s, which is no row of a test", name, match[0])
			}
		}
	}
}

// TestPageOfFaultsHasEveryRow holds the page against the fault matrix.
func TestPageOfFaultsHasEveryRow(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(repository, "docs", "faults.md"))
	if err != nil {
		t.Fatal(err)
	}
	matrix, err := os.ReadFile(filepath.Join(repository, "e2e", "fault_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	rows := faultRow.FindAllStringSubmatch(string(matrix), -1)
	for _, row := range rows {
		if !strings.Contains(string(page), "`TestFault/"+row[1]+"`") {
			t.Errorf("the page of faults has no row for %s", row[1])
		}
	}
	if len(rows) < 25 {
		t.Errorf("only %d rows were found", len(rows))
	}
}

func TestPagesLinkToWhatExists(t *testing.T) {
	for name, text := range pages(t) {
		for _, match := range localLink.FindAllStringSubmatch(text, -1) {
			if slices.Contains([]string{"https", "http"}, match[1]) {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(name), match[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, match[1], err)
			}
		}
	}
}

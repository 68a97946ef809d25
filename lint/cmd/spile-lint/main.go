// Command spile-lint checks the log calls of Go packages: the names of events and their fields.
//
//	spile-lint ./...
//	go vet -vettool=$(which spile-lint) ./...
//
// It prints one finding a line and ends with 1 where there are any, with 2 where it could not check. With -fix it
// applies the fixes that it suggests and prints the rest. The rules, flags and exceptions are those of package
// [github.com/spilelog/spile/lint].
//
// As a tool of go vet it takes the same flags. go vet runs it in the folder of each package, so -config wants an
// absolute path there, and keeps good results in its cache without looking at that file.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/analysis/singlechecker"

	"github.com/spilelog/spile/lint"
)

// The exit statuses.
const (
	exitClean = iota
	exitFindings
	exitFailed
)

func main() { os.Exit(start(os.Args[1:])) } //nolint:forbidigo // main is where the program ends

// start does what the arguments ask for, those of go vet included, and returns the exit status.
func start(args []string) int {
	switch {
	case len(args) == 1 && args[0] == "-V=full":
		id, err := buildID(".")
		if err != nil {
			fmt.Fprintln(os.Stderr, "spile-lint:", err)
			return exitFailed
		}
		fmt.Fprintf(os.Stdout, "spile-lint version devel buildID=%s\n", id)
		return exitClean
	case speaksVet(args):
		singlechecker.Main(lint.New())
	}
	return run(args, os.Stdout, os.Stderr)
}

// speaksVet says whether the arguments are those of go vet: a question about flags, or the description of a package.
func speaksVet(args []string) bool {
	if len(args) == 0 {
		return false
	}
	return args[0] == "-flags" || strings.HasSuffix(args[len(args)-1], ".cfg")
}

// buildID is what go vet keeps results under: it changes with this program and with the settings that hold in dir.
func buildID(dir string) (string, error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find own program: %w", err)
	}
	hash := sha256.New()
	if err := add(hash, exe); err != nil {
		return "", err
	}
	path, err := lint.FindConfig(dir)
	if err == nil && path != "" {
		err = add(hash, path)
	}
	return fmt.Sprintf("%x", hash.Sum(nil)), err
}

// add writes a file into a hash.
func add(hash io.Writer, path string) error {
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(hash, f)
	return err
}

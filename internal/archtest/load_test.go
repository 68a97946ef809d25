package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"sort"
	"strconv"
	"strings"
)

// source is one parsed Go file of the repository.
type source struct {
	path  string
	lines int
	file  *ast.File
}

// isTest says whether the file is compiled in tests only.
func (s *source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// imports lists the import paths of the file.
func (s *source) imports() []string {
	var out []string
	for _, spec := range s.file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err == nil {
			out = append(out, name)
		}
	}
	return out
}

// tree is the root module's sources.
type tree struct {
	fset *token.FileSet
	// packages holds the files by folder, "." being the root; each list is sorted by path.
	packages map[string][]*source
	gomod    string
}

// folders lists the packages in order.
func (t *tree) folders() []string {
	out := make([]string, 0, len(t.packages))
	for dir := range t.packages {
		out = append(out, dir)
	}
	sort.Strings(out)
	return out
}

// load parses the Go files of the module at the root of fsys, but not those of modules nested in it.
func load(fsys fs.FS) (*tree, error) {
	gomod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, fmt.Errorf("read go.mod: %w", err)
	}
	t := &tree{fset: token.NewFileSet(), packages: map[string][]*source{}, gomod: string(gomod)}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skip(fsys, name)
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		return t.add(fsys, name)
	})
	return t, err
}

// skip is fs.SkipDir for folders without sources of the module.
func skip(fsys fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	if strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// add parses one file.
func (t *tree) add(fsys fs.FS, name string) error {
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return fmt.Errorf("read source: %w", err)
	}
	file, err := parser.ParseFile(t.fset, name, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parse source: %w", err)
	}
	dir := path.Dir(name)
	lines := bytes.Count(data, []byte("\n"))
	t.packages[dir] = append(t.packages[dir], &source{path: name, lines: lines, file: file})
	return nil
}

package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// glob is one checked spec.
type glob struct {
	source  string
	pattern string
	base    string // the part without wildcards: the folder that nothing may lead out of
}

func newGlob(spec Spec) (glob, error) {
	if !filepath.IsAbs(spec.Glob) {
		return glob{}, fmt.Errorf("glob %q is not absolute: a path that begins with %q is needed", spec.Glob, "/")
	}
	if !doublestar.ValidatePathPattern(spec.Glob) {
		return glob{}, fmt.Errorf("glob %q is malformed: *, **, ?, [a-z] and {a,b} are allowed", spec.Glob)
	}
	pattern := filepath.Clean(spec.Glob)
	base, _ := doublestar.SplitPattern(pattern)
	if pattern == "/" {
		return glob{}, fmt.Errorf("glob %q names no file", spec.Glob)
	}
	return glob{source: spec.Source, pattern: pattern, base: filepath.Clean(base)}, nil
}

// name is the source of a file that the glob found.
func (g *glob) name(path string) string {
	if g.source != "" {
		return g.source
	}
	return strings.TrimSuffix(filepath.Base(path), ".log")
}

// search lists the paths that match now. A folder that cannot be read is an error only where it is the base.
func (g *glob) search() ([]string, error) {
	dir, err := os.Open(g.base)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("search %s: %w", g.pattern, err)
	}
	_ = dir.Close()
	paths, err := doublestar.FilepathGlob(g.pattern, doublestar.WithNoFollow())
	if err != nil {
		return nil, fmt.Errorf("search %s: %w", g.pattern, err)
	}
	return paths, nil
}

// matches says whether path is one that the glob allows.
func (g *glob) matches(path string) bool {
	ok, err := doublestar.PathMatch(g.pattern, path)
	return err == nil && ok
}

// globFor returns the first glob that allows path.
func (s *Set) globFor(path string) *glob {
	for i := range s.globs {
		if s.globs[i].matches(path) {
			return &s.globs[i]
		}
	}
	return nil
}

package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/bmatcuk/doublestar/v4"
)

// glob is one checked spec.
type glob struct {
	source  string
	pattern string
	base    string // the part without wildcards: the folder that nothing may lead out of
	// parts are those of the pattern below the base, one a folder up to the part deep; what follows may match any depth.
	parts []string
	deep  int
	// real is where the base led to when a file was opened in it last: nobody but the administrator changes that, and
	// then the files that are opened lie elsewhere.
	real atomic.Pointer[string]
}

func newGlob(spec Spec) (*glob, error) {
	if !filepath.IsAbs(spec.Glob) {
		return nil, fmt.Errorf("glob %q is not absolute: a path that begins with %q is needed", spec.Glob, "/")
	}
	if !doublestar.ValidatePathPattern(spec.Glob) {
		return nil, fmt.Errorf("glob %q is malformed: *, **, ?, [a-z] and {a,b} are allowed", spec.Glob)
	}
	pattern := filepath.Clean(spec.Glob)
	base, _ := doublestar.SplitPattern(pattern)
	if pattern == "/" {
		return nil, fmt.Errorf("glob %q names no file", spec.Glob)
	}
	g := &glob{source: spec.Source, pattern: pattern, base: filepath.Clean(base)}
	rest, _ := below(pattern, g.base)
	g.parts = strings.Split(rest, "/")
	g.deep = len(g.parts)
	for i, part := range g.parts {
		if strings.Contains(part, "**") || strings.Contains(part, `\\`) ||
			strings.Count(part, "{") != strings.Count(part, "}") || strings.Count(part, "[") != strings.Count(part, "]") {
			g.deep = i
			break
		}
	}
	return g, nil
}

// name is the source of a file that the glob found.
func (g *glob) name(path string) string {
	if g.source != "" {
		return g.source
	}
	return strings.TrimSuffix(filepath.Base(path), ".log")
}

// reach says why the base cannot be searched. One that does not exist only has nothing yet.
func (g *glob) reach() error {
	dir, err := os.Open(g.base)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("search %s: %w", g.pattern, err)
	}
	if err == nil {
		_ = dir.Close()
	}
	return nil
}

// leads says whether files in dir, or in folders below it, may match.
func (g *glob) leads(dir string) bool {
	rest, ok := below(dir, g.base)
	if !ok {
		return false
	}
	if rest == "" {
		return true
	}
	for i, name := range strings.Split(rest, "/") {
		if i >= g.deep {
			return true
		}
		if i >= len(g.parts)-1 {
			return false
		}
		if ok, err := doublestar.Match(g.parts[i], name); err != nil || !ok {
			return false
		}
	}
	return true
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
			return s.globs[i]
		}
	}
	return nil
}

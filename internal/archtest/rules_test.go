package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// module is the path of the root module.
const module = "github.com/spilelog/spile"

// Limits of size, in lines.
const (
	maxLines     = 500
	maxTestLines = 800
	maxFunction  = 80
)

// rule is one thing that must hold; check returns a sentence for each place where it does not.
type rule struct {
	name  string
	check func(*tree) []string
}

var rules = []rule{
	{"layers", checkLayers},
	{"package-comments", checkComments},
	{"no-replace", checkReplace},
	{"root-stdlib-only", checkRoot},
	{"test-only-modules", checkTestOnly},
	{"no-default-mux", checkMux},
	{"sizes", checkSizes},
}

// layers says how high each part stands. A package belongs to the row with the longest matching path, and may import
// packages of its own row and of rows that stand strictly lower.
var layers = map[string]int{
	"cmd":           6,
	"internal/cli":  5,
	"internal/demo": 4,

	"internal/canary":   4,
	"internal/pipetest": 4,

	"agent":       3,
	"backend":     3,
	"backendtest": 3,
	"client":      3,
	"server":      3,
	"tap":         3,

	".": 2,

	"internal/uplink": 2,
	"internal/fabric": 2,
	"internal/store":  2,

	"agent/source":       1,
	"convention":         1,
	"filter":             1,
	"format":             1,
	"internal/namespace": 1,
	"internal/parse":     1,

	"event":             0,
	"internal/backoff":  0,
	"internal/callsite": 0,
	"internal/durable":  0,
	"internal/fanout":   0,
	"internal/ring":     0,
	"spec":              0,
	"ui":                0,
	"wire":              0,
}

// testOnly are modules that no shipped code may take in.
var testOnly = []string{
	"github.com/getkin/kin-openapi",
	"github.com/google/go-cmp",
	"github.com/rogpeppe/go-internal",
	"github.com/santhosh-tekuri/jsonschema",
	"go.opentelemetry.io/proto",
	"go.uber.org/goleak",
	"pgregory.net/rapid",
}

// row is the row of the table that a folder belongs to.
func row(dir string) (string, bool) {
	best := ""
	for name := range layers {
		if within(dir, name) && len(name) > len(best) {
			best = name
		}
	}
	return best, best != ""
}

// folder is the folder of a package of this module.
func folder(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// within says whether the slash path name is parent or below it.
func within(name, parent string) bool {
	return name == parent || strings.HasPrefix(name, parent+"/")
}

func checkLayers(t *tree) []string {
	var out []string
	for _, dir := range t.folders() {
		if !slices.ContainsFunc(t.packages[dir], func(s *source) bool { return !s.isTest() }) {
			continue
		}
		from, ok := row(dir)
		if !ok {
			out = append(out, dir+" has no layer: add it to the table of layers")
			continue
		}
		for _, s := range t.packages[dir] {
			if !s.isTest() {
				out = append(out, upward(s, from)...)
			}
		}
	}
	return out
}

// upward lists the imports of s that do not point down from its row.
func upward(s *source, from string) []string {
	var out []string
	for _, name := range s.imports() {
		dir, ok := folder(name)
		if !ok {
			continue
		}
		to, known := row(dir)
		switch {
		case !known:
			out = append(out, fmt.Sprintf("%s imports %s, which has no layer", s.path, dir))
		case to != from && layers[to] >= layers[from]:
			out = append(out, fmt.Sprintf("%s imports %s: %s is in layer %d, %s in layer %d",
				s.path, dir, from, layers[from], to, layers[to]))
		}
	}
	return out
}

func checkComments(t *tree) []string {
	var out []string
	for _, dir := range t.folders() {
		documented := []string{}
		files := t.packages[dir]
		onlyTests := !slices.ContainsFunc(files, func(s *source) bool { return !s.isTest() })
		for _, s := range files {
			if s.file.Doc != nil && s.isTest() == onlyTests {
				documented = append(documented, s.path)
			}
		}
		if len(documented) != 1 {
			out = append(out, fmt.Sprintf("%s has a package comment in %d files, want exactly 1: %v",
				dir, len(documented), documented))
		}
	}
	return out
}

func checkReplace(t *tree) []string {
	var out []string
	number := 0
	for line := range strings.Lines(t.gomod) {
		number++
		if strings.HasPrefix(strings.TrimSpace(line), "replace") {
			out = append(out, fmt.Sprintf("go.mod has line %d: %s", number, strings.TrimSpace(line)))
		}
	}
	return out
}

// checkRoot follows the imports of the root package through the packages of this module.
func checkRoot(t *tree) []string {
	var out []string
	seen := map[string]bool{".": true}
	for queue := []string{"."}; len(queue) > 0; queue = queue[1:] {
		for _, s := range t.packages[queue[0]] {
			if s.isTest() {
				continue
			}
			for _, name := range s.imports() {
				if dir, ok := folder(name); ok {
					if !seen[dir] {
						seen[dir] = true
						queue = append(queue, dir)
					}
					continue
				}
				if why := forbiddenAtRoot(name); why != "" {
					out = append(out, fmt.Sprintf("%s imports %s: %s", s.path, name, why))
				}
			}
		}
	}
	return out
}

// forbiddenAtRoot says why the root package may not import a package of another module, empty if it may.
func forbiddenAtRoot(name string) string {
	first, _, _ := strings.Cut(name, "/")
	switch {
	case strings.Contains(first, "."):
		return "the root package is standard library only"
	case within(name, "net/http"):
		return "the root package takes no network server"
	}
	return ""
}

func checkTestOnly(t *tree) []string {
	var out []string
	for _, dir := range t.folders() {
		for _, s := range t.packages[dir] {
			if s.isTest() {
				continue
			}
			for _, name := range s.imports() {
				if slices.ContainsFunc(testOnly, func(m string) bool { return within(name, m) }) {
					out = append(out, fmt.Sprintf("%s imports %s: only _test.go files may", s.path, name))
				}
			}
		}
	}
	return out
}

func checkMux(t *tree) []string {
	var out []string
	for _, dir := range t.folders() {
		for _, s := range t.packages[dir] {
			name := httpName(s.file)
			if name == "" {
				continue
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				x, ok := sel.X.(*ast.Ident)
				if ok && x.Name == name && slices.Contains([]string{"DefaultServeMux", "Handle", "HandleFunc"}, sel.Sel.Name) {
					out = append(out, fmt.Sprintf("%s:%d uses http.%s", s.path, t.fset.Position(sel.Pos()).Line, sel.Sel.Name))
				}
				return true
			})
		}
	}
	return out
}

// httpName is what the file calls net/http, empty when it does not import it.
func httpName(file *ast.File) string {
	for _, spec := range file.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err != nil || name != "net/http" {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return "http"
	}
	return ""
}

func checkSizes(t *tree) []string {
	var out []string
	for _, dir := range t.folders() {
		for _, s := range t.packages[dir] {
			limit := maxLines
			if s.isTest() {
				limit = maxTestLines
			}
			if s.lines > limit {
				out = append(out, fmt.Sprintf("%s has %d lines, at most %d allowed", s.path, s.lines, limit))
			}
			if !s.isTest() {
				out = append(out, longFunctions(t, s)...)
			}
		}
	}
	return out
}

// longFunctions lists the functions of s that are too long. Tests are left out: their tables are data.
func longFunctions(t *tree, s *source) []string {
	var out []string
	for _, decl := range s.file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		lines := t.fset.Position(f.End()).Line - t.fset.Position(f.Pos()).Line + 1
		if lines > maxFunction {
			out = append(out, fmt.Sprintf("%s: function %s has %d lines, at most %d allowed",
				s.path, f.Name.Name, lines, maxFunction))
		}
	}
	return out
}

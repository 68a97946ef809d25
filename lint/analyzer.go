package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/inspector"

	"github.com/spilelog/spile/convention"
)

// New makes an analyzer with flags of its own: config, severity, prose, tests and off.
func New() *analysis.Analyzer {
	s := &settings{}
	a := &analysis.Analyzer{
		Name: "spile",
		Doc: "check the names and fields of structured logs\n\n" +
			"Calls of log/slog and of Spile are held to the conventions of event names and fields.",
		URL:      "https://pkg.go.dev/github.com/spilelog/spile/lint",
		Requires: []*analysis.Analyzer{inspect.Analyzer},
		Run:      func(pass *analysis.Pass) (any, error) { return nil, run(pass, s) },
	}
	s.add(&a.Flags)
	return a
}

// run checks one package.
func run(pass *analysis.Pass, s *settings) error {
	if len(pass.Files) == 0 {
		return nil
	}
	dir := filepath.Dir(pass.Fset.Position(pass.Files[0].Package).Filename)
	checker, err := s.checker(dir)
	if err != nil {
		return err
	}
	w := &walk{pass: pass, settings: s, files: map[*token.File]*sourceFile{}, shapes: shapes(), done: map[ast.Node]bool{}}
	w.judgement = judgement{
		info: pass.TypesInfo, checker: checker, module: strings.TrimSuffix(pass.Pkg.Name(), "_test"), imported: w.imported,
	}
	w.lookup = lookup{info: pass.TypesInfo, makers: attrFuncs(), helpers: helperKeys(), report: w.ownFinding}
	for _, file := range pass.Files {
		w.addFile(file)
	}
	in := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector)
	in.Preorder([]ast.Node{(*ast.CallExpr)(nil), (*ast.CompositeLit)(nil)}, w.visit)
	return nil
}

// sourceFile is one file that is checked.
type sourceFile struct {
	file    *ast.File
	ignores ignores
}

// walk goes through the calls of a package.
type walk struct {
	pass      *analysis.Pass
	settings  *settings
	judgement judgement
	lookup    lookup
	shapes    map[string]shape
	// files are those that are checked.
	files map[*token.File]*sourceFile
	// done are the nodes that were judged as parts of others.
	done map[ast.Node]bool
	// call is the node that is judged now.
	call ast.Node
}

// addFile takes in a file, unless it is generated or one of tests, and reports comments that switch nothing off.
func (w *walk) addFile(file *ast.File) {
	handle := w.pass.Fset.File(file.FileStart)
	test := strings.HasSuffix(handle.Name(), "_test.go")
	if ast.IsGenerated(file) || test && !w.settings.tests {
		return
	}
	f := &sourceFile{file: file, ignores: readIgnores(w.pass.Fset, file)}
	w.files[handle] = f
	for _, fault := range f.ignores.faults {
		w.call = fault.comment
		w.ownFinding(ruleIgnore, fault.comment, "the comment "+fault.problem)
	}
}

// visit judges a call or a literal.
func (w *walk) visit(n ast.Node) {
	if w.files[w.pass.Fset.File(n.Pos())] == nil || w.done[n] {
		return
	}
	w.call = n
	switch n := n.(type) {
	case *ast.CallExpr:
		w.visitCall(n)
	case *ast.CompositeLit:
		if isNamed(w.pass.TypesInfo.TypeOf(n), conventionPath, "Entry") {
			w.visitEntry(n)
		}
	}
}

// visitCall judges a call of a function that is known.
func (w *walk) visitCall(call *ast.CallExpr) {
	name := callee(w.pass.TypesInfo, call)
	s, ok := w.shapes[name]
	switch {
	case name == conventionPath+".What":
		w.report(w.judgement.judge(record{name: ast.Unparen(call.Args[0]), at: call, fields: fieldList{open: true}}))
	case name == conventionPath+".Exception" || name == conventionPath+".Recover":
		if _, constant := constantText(w.pass.TypesInfo, call.Args[0]); !constant {
			w.report([]found{w.judgement.variableName(call.Args[0])})
		}
	case ok && len(call.Args) > max(s.message, s.level) && !spread(w.pass.TypesInfo, call):
		w.visitLog(call, s)
	}
}

// spread says whether the arguments are the results of one call: log.Info(f()).
func spread(info *types.Info, call *ast.CallExpr) bool {
	if len(call.Args) != 1 {
		return false
	}
	_, several := info.TypeOf(call.Args[0]).(*types.Tuple)
	return several
}

// visitLog judges a call that makes a record or takes fields.
func (w *walk) visitLog(call *ast.CallExpr, s shape) {
	fields := w.lookup.fields(call, s.fields)
	w.lookup.twice(fields)
	inherited, open, grouped := w.receiver(call)
	r := record{fields: fields, at: call, whole: s.record() && s.fields != none, inherited: inherited}
	if s.nested || grouped {
		r.fields, r.whole = fieldList{open: true}, false
	}
	r.fields.open = r.fields.open || open
	if s.record() {
		r.name = w.settings.nameOf(ast.Unparen(call.Args[s.message]), r.fields)
		if s.fields == none && r.name != nil && w.pass.TypesInfo.Types[r.name].Value == nil {
			return // handlers and bridges hand on the names that others gave
		}
		r.level, r.levelKnown = levelOf(w.pass.TypesInfo, call, s)
	}
	for _, a := range fields.attrs {
		if inner, ok := a.at.(*ast.CallExpr); ok && a.key == convention.KeyWhat {
			w.done[inner] = true
		}
	}
	w.report(w.judgement.judge(r))
}

// receiver reads the calls of With on which a logger's method is called directly: their fields, whether there may be
// more, and whether a group is open.
func (w *walk) receiver(call *ast.CallExpr) (inherited []attr, open, grouped bool) {
	silent := w.lookup
	silent.report = func(string, ast.Node, string) {}
	for {
		selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
		if !ok {
			return inherited, open, grouped
		}
		if call, ok = ast.Unparen(selector.X).(*ast.CallExpr); !ok {
			return inherited, open, grouped
		}
		switch callee(w.pass.TypesInfo, call) {
		case slogPath + ".With":
			fields := silent.fields(call, 0)
			inherited, open = append(inherited, fields.attrs...), open || fields.open
		case slogPath + ".WithGroup":
			grouped = true
		case slogPath + ".Default":
		default:
			open = true
		}
	}
}

// visitEntry judges a literal of a record that is ready to be logged.
func (w *walk) visitEntry(lit *ast.CompositeLit) {
	r := record{at: lit, whole: true}
	for _, e := range lit.Elts {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return // no one writes three fields by position; the names are what makes it readable
		}
		key, _ := pair.Key.(*ast.Ident)
		switch {
		case key == nil:
		case key.Name == "What":
			r.name = ast.Unparen(pair.Value)
		case key.Name == "Attrs":
			if list, ok := ast.Unparen(pair.Value).(*ast.CompositeLit); ok {
				r.fields = w.lookup.elements(list)
			} else {
				r.fields.open = true
			}
		}
	}
	if r.name == nil {
		return // an empty entry, as functions return beside false
	}
	w.lookup.twice(r.fields)
	w.report(w.judgement.judge(r))
}

// imported is the name under which the file of at imports a package, or "".
func (w *walk) imported(at ast.Node, path string) string {
	f := w.files[w.pass.Fset.File(at.Pos())]
	for _, spec := range f.file.Imports {
		if got, err := strconv.Unquote(spec.Path.Value); err != nil || got != path {
			continue
		}
		switch {
		case spec.Name == nil:
			return path[strings.LastIndexByte(path, '/')+1:]
		case spec.Name.Name != "_" && spec.Name.Name != ".":
			return spec.Name.Name
		}
	}
	return ""
}

// ownFinding reports a finding of a rule of this package.
func (w *walk) ownFinding(rule string, at ast.Node, message string) {
	w.report([]found{{at: at, Finding: convention.Finding{Rule: rule, Severity: severityOf(rule), Message: message}}})
}

// report reports findings that the settings and the comments let through.
func (w *walk) report(findings []found) {
	for _, f := range findings {
		file := w.files[w.pass.Fset.File(f.at.Pos())]
		lines := []int{w.pass.Fset.Position(f.at.Pos()).Line, w.pass.Fset.Position(w.call.Pos()).Line}
		if !w.settings.reports(f.Rule, f.Severity) || file.ignores.off(f.Rule, slices.Compact(lines)...) {
			continue
		}
		d := analysis.Diagnostic{Pos: f.at.Pos(), End: f.at.End(), Category: f.Rule, Message: f.String()}
		if f.fix != nil {
			d.SuggestedFixes = []analysis.SuggestedFix{*f.fix}
		}
		w.pass.Report(d)
	}
}

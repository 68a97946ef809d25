package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"

	"golang.org/x/tools/go/analysis"

	"github.com/spilelog/spile/convention"
)

// rename is the fix that replaces a literal name by a better one; nil where there is none or the name is no literal:
// a constant may be used elsewhere.
func rename(expr ast.Expr, better string) *analysis.SuggestedFix {
	lit, ok := ast.Unparen(expr).(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING || better == "" {
		return nil
	}
	return &analysis.SuggestedFix{
		Message: "rename the event to " + better, TextEdits: []analysis.TextEdit{replace(lit, strconv.Quote(better))},
	}
}

// replace is the edit that puts text in the place of a node.
func replace(at ast.Node, text string) analysis.TextEdit {
	return analysis.TextEdit{Pos: at.Pos(), End: at.End(), NewText: []byte(text)}
}

// around are the edits that put text before and behind a node, which stays as it is written.
func around(at ast.Node, before, behind string) []analysis.TextEdit {
	return []analysis.TextEdit{
		{Pos: at.Pos(), End: at.Pos(), NewText: []byte(before)}, {Pos: at.End(), End: at.End(), NewText: []byte(behind)},
	}
}

// retype is the fix that gives a field its right type, or nil.
func (j *judgement) retype(f convention.Finding, a attr) *analysis.SuggestedFix {
	if a.value == nil {
		return nil
	}
	field, _ := j.checker.Catalogue().Field(a.key)
	t := j.info.TypeOf(a.value)
	switch {
	case a.key == convention.KeyDuration && isNamed(t, "time", "Duration"):
		return j.milliseconds(a)
	case field.Type == convention.TypeInteger || field.Type == convention.TypePort:
		// A text such as 0200 would be another number in Go; a constant may be all that a file imports a package for.
		n, err := strconv.Atoi(f.Suggestion)
		if _, literal := ast.Unparen(a.value).(*ast.BasicLit); err != nil || !literal {
			return nil
		}
		return change(a, "give a number", "Int", replace(a.value, strconv.Itoa(n)))
	case field.Type == convention.TypeList && types.Identical(t, types.Typ[types.String]):
		return change(a, "give a list", "Any", around(a.value, "[]string{", "}")...)
	}
	return nil
}

// milliseconds is the fix of a duration: in a pair the helper of package convention where the file imports it, else a
// number. A call of slog stays one, which may be the only one in the file.
func (j *judgement) milliseconds(a attr) *analysis.SuggestedFix {
	const message = "give whole milliseconds"
	if name := j.imported(a.at, conventionPath); name != "" && a.whole == nil {
		edits := around(a.value, name+".Duration(", ")")
		edits[0].Pos = a.at.Pos()
		return change(a, message, "", edits...)
	}
	before, behind := "", ".Milliseconds()"
	switch a.value.(type) {
	case *ast.BinaryExpr, *ast.UnaryExpr, *ast.StarExpr:
		before, behind = "(", ")"+behind
	}
	return change(a, message, "Int64", around(a.value, before, behind)...)
}

// change is the fix that gives a field another value, and its constructor the name that goes with it. A constructor
// under a name that is not pkg.Name is left alone.
func change(a attr, message, constructor string, edits ...analysis.TextEdit) *analysis.SuggestedFix {
	if a.whole != nil && a.constructor != slogPath+".Any" {
		selector, ok := ast.Unparen(a.whole.Fun).(*ast.SelectorExpr)
		if !ok {
			return nil
		}
		edits = append([]analysis.TextEdit{replace(selector.Sel, constructor)}, edits...)
	}
	return &analysis.SuggestedFix{Message: message, TextEdits: edits}
}

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
	return replace("rename the event to "+better, lit, strconv.Quote(better))
}

// replace is the fix that puts text in the place of a node.
func replace(message string, at ast.Node, text string) *analysis.SuggestedFix {
	return replaceRange(message, at.Pos(), at.End(), text)
}

func replaceRange(message string, from, to token.Pos, text string) *analysis.SuggestedFix {
	return &analysis.SuggestedFix{
		Message: message, TextEdits: []analysis.TextEdit{{Pos: from, End: to, NewText: []byte(text)}},
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
		if f.Suggestion == "" {
			return nil
		}
		return change(a, "give a number", "Int", f.Suggestion)
	case field.Type == convention.TypeList && types.Identical(t, types.Typ[types.String]):
		return change(a, "give a list", "Any", "[]string{"+types.ExprString(a.value)+"}")
	}
	return nil
}

// milliseconds is the fix of a duration: the helper of package convention where the file imports it, else a number.
func (j *judgement) milliseconds(a attr) *analysis.SuggestedFix {
	const message = "give whole milliseconds"
	value := types.ExprString(a.value)
	if name := j.imported(a.at, conventionPath); name != "" {
		from, to := a.at.Pos(), a.value.End()
		if a.whole != nil {
			from, to = a.whole.Pos(), a.whole.End()
		}
		return replaceRange(message, from, to, name+".Duration("+value+")")
	}
	switch a.value.(type) {
	case *ast.BinaryExpr, *ast.UnaryExpr, *ast.StarExpr:
		value = "(" + value + ")"
	}
	return change(a, message, "Int64", value+".Milliseconds()")
}

// change is the fix that gives a field another value, and its constructor the name that goes with it. A constructor
// under a name that is not pkg.Name is left alone.
func change(a attr, message, constructor, value string) *analysis.SuggestedFix {
	fix := replace(message, a.value, value)
	if a.whole == nil || a.constructor == slogPath+".Any" {
		return fix
	}
	selector, ok := ast.Unparen(a.whole.Fun).(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	fix.TextEdits = append([]analysis.TextEdit{{
		Pos: selector.Sel.Pos(), End: selector.Sel.End(), NewText: []byte(constructor),
	}}, fix.TextEdits...)
	return fix
}

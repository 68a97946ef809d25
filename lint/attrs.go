package lint

import (
	"go/ast"
	"go/types"

	"github.com/spilelog/spile/convention"
)

// attr is one field as the source gives it.
type attr struct {
	// key is the key, if known says that it is a constant.
	key   string
	known bool
	// value is the expression of the value, with the parentheses around it; nil where a helper made it and its type is
	// right.
	value ast.Expr
	// at is what a finding about the field is shown at: the key, or the whole attribute.
	at ast.Expr
	// whole is the call that makes the attribute, nil in a pair. constructor is its name.
	whole       *ast.CallExpr
	constructor string
}

// fieldList is what the fields of a call are known to be.
type fieldList struct {
	attrs []attr
	// open says that the call may have more fields than attrs.
	open bool
}

// lookup gives the fields of calls.
type lookup struct {
	info    *types.Info
	makers  map[string]bool
	helpers map[string]string
	// report takes a finding of the rules of pairs and keys.
	report func(rule string, at ast.Node, message string)
}

// fields reads the arguments from position first on.
func (l *lookup) fields(call *ast.CallExpr, first int) fieldList {
	if first == none || first >= len(call.Args) {
		return fieldList{}
	}
	args := call.Args[first:]
	if call.Ellipsis.IsValid() {
		if list, ok := ast.Unparen(args[len(args)-1]).(*ast.CompositeLit); ok {
			return l.elements(list)
		}
		return fieldList{open: true}
	}
	return l.list(args)
}

// elements reads a literal slice of attributes or arguments.
func (l *lookup) elements(list *ast.CompositeLit) fieldList {
	for _, e := range list.Elts {
		if _, keyed := e.(*ast.KeyValueExpr); keyed {
			return fieldList{open: true}
		}
	}
	return l.list(list.Elts)
}

// list reads arguments: attributes, and keys with the value that follows.
func (l *lookup) list(args []ast.Expr) fieldList {
	var out fieldList
	for i := 0; i < len(args); i++ {
		arg := ast.Unparen(args[i])
		switch t := l.info.TypeOf(arg); {
		case isNamed(t, slogPath, "Attr"):
			out.take(l.attribute(arg))
		case types.Identical(types.Default(t), types.Typ[types.String]):
			a := l.key(arg)
			if i++; i == len(args) {
				l.report(rulePairs, arg, quoted(a)+" has no value: keys and values come in pairs")
				out.open = true
				return out
			}
			a.value = args[i]
			out.take(a, true)
		case types.IsInterface(t) || isTypeParam(t):
			// Only the program knows whether this is a key; what follows cannot be told apart.
			out.open = true
			return out
		default:
			l.report(rulePairs, arg, "an argument of type "+typeName(t)+
				" stands where a key or an attribute must be: a key has the type string")
			out.open = true
			return out
		}
	}
	return out
}

// take takes in an attribute, or the news that there is one of which nothing is known.
func (f *fieldList) take(a attr, ok bool) {
	if !ok || !a.known {
		f.open = true
	}
	if ok {
		f.attrs = append(f.attrs, a)
	}
}

// key is an attribute with the key that expr is.
func (l *lookup) key(expr ast.Expr) attr {
	key, known := constantText(l.info, expr)
	if !known {
		l.report(ruleConstantKey, expr, "the key is not a constant")
	}
	return attr{key: key, known: known, at: expr}
}

// attribute reads an expression of type slog.Attr; false where nothing is known of it.
func (l *lookup) attribute(expr ast.Expr) (attr, bool) {
	switch e := expr.(type) {
	case *ast.CompositeLit:
		return l.literal(e)
	case *ast.CallExpr:
		name := callee(l.info, e)
		switch {
		case l.makers[name] && len(e.Args) == 2: // else the results of one call
			a := l.key(ast.Unparen(e.Args[0]))
			a.value, a.whole, a.constructor = e.Args[1], e, name
			return a, true
		case name == slogPath+".Group" || name == slogPath+".GroupAttrs":
			a := l.key(ast.Unparen(e.Args[0]))
			// A group without a key is inlined: its fields are fields of the record.
			return a, a.key != ""
		case l.helpers[name] == convention.KeyWhat:
			return attr{key: convention.KeyWhat, known: true, value: ast.Unparen(e.Args[0]), at: e}, true
		case l.helpers[name] != "":
			return attr{key: l.helpers[name], known: true, at: e}, true
		}
	}
	return attr{}, false
}

// literal reads slog.Attr{Key: …, Value: …}. Of its value nothing is held.
func (l *lookup) literal(lit *ast.CompositeLit) (attr, bool) {
	for _, e := range lit.Elts {
		pair, keyed := e.(*ast.KeyValueExpr)
		if !keyed {
			return l.key(ast.Unparen(e)), true
		}
		if name, ok := pair.Key.(*ast.Ident); ok && name.Name == "Key" {
			return l.key(ast.Unparen(pair.Value)), true
		}
	}
	return attr{}, false
}

// twice reports keys that occur again.
func (l *lookup) twice(f fieldList) {
	seen := map[string]bool{}
	for _, a := range f.attrs {
		if !a.known || a.key == "" {
			continue
		}
		if seen[a.key] {
			l.report(ruleTwice, a.at, quoted(a)+" is given twice in one call")
		}
		seen[a.key] = true
	}
}

// isTypeParam says whether t is a type parameter.
func isTypeParam(t types.Type) bool {
	_, ok := types.Unalias(t).(*types.TypeParam)
	return ok
}

// typeName is a type as people write it, with the name of its package.
func typeName(t types.Type) string {
	return types.TypeString(types.Default(t), func(p *types.Package) string { return p.Name() })
}

// quoted is how a finding names a field.
func quoted(a attr) string {
	if !a.known {
		return "the key"
	}
	return "key " + a.key
}

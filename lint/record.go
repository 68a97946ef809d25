package lint

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/event"
)

// found is a finding at a place.
type found struct {
	convention.Finding
	at  ast.Node
	fix *analysis.SuggestedFix
}

// record is one record as the source gives it.
type record struct {
	// name is the expression that names the event; nil where the record has no name, or where it is not held here.
	name ast.Expr
	// level is the level, if levelKnown.
	level      event.Level
	levelKnown bool
	fields     fieldList
	// inherited are fields of a With that stands in the same expression; they were judged there.
	inherited []attr
	// whole says that this is all of a record, and not fields that others are added to.
	whole bool
	// at is the call.
	at ast.Node
}

// nameOf is the expression that names the event: the value of what, which makes the message prose, or the message.
func (s *settings) nameOf(message ast.Expr, f fieldList) ast.Expr {
	for _, a := range f.attrs {
		if a.known && a.key == convention.KeyWhat {
			return a.value
		}
	}
	if s.prose {
		return nil
	}
	return message
}

// judgement checks records with the settings of a package.
type judgement struct {
	info    *types.Info
	checker *convention.Checker
	module  string
	// imported gives the name under which the file of a node imports a package, or "".
	imported func(at ast.Node, path string) string
}

// judge reports how r breaks the rules.
func (j *judgement) judge(r record) []found {
	var out []found
	what := ""
	if r.name != nil {
		name, ok := constantText(j.info, r.name)
		if !ok {
			out = append(out, j.variableName(r.name))
		} else {
			out = append(out, j.judgeName(r.name, name)...)
			what = name
		}
	}
	renamed := slices.ContainsFunc(out, func(f found) bool { return f.fix != nil })
	return append(out, j.judgeFields(r, what, renamed)...)
}

// variableName is the finding about a name that is not a constant.
func (j *judgement) variableName(name ast.Expr) found {
	return found{at: name, Finding: convention.Finding{
		Rule: ruleConstantName, Severity: severityOf(ruleConstantName), Field: convention.KeyWhat,
		Message: "the name of the event is not a constant: name what happened, and put what varies into fields",
	}}
}

// judgeName checks the name of an event. All findings carry the same fix, which repairs all of them.
func (j *judgement) judgeName(expr ast.Expr, name string) []found {
	var out []found
	for _, f := range j.checker.CheckName(name, j.module) {
		out = append(out, found{Finding: f, at: expr, fix: rename(expr, f.Suggestion)})
	}
	return out
}

// judgeFields checks the fields of a record.
func (j *judgement) judgeFields(r record, what string, renamed bool) []found {
	g := j.gather(r)
	if what != "" {
		g.values[convention.KeyWhat] = what
	}
	level := event.Info
	if r.levelKnown {
		level = r.level
	}
	var out []found
	for _, f := range j.checker.CheckRecord(level.String(), g.values) {
		a, placed := g.places[f.Field]
		if !r.holds(f, what, placed) {
			continue
		}
		one := found{Finding: f, at: r.at}
		switch {
		case f.Rule == "RC02":
			one.at = r.name
			if !renamed {
				one.fix = rename(r.name, f.Suggestion)
			}
		case f.Rule == "RC05":
			if !g.exact[f.Field] {
				one.Finding = j.byType(f, a)
			}
			one.at, one.fix = a.at, j.retype(one.Finding, a)
		case placed:
			one.at = a.at
		}
		out = append(out, one)
	}
	return out
}

// gathered is what is known of the fields of a record, by key.
type gathered struct {
	// values are what the checker takes; exact says of which the value is that of the program, and no sample.
	values map[string]any
	exact  map[string]bool
	// places are the fields of the call itself.
	places map[string]attr
}

// gather collects the fields of a record, without its name.
func (j *judgement) gather(r record) gathered {
	g := gathered{values: map[string]any{}, exact: map[string]bool{}, places: map[string]attr{}}
	take := func(a attr) bool {
		if !a.known || a.key == convention.KeyWhat {
			return false
		}
		field, ok := j.checker.Catalogue().Field(a.key)
		if !ok {
			field.Name = a.key
		}
		g.values[a.key], g.exact[a.key] = sample(j.info, field, a)
		return true
	}
	for _, a := range r.inherited {
		take(a)
	}
	for _, a := range r.fields.attrs {
		if take(a) {
			g.places[a.key] = a
		}
	}
	return g
}

// holds says whether the finding is about r, and not about what is unknown of it.
func (r *record) holds(f convention.Finding, what string, placed bool) bool {
	if strings.HasPrefix(f.Rule, "EV") {
		return false // the name was judged with its module
	}
	complete := r.whole && !r.fields.open
	switch f.Rule {
	case "RC01", "RC12":
		return complete
	case "RC02":
		return r.whole && what != ""
	case "RC06":
		if f.Field == convention.KeyLevel {
			return r.whole && r.levelKnown
		}
		return r.whole && (placed || !r.fields.open)
	case "RC07":
		return r.whole && r.levelKnown
	case "RC10":
		return complete && r.name == nil
	}
	return placed
}

// byType words a finding about the type of a field by its static type, for the value is only a sample.
func (j *judgement) byType(f convention.Finding, a attr) convention.Finding {
	const must = ": must be "
	if i := strings.LastIndex(f.Message, must); i >= 0 && a.value != nil {
		f.Message = a.key + " is " + typeName(j.info.TypeOf(a.value)) + f.Message[i:]
		f.Suggestion = ""
	}
	return f
}

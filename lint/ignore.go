package lint

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// ignoreDirective begins a comment that switches rules off.
const ignoreDirective = "//spile:ignore"

// ignores are the exceptions of one file.
type ignores struct {
	// file lists the rules that are off in the whole file.
	file []string
	// lines lists the rules that are off on a line.
	lines map[int][]string
	// faults are comments that name no rule or no reason.
	faults []fault
}

// fault is a comment that switches nothing off, and why.
type fault struct {
	comment *ast.Comment
	problem string
}

// readIgnores reads the exceptions of a file.
func readIgnores(fset *token.FileSet, file *ast.File) ignores {
	out := ignores{lines: map[int][]string{}}
	var code map[int]bool
	for _, group := range file.Comments {
		for _, comment := range group.List {
			text, ok := strings.CutPrefix(comment.Text, ignoreDirective)
			if !ok || text != "" && text[0] != ' ' && text[0] != '\t' {
				continue
			}
			rules, problem := parseIgnore(text)
			if problem != "" {
				out.faults = append(out.faults, fault{comment, problem})
				continue
			}
			if comment.Pos() < file.Package {
				out.file = append(out.file, rules...)
				continue
			}
			if code == nil {
				code = codeLines(fset, file)
			}
			line := fset.Position(comment.Pos()).Line
			if !code[line] {
				line++ // it stands alone and speaks of the next line
			}
			out.lines[line] = append(out.lines[line], rules...)
		}
	}
	return out
}

// codeLines are the lines on which something other than a comment begins or ends.
func codeLines(fset *token.FileSet, file *ast.File) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.Comment, *ast.CommentGroup:
			return false
		}
		lines[fset.Position(n.Pos()).Line] = true
		lines[fset.Position(n.End()).Line] = true
		return true
	})
	return lines
}

// parseIgnore reads what follows the directive: rules and a reason. The problem is "" where both are there.
func parseIgnore(text string) (rules []string, problem string) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, "names no rule: write " + ignoreDirective + " RULE reason"
	}
	rules = strings.Split(words[0], ",")
	for _, id := range rules {
		if !known(id) {
			return nil, "names the unknown rule " + id
		}
	}
	if len(words) == 1 {
		return nil, "gives no reason: write " + ignoreDirective + " " + words[0] + " reason"
	}
	return rules, ""
}

// off says whether the rule is off on one of the lines.
func (i *ignores) off(rule string, lines ...int) bool {
	if slices.Contains(i.file, rule) {
		return true
	}
	return slices.ContainsFunc(lines, func(line int) bool { return slices.Contains(i.lines[line], rule) })
}

package main

import (
	"bytes"
	"fmt"
	"go/format"
	"go/token"
	"maps"
	"os"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// edit is a change of a file by offsets.
type edit struct {
	from, to int
	text     []byte
}

// equal says whether two edits do the same.
func (e edit) equal(other edit) bool {
	return e.from == other.from && e.to == other.to && bytes.Equal(e.text, other.text)
}

// repair applies the first fix of each finding and returns the findings that are left: those without a fix, and those
// whose fix is in the way of another.
func repair(fset *token.FileSet, findings []finding) ([]finding, error) {
	edits := map[string][]edit{}
	var left []finding
	for _, f := range findings {
		if len(f.SuggestedFixes) == 0 || !take(fset, edits, f.SuggestedFixes[0]) {
			left = append(left, f)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(edits)) {
		if err := rewrite(path, edits[path]); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// take adds the edits of a fix, or none if one of them is in the way of an earlier one.
func take(fset *token.FileSet, edits map[string][]edit, fix analysis.SuggestedFix) bool {
	path, added := "", []edit(nil)
	for _, e := range fix.TextEdits {
		file := fset.File(e.Pos)
		one := edit{from: file.Offset(e.Pos), to: file.Offset(e.End), text: e.NewText}
		path = file.Name()
		if slices.ContainsFunc(edits[path], one.equal) {
			continue // several findings have the same fix
		}
		added = append(added, one)
		if slices.ContainsFunc(edits[path], func(other edit) bool { return one.from < other.to && other.from < one.to }) {
			return false
		}
	}
	edits[path] = append(edits[path], added...)
	return true
}

// rewrite changes a file, which keeps its mode.
func rewrite(path string, edits []edit) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("apply fixes: %w", err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("apply fixes: %w", err)
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
	var out bytes.Buffer
	at := 0
	for _, e := range edits {
		out.Write(source[at:e.from])
		out.Write(e.text)
		at = e.to
	}
	out.Write(source[at:])
	formatted, err := format.Source(out.Bytes())
	if err != nil {
		return fmt.Errorf("apply fixes to %s: %w", path, err)
	}
	if err := os.WriteFile(path, formatted, info.Mode().Perm()); err != nil {
		return fmt.Errorf("apply fixes: %w", err)
	}
	return nil
}

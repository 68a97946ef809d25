package lint

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func FuzzParseIgnore(f *testing.F) {
	for _, text := range []string{"", " EV02", " EV02 because", "\tEV02,LC01  two words", " EV99 because", " , x", " EV02, x"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rules, problem := parseIgnore(text)
		if (problem == "") != (len(rules) > 0) {
			t.Fatalf("%q: rules %q, problem %q", text, rules, problem)
		}
		if problem != "" {
			return
		}
		first, reason, ok := strings.Cut(strings.TrimSpace(strings.Join(strings.Fields(text), " ")), " ")
		if !ok || reason == "" || strings.Join(rules, ",") != first || slices.ContainsFunc(rules, func(id string) bool { return !known(id) }) {
			t.Errorf("%q: rules %q", text, rules)
		}
	})
}

func TestIgnoredLines(t *testing.T) {
	const source = `//spile:ignore RC03 whole file

package p

func f() {
	g() //spile:ignore EV02 this line
	//spile:ignore EV03,EV04 the next line
	g()
	g(
		1, //spile:ignore EV05 this line
	)
} //spile:ignore EV06 this line
`
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	got := readIgnores(fset, file)
	want := map[int][]string{6: {"EV02"}, 8: {"EV03", "EV04"}, 10: {"EV05"}, 12: {"EV06"}}
	if diff := cmp.Diff(want, got.lines); diff != "" || !slices.Equal(got.file, []string{"RC03"}) || got.faults != nil {
		t.Errorf("file %q, faults %v, lines (-want +got):\n%s", got.file, got.faults, diff)
	}
}

func TestFindConfig(t *testing.T) {
	root := t.TempDir()
	inner := filepath.Join(root, "repository", "a", "b")
	if err := os.MkdirAll(inner, 0o700); err != nil {
		t.Fatal(err)
	}
	find := func(want string) {
		t.Helper()
		if got, err := FindConfig(inner); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	write := func(path ...string) string {
		t.Helper()
		name := filepath.Join(append([]string{root}, path...)...)
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	above := write(ConfigName)
	find(above)
	write("repository", ".git")
	find("") // it lies outside the repository
	nearer := write("repository", ConfigName)
	find(nearer)
	find(write("repository", "a", "b", ConfigName))
}

func TestRulesAreKnown(t *testing.T) {
	ids := map[string]bool{}
	for _, r := range Rules() {
		if ids[r.ID] || !known(r.ID) || severityOf(r.ID) != r.Severity || r.Title == "" {
			t.Errorf("rule %+v", r)
		}
		ids[r.ID] = true
	}
	if known("EV99") {
		t.Error("knows EV99")
	}
}

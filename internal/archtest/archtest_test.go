// Package archtest holds the tests of the repository's shape: which package may import which, what a package and a
// file must look like. It parses the sources in this process, so it needs no tool and sees every build constraint.
package archtest

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestRepository(t *testing.T) {
	tree, err := load(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.packages) == 0 {
		t.Fatal("found no package: the test looks in the wrong folder")
	}
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			for _, violation := range rule.check(tree) {
				t.Error(violation)
			}
		})
	}
}

// TestRulesBite breaks every rule once and expects to be told by name.
func TestRulesBite(t *testing.T) {
	const doc = "// Package p is documented.\n"
	for _, test := range []struct {
		name  string
		rule  string
		files map[string]string
		want  []string
	}{
		{
			name: "upward", rule: "layers",
			files: map[string]string{"wire/a.go": doc + "package wire\nimport _ \"" + module + "/server\""},
			want:  []string{"wire/a.go imports server: wire is in layer 0, server in layer 3"},
		},
		{
			name: "siblings", rule: "layers",
			files: map[string]string{"agent/a.go": doc + "package agent\nimport _ \"" + module + "/server/api\""},
			want: []string{
				"agent/a.go imports server/api: agent is in layer 3, server in layer 3",
			},
		},
		{
			name: "downward-and-same-parent", rule: "layers",
			files: map[string]string{
				"server/a.go": doc + "package server\nimport _ \"" + module + "/server/api\"\n",
				"server/b.go": "package server\nimport _ \"" + module + "/wire\"",
				"agent/a.go":  doc + "package agent\nimport _ \"" + module + "/agent/source/file\"",
			},
		},
		{
			name: "source-does-not-import-agent", rule: "layers",
			files: map[string]string{"agent/source/file/a.go": doc + "package file\nimport _ \"" + module + "/agent\""},
			want: []string{
				"agent/source/file/a.go imports agent: agent/source is in layer 1, agent in layer 3",
			},
		},
		{
			name: "no-layer", rule: "layers",
			files: map[string]string{"util/a.go": doc + "package util"},
			want:  []string{"util has no layer: add it to the table of layers"},
		},
		{
			name: "no-comment", rule: "package-comments",
			files: map[string]string{"wire/a.go": "package wire"},
			want:  []string{"wire has a package comment in 0 files, want exactly 1: []"},
		},
		{
			name: "two-comments", rule: "package-comments",
			files: map[string]string{"wire/a.go": doc + "package wire", "wire/b.go": doc + "package wire"},
			want:  []string{"wire has a package comment in 2 files, want exactly 1: [wire/a.go wire/b.go]"},
		},
		{
			name: "replace", rule: "no-replace",
			files: map[string]string{"go.mod": "module m\n\nreplace a => ../a\n"},
			want:  []string{"go.mod has line 3: replace a => ../a"},
		},
		{
			name: "root-imports", rule: "root-stdlib-only",
			files: map[string]string{"a.go": doc + "package spile\nimport _ \"log/slog\"\nimport _ \"net/http/httptest\"\n" +
				"import _ \"example.org/x\""},
			want: []string{
				"a.go imports net/http/httptest: the root package takes no network server",
				"a.go imports example.org/x: the root package is standard library only",
			},
		},
		{
			name: "root-imports-through-a-package", rule: "root-stdlib-only",
			files: map[string]string{
				"a.go":      doc + "package spile\nimport _ \"" + module + "/wire\"",
				"wire/a.go": doc + "package wire\nimport _ \"net/http\"",
			},
			want: []string{"wire/a.go imports net/http: the root package takes no network server"},
		},
		{
			name: "upward-to-the-root", rule: "layers",
			files: map[string]string{
				"a.go":      doc + "package spile",
				"wire/a.go": doc + "package wire\nimport _ \"" + module + "\"",
			},
			want: []string{"wire/a.go imports .: wire is in layer 0, . in layer 2"},
		},
		{
			name: "test-only", rule: "test-only-modules",
			files: map[string]string{
				"wire/a.go":      doc + "package wire\nimport _ \"pgregory.net/rapid\"",
				"wire/a_test.go": "package wire\nimport _ \"pgregory.net/rapid\"",
			},
			want: []string{"wire/a.go imports pgregory.net/rapid: only _test.go files may"},
		},
		{
			name: "default-mux", rule: "no-default-mux",
			files: map[string]string{"server/a.go": doc + "package server\nimport web \"net/http\"\n" +
				"func f() { web.HandleFunc(\"/\", nil) }\nvar _ = web.DefaultServeMux\nvar _ = web.NewServeMux()"},
			want: []string{"server/a.go:4 uses http.HandleFunc", "server/a.go:5 uses http.DefaultServeMux"},
		},
		{
			name: "long", rule: "sizes",
			files: map[string]string{
				"wire/a.go":      doc + "package wire\nfunc (t T) long() {" + repeat("\n", 80) + "}\n",
				"wire/b.go":      "package wire" + repeat("\n", maxLines+1),
				"wire/b_test.go": "package wire" + repeat("\n", maxLines+1),
			},
			want: []string{
				"wire/a.go: function long has 81 lines, at most 80 allowed",
				"wire/b.go has 501 lines, at most 500 allowed",
			},
		},
		{
			name: "nested-module", rule: "layers",
			files: map[string]string{"bench/go.mod": "module b", "bench/a.go": "package bench"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := fstest.MapFS{"go.mod": {Data: []byte("module m\n")}}
			for name, text := range test.files {
				fsys[name] = &fstest.MapFile{Data: []byte(text)}
			}
			tree, err := load(fsys)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, ruleNamed(t, test.rule).check(tree)); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// ruleNamed is the rule of that name.
func ruleNamed(t *testing.T, name string) rule {
	t.Helper()
	for _, r := range rules {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("no rule %q", name)
	return rule{}
}

// repeat is s n times.
func repeat(s string, n int) string {
	out := ""
	for range n {
		out += s
	}
	return out
}

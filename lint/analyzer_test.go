package lint_test

import (
	"maps"
	"slices"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/spilelog/spile/lint"
)

func TestAnalyzer(t *testing.T) {
	for _, test := range []struct {
		name   string
		folder string
		flags  map[string]string
		fixed  bool
	}{
		{name: "names", folder: "names", fixed: true},
		{name: "pairs", folder: "pairs"},
		{name: "fields", folder: "fields", fixed: true},
		{name: "fixes-without-the-helpers", folder: "unimported", fixed: true},
		{name: "fixes-keep-values-as-written", folder: "rewritten", fixed: true},
		{name: "ignore-comments", folder: "ignored"},
		{name: "prose", folder: "prose", flags: map[string]string{"prose": "true", "off": "LC03", "severity": "info"}},
		{name: "generated-files-and-tests", folder: "generated"},
		{name: "calls-of-spile", folder: "spilecalls"},
		{name: "settings-of-the-folder-above", folder: "configured/sub"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := lint.New()
			for _, name := range slices.Sorted(maps.Keys(test.flags)) {
				if err := a.Flags.Set(name, test.flags[name]); err != nil {
					t.Fatal(err)
				}
			}
			if test.fixed {
				analysistest.RunWithSuggestedFixes(t, analysistest.TestData(), a, "./"+test.folder)
				return
			}
			analysistest.Run(t, analysistest.TestData(), a, "./"+test.folder)
		})
	}
}

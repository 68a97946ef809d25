package main

import (
	"context"
	"strings"
	"testing"

	"github.com/spilelog/spile/bench/mixedlog"
)

func TestRunPrintsEveryRow(t *testing.T) {
	var out strings.Builder
	if _, err := run(&out, 2, 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"level counting", "literal", "three alternatives", nameTail, nameOtel, nameRegexp} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("no row for %q in:\n%s", name, &out)
		}
	}
}

// What is compared must do the same work.
func TestPeersFindTheSameLines(t *testing.T) {
	path, err := mixedlog.File(20 * megabyte)
	if err != nil {
		t.Fatal(err)
	}
	count := func(run func(context.Context, string) (int, error)) int {
		lines, err := run(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return lines
	}
	scan := func(pattern string) int {
		run, err := agentPath(pattern)
		if err != nil {
			t.Fatal(err)
		}
		return count(run)
	}
	literal := scan(literalText)
	if got := count(tailContains); literal == 0 || got != literal {
		t.Errorf("nxadm/tail found %d lines, we %d", got, literal)
	}
	if got := count(otelFilelog); got != literal {
		t.Errorf("the filelog receiver found %d lines, we %d", got, literal)
	}
	if got, want := count(regexpPerLine), scan(alternatives); got != want {
		t.Errorf("regexp found %d lines, we %d", got, want)
	}
}

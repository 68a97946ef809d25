package wire_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"github.com/spilelog/spile/wire"
)

// TestEachReasonHasAStage holds the constants against the table.
func TestEachReasonHasAStage(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "frame.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") {
			return true
		}
		reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		found++
		if stage, known := wire.StageOf(reason); !known || stage == "" {
			t.Errorf("%s (%s) has no stage", spec.Names[0].Name, reason)
		}
		return true
	})
	if found == 0 || found != len(wire.Reasons()) {
		t.Errorf("%d constants, %d reasons in the table", found, len(wire.Reasons()))
	}
	if _, known := wire.StageOf("bad luck"); known {
		t.Error("an unknown reason has a stage")
	}
}

func TestStageOfGap(t *testing.T) {
	for _, test := range []struct {
		name   string
		reason string
		unit   wire.Unit
		want   wire.Stage
	}{
		{"of-the-table", wire.ReasonLagging, wire.UnitBytes, wire.StageRead},
		{"of-the-table-whatever-the-unit", wire.ReasonSlowViewer, wire.UnitBytes, wire.StageRing},
		{"later-events", "bad luck", wire.UnitEvents, wire.StageQueue},
		{"later-bytes", "bad luck", wire.UnitBytes, wire.StageRead},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := wire.StageOfGap(test.reason, test.unit); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

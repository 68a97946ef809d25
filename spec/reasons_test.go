package spec_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/wire"
)

// TestSchemaHasTheReasonsOfTheTable holds the reasons of gaps in the schema against the one table.
func TestSchemaHasTheReasonsOfTheTable(t *testing.T) {
	data, err := os.ReadFile(framesDoc)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Defs struct {
			GapReason struct {
				Enum []string `json:"enum"`
			} `json:"gap_reason"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	got := slices.Sorted(slices.Values(doc.Defs.GapReason.Enum))
	if diff := cmp.Diff(wire.Reasons(), got); diff != "" {
		t.Errorf("reasons (-table +schema):\n%s", diff)
	}
}

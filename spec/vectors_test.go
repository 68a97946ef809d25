package spec_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"testing"

	"github.com/spilelog/spile/spec"
)

func TestVectorsHaveUniqueNames(t *testing.T) {
	data, err := spec.Vectors("events")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Name string `json:"name"`
		Op   string `json:"op"`
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range rows {
		if row.Name == "" || row.Op == "" || seen[row.Name] {
			t.Errorf("vector %q with op %q: want a name of its own and an op", row.Name, row.Op)
		}
		seen[row.Name] = true
	}
	if len(seen) == 0 {
		t.Error("there are no vectors of events")
	}
}

func TestVectorsThatAreNotThere(t *testing.T) {
	if _, err := spec.Vectors("nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v, want one that says that the file does not exist", err)
	}
}

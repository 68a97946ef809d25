package convention_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/spec"
)

// vector is one row of the test vectors of events.
type vector struct {
	Name  string `json:"name"`
	Op    string `json:"op"`
	Input struct {
		What   string         `json:"what"`
		Module string         `json:"module"`
		Level  string         `json:"level"`
		Keys   map[string]any `json:"keys"`
	} `json:"input"`
	Expected struct {
		Verdict string   `json:"verdict"`
		Rules   []string `json:"rules"`
	} `json:"expected"`
}

func vectors(t testing.TB) []vector {
	t.Helper()
	data, err := spec.Vectors("events")
	if err != nil {
		t.Fatal(err)
	}
	var rows []vector
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// rulesOf is the set of the rules that fired, sorted.
func rulesOf(findings []convention.Finding) []string {
	out := []string{}
	for _, f := range findings {
		out = append(out, f.Rule)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestVectors(t *testing.T) {
	k := convention.Default()
	for _, row := range vectors(t) {
		t.Run(row.Name, func(t *testing.T) {
			var findings []convention.Finding
			verdict := "good"
			switch row.Op {
			case "lint_event_name":
				findings = k.CheckName(row.Input.What, row.Input.Module)
				if len(findings) > 0 {
					verdict = "bad"
				}
			case "lint_record":
				findings = k.CheckRecord(row.Input.Level, row.Input.Keys)
				switch worst := convention.Worst(findings); {
				case worst > convention.Info:
					verdict = "bad"
				case worst == convention.Info:
					verdict = "good_with_info"
				}
			default:
				t.Fatalf("unknown op %q", row.Op)
			}
			want := slices.Sorted(slices.Values(row.Expected.Rules))
			if want == nil {
				want = []string{}
			}
			if diff := cmp.Diff(want, rulesOf(findings)); diff != "" {
				t.Errorf("rules (-want +got):\n%s\n%v", diff, findings)
			}
			if verdict != row.Expected.Verdict {
				t.Errorf("verdict is %s, want %s", verdict, row.Expected.Verdict)
			}
		})
	}
}

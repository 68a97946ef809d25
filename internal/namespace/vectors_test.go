package namespace

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/spec"
)

// vector is one row of the test vectors of namespaces. Their only separator is the double colon.
type vector struct {
	Name  string `json:"name"`
	Op    string `json:"op"`
	Class string `json:"class"`
	Input struct {
		Pattern   string      `json:"pattern"`
		Namespace string      `json:"namespace"`
		BaseLevel string      `json:"base_level"`
		Bindings  [][2]string `json:"bindings"`
		First     string      `json:"first"`
		Second    string      `json:"second"`
	} `json:"input"`
	Expected    answers  `json:"expected"`
	Recommended *answers `json:"recommended"`
}

// answers is what a row wants, by the name of the operation.
type answers struct {
	Match     *bool  `json:"match"`
	Valid     *bool  `json:"valid"`
	Level     string `json:"level"`
	Winner    string `json:"winner"`
	KeyFirst  Rank   `json:"key_first"`
	KeySecond Rank   `json:"key_second"`
}

func TestVectors(t *testing.T) {
	data, err := spec.Vectors("namespaces")
	if err != nil {
		t.Fatal(err)
	}
	var rows []vector
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			want := row.Expected
			switch {
			case row.Recommended != nil:
				want = *row.Recommended
			case row.Class != "core":
				t.Fatalf("class %q without a recommendation: nothing says what is wanted", row.Class)
			}
			check(t, row, want)
		})
	}
}

// check runs one row.
func check(t *testing.T, row vector, want answers) {
	t.Helper()
	switch row.Op {
	case "match":
		// The matcher is asked about patterns that Parse rejects, too.
		if got := compile(row.Input.Pattern, doubleColon).Match(row.Input.Namespace); got != *want.Match {
			t.Errorf("match is %t, want %t", got, *want.Match)
		}
	case "validate":
		if _, err := parse(row.Input.Pattern, doubleColon); (err == nil) != *want.Valid {
			t.Errorf("error is %v, want valid %t", err, *want.Valid)
		}
	case "effective_level":
		got := level(t, row.Input.BaseLevel)
		var b *Bindings
		for _, bind := range row.Input.Bindings {
			b = b.With(mustParse(t, bind[0]), level(t, bind[1]))
		}
		if bound, ok := b.Level(row.Input.Namespace); ok {
			got = bound
		}
		if got != level(t, want.Level) {
			t.Errorf("level is %v, want %s", got, want.Level)
		}
	case "more_specific":
		first, second := mustParse(t, row.Input.First).Rank(), mustParse(t, row.Input.Second).Rank()
		if diff := cmp.Diff([]Rank{want.KeyFirst, want.KeySecond}, []Rank{first, second}); diff != "" {
			t.Errorf("ranks (-want +got)\n%s", diff)
		}
		got := map[int]string{1: "first", 0: "tie", -1: "second"}[first.Compare(second)]
		if !strings.HasPrefix(want.Winner, got) {
			t.Errorf("winner is %s, want %s", got, want.Winner)
		}
	default:
		t.Fatalf("unknown op %q", row.Op)
	}
}

// mustParse parses a pattern of the vectors.
func mustParse(t *testing.T, pattern string) Pattern {
	t.Helper()
	p, err := parse(pattern, doubleColon)
	if err != nil {
		t.Fatalf("pattern %q: %v", pattern, err)
	}
	return p
}

// level is the level of a word.
func level(t *testing.T, word string) event.Level {
	t.Helper()
	l, err := event.ParseLevel(word)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestVectorsAsUsersBind runs the same rows by all separators, which is what programs bind by. A dot separates there, so
// two patterns can be bound that the double colon alone refuses.
func TestVectorsAsUsersBind(t *testing.T) {
	dotted := map[string]bool{"validate/MyLib.HTTP": true, "validate/db.*": true}
	data, err := spec.Vectors("namespaces")
	if err != nil {
		t.Fatal(err)
	}
	var rows []vector
	if err := json.Unmarshal(data, &rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		t.Run(row.Name, func(t *testing.T) {
			want := row.Expected
			if row.Recommended != nil {
				want = *row.Recommended
			}
			switch row.Op {
			case "match":
				if got := compile(row.Input.Pattern, everySeparator).Match(row.Input.Namespace); got != *want.Match {
					t.Errorf("match is %t, want %t", got, *want.Match)
				}
			case "validate":
				if _, err := Parse(row.Input.Pattern); (err == nil) != (*want.Valid || dotted[row.Name]) {
					t.Errorf("error is %v, want valid %t", err, *want.Valid)
				}
			case "effective_level":
				var b *Bindings
				for _, bind := range row.Input.Bindings {
					p, err := Parse(bind[0])
					if err != nil {
						t.Fatal(err)
					}
					b = b.With(p, level(t, bind[1]))
				}
				got, bound := b.Level(row.Input.Namespace)
				if !bound {
					got = level(t, row.Input.BaseLevel)
				}
				if got != level(t, want.Level) {
					t.Errorf("level is %v, want %s", got, want.Level)
				}
			}
		})
	}
}

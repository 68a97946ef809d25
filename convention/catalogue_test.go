package convention_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/convention"
)

func TestCatalogue(t *testing.T) {
	c, err := convention.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range c.Domains() {
		names = append(names, d.Name)
		for _, f := range d.Fields {
			if f.Meaning == "" {
				t.Errorf("field %s has no meaning", f.Name)
			}
		}
	}
	want := []string{"logger", "general", "http", "xmpp", "requests", "exceptions"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("domains (-want +got):\n%s", diff)
	}
	c.Domains()[0].Fields[0].Name = "changed"
	if c.Domains()[0].Fields[0].Name != convention.KeyTimestamp {
		t.Error("who changes the list of domains changes the catalogue")
	}
}

func TestFurtherDomains(t *testing.T) {
	field := []convention.Field{{Name: "tenant", Type: convention.TypeText, Meaning: "who pays"}}
	c, err := convention.NewCatalogue(
		convention.Domain{Name: "http", Fields: field},
		convention.Domain{Name: "billing", Fields: []convention.Field{{Name: "invoice", Type: convention.TypeAny}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Domains()) != 7 || !slices.Contains(c.Names(), "tenant") || !slices.Contains(c.Names(), "invoice") {
		t.Errorf("there are %d domains with fields %v", len(c.Domains()), c.Names())
	}
	again, err := convention.NewCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := again.Field("tenant"); ok {
		t.Error("a further field is in every catalogue")
	}
}

func TestDomainsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		name   string
		domain convention.Domain
		want   string
	}{
		{"no-name", convention.Domain{}, "lower snake case"},
		{"field-name", convention.Domain{Name: "d", Fields: []convention.Field{{Name: "A"}}}, `field "A"`},
		{"type", convention.Domain{Name: "d", Fields: []convention.Field{{Name: "a", Type: "x"}}}, "unknown type"},
		{"twice", convention.Domain{Name: "d", Fields: []convention.Field{{Name: "user", Type: "text"}}}, "already"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := convention.NewCatalogue(test.domain)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range convention.Rules() {
		if seen[r.ID] || r.Title == "" || (r.Severity == convention.Off) != (r.Subject == convention.SubjectPipeline) {
			t.Errorf("rule is wrong: %+v", r)
		}
		seen[r.ID] = true
	}
	if len(seen) != 24 {
		t.Errorf("there are %d rules, want 11 of names and 13 of records", len(seen))
	}
}

func TestSeverityWords(t *testing.T) {
	for s := convention.Off; s <= convention.Error; s++ {
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back convention.Severity
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%s reads as %v, %v", text, back, err)
		}
	}
	var s convention.Severity
	if err := s.UnmarshalText([]byte("fatal")); err == nil || !strings.Contains(err.Error(), "off, info, warning") {
		t.Errorf("error is %v, want one that lists the words", err)
	}
}

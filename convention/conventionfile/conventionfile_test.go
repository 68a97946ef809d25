package conventionfile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/spilelog/spile/convention"
	"github.com/spilelog/spile/convention/conventionfile"
)

const full = `vendor_prefixes: [acme_]
module_prefixes: {acme_billing: bill}
allowed_modules: [pool]
max_length: 48
max_words: 7
levels: [trace]
reserved_keys: [timestamp, level]
text_values: true
severities: {EV09: off, RC02: "warning"}
domains:
  - name: billing
    title: Billing
    fields:
      - {name: invoice, type: integer, meaning: number of the invoice, example: "42", enforced: true}
`

func TestParse(t *testing.T) {
	want := convention.Config{
		VendorPrefixes: []string{"acme_"}, ModulePrefixes: map[string]string{"acme_billing": "bill"},
		AllowedModules: []string{"pool"}, MaxLength: 48, MaxWords: 7, Levels: []string{"trace"},
		ReservedKeys: []string{"timestamp", "level"}, TextValues: true,
		Severities: map[string]convention.Severity{"EV09": convention.Off, "RC02": convention.Warning},
		Domains: []convention.Domain{{Name: "billing", Title: "Billing", Fields: []convention.Field{{
			Name: "invoice", Type: convention.TypeInteger, Meaning: "number of the invoice", Example: "42", Enforced: true,
		}}}},
	}
	got, err := conventionfile.Parse([]byte(full))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestParseLittle(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "comment": "# nothing\n"} {
		t.Run(name, func(t *testing.T) {
			got, err := conventionfile.Parse([]byte(text))
			if diff := cmp.Diff(convention.Config{}, got); err != nil || diff != "" {
				t.Errorf("error %v, settings (-want +got):\n%s", err, diff)
			}
		})
	}
	got, err := conventionfile.Parse([]byte("vendor_prefixes: []\n"))
	if err != nil || got.VendorPrefixes == nil {
		t.Errorf("an empty list is %v, %v; want one that is not nil", got.VendorPrefixes, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"unknown-key", "max_size: 4\n", "max_size"},
		{"unknown-severity", "severities: {EV09: loud}\n", `unknown severity "loud"`},
		{"unknown-rule", "severities: {EV99: off}\n", `unknown rule "EV99"`},
		{"unknown-type", "domains: [{name: d, fields: [{name: a, type: blob}]}]\n", `unknown type "blob"`},
		{"negative", "max_words: -1\n", "max_words is -1"},
		{"no-map", "- a\n", "read convention settings"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := conventionfile.Parse([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
		})
	}
}

func ExampleParse() {
	config, err := conventionfile.Parse([]byte("max_words: 4\nseverities: {EV09: error}\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	checker, err := convention.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(convention.Worst(checker.CheckName("user_could_be_removed_at_last", "")))
	// Output: error
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte("severities: {EV09: 'off'}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		config, err := conventionfile.Parse(data)
		if err != nil {
			return
		}
		if _, err := convention.New(config); err != nil {
			t.Fatalf("settings are taken and refused: %v", err)
		}
	})
}

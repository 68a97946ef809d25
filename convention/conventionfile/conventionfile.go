// Package conventionfile reads the settings of the convention checker from a small YAML file. It stands apart from
// package convention, so that programs which only log do not take in a YAML parser.
//
// A file with every key:
//
//	vendor_prefixes: [acme_]        # replaces the built-in list; [] means none
//	module_prefixes: {acme_billing: bill}
//	allowed_modules: [pool]
//	max_length: 48
//	max_words: 7
//	levels: [trace]                 # besides the eight of RFC 5424
//	reserved_keys: [timestamp, level]
//	text_values: true               # the logs know only text, as logfmt does
//	severities: {EV09: off, RC02: warning}
//	domains:
//	  - name: billing
//	    title: Billing
//	    fields:
//	      - {name: invoice, type: integer, meaning: number of the invoice, example: "42", enforced: true}
package conventionfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml"

	"github.com/spilelog/spile/convention"
)

// settings mirrors convention.Config with the keys of the file.
type settings struct {
	VendorPrefixes []string            `yaml:"vendor_prefixes"`
	ModulePrefixes map[string]string   `yaml:"module_prefixes"`
	AllowedModules []string            `yaml:"allowed_modules"`
	MaxLength      int                 `yaml:"max_length"`
	MaxWords       int                 `yaml:"max_words"`
	Levels         []string            `yaml:"levels"`
	ReservedKeys   []string            `yaml:"reserved_keys"`
	TextValues     bool                `yaml:"text_values"`
	Severities     map[string]severity `yaml:"severities"`
	Domains        []domain            `yaml:"domains"`
}

// severity reads the word of a severity. YAML 1.1 tools write off as a truth; here it is the word.
type severity struct{ convention.Severity }

// UnmarshalYAML reads the bare word.
func (s *severity) UnmarshalYAML(data []byte) error {
	return s.UnmarshalText(bytes.Trim(bytes.TrimSpace(data), `"'`))
}

type domain struct {
	Name   string  `yaml:"name"`
	Title  string  `yaml:"title"`
	Fields []field `yaml:"fields"`
}

type field struct {
	Name     string          `yaml:"name"`
	Type     convention.Type `yaml:"type"`
	Meaning  string          `yaml:"meaning"`
	Example  string          `yaml:"example"`
	Note     string          `yaml:"note"`
	Enforced bool            `yaml:"enforced"`
}

// Parse reads the settings and tries them: what [convention.New] would refuse is an error here too. Unknown keys are
// errors that name the line. An empty file holds the zero settings.
func Parse(data []byte) (convention.Config, error) {
	var s settings
	err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&s)
	if err != nil && !errors.Is(err, io.EOF) {
		return convention.Config{}, fmt.Errorf("read convention settings: %w", err)
	}
	c := convention.Config{
		VendorPrefixes: s.VendorPrefixes, ModulePrefixes: s.ModulePrefixes, AllowedModules: s.AllowedModules,
		MaxLength: s.MaxLength, MaxWords: s.MaxWords, Levels: s.Levels, ReservedKeys: s.ReservedKeys,
		TextValues: s.TextValues,
	}
	for id, level := range s.Severities {
		if c.Severities == nil {
			c.Severities = map[string]convention.Severity{}
		}
		c.Severities[id] = level.Severity
	}
	for _, d := range s.Domains {
		out := convention.Domain{Name: d.Name, Title: d.Title}
		for _, f := range d.Fields {
			out.Fields = append(out.Fields, convention.Field(f))
		}
		c.Domains = append(c.Domains, out)
	}
	if _, err := convention.New(c); err != nil {
		return convention.Config{}, fmt.Errorf("read convention settings: %w", err)
	}
	return c, nil
}

package convention

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Type is the type of a field.
type Type string

// The types. Texts that come from a log file pass where they read as the type, as noted.
const (
	// TypeText is a UTF-8 text.
	TypeText Type = "text"
	// TypeName is a short constant text: remove_user_failed, http_timeout.
	TypeName Type = "name"
	// TypeInteger is a whole number. A [time.Duration] is none: it prints as 1.5s.
	TypeInteger Type = "integer"
	// TypeNumber is any number.
	TypeNumber Type = "number"
	// TypeBool is true or false.
	TypeBool Type = "boolean"
	// TypePort is a whole number from 0 to 65535.
	TypePort Type = "port"
	// TypeIP is an IP address: [net/netip.Addr] or its text.
	TypeIP Type = "ip"
	// TypePeer is an IP address with a port: [net/netip.AddrPort] or its text.
	TypePeer Type = "peer"
	// TypeList is a list of values, such as the names in tags.
	TypeList Type = "list"
	// TypeTime is a time with zone: [time.Time] or RFC 3339 text.
	TypeTime Type = "time"
	// TypeLevel is one of the eight words of RFC 5424.
	TypeLevel Type = "level"
	// TypeObject is a group of named values.
	TypeObject Type = "object"
	// TypeAny is any value.
	TypeAny Type = "any"
)

// types lists the types for error messages and validation.
var types = []Type{
	TypeText, TypeName, TypeInteger, TypeNumber, TypeBool, TypePort, TypeIP, TypePeer, TypeList, TypeTime, TypeLevel,
	TypeObject, TypeAny,
}

// Field describes one field of a record.
type Field struct {
	// Name is the key: lower snake case.
	Name string
	// Type is the type of the value.
	Type Type
	// Meaning says in one line what the value tells.
	Meaning string
	// Example is a value as it would be printed; empty where a value would be too large to print.
	Example string
	// Note says when to use the field and when not; may be empty.
	Note string
	// Enforced says that RC05 holds the type. The types of the other fields are for the reader.
	Enforced bool
}

// Domain is a group of fields that belong to one kind of record.
type Domain struct {
	// Name is the short name: lower snake case.
	Name string
	// Title is the name for people.
	Title string
	// Fields are the fields in the order in which they are documented.
	Fields []Field
}

// Catalogue is the set of known fields by domain. It never changes and may be used by any number of goroutines.
type Catalogue struct {
	domains []Domain
	fields  map[string]Field
}

var snakeCase = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// NewCatalogue is the catalogue of the convention with further domains. A domain with the name of an existing one adds
// its fields to it. A field that is described twice, a name that is not lower snake case and an unknown type are
// errors.
func NewCatalogue(further ...Domain) (*Catalogue, error) {
	c := &Catalogue{fields: map[string]Field{}}
	for _, d := range slices.Concat(domainTable, further) {
		if err := c.add(d); err != nil {
			return nil, fmt.Errorf("add domain %q: %w", d.Name, err)
		}
	}
	return c, nil
}

// add takes in a domain, or its fields where the domain is there.
func (c *Catalogue) add(d Domain) error {
	if !snakeCase.MatchString(d.Name) {
		return fmt.Errorf("name %q must be lower snake case", d.Name)
	}
	for _, f := range d.Fields {
		if !snakeCase.MatchString(f.Name) {
			return fmt.Errorf("field %q must be lower snake case", f.Name)
		}
		if !slices.Contains(types, f.Type) {
			return fmt.Errorf("field %q has unknown type %q: must be one of %s", f.Name, f.Type, typeWords())
		}
		if _, twice := c.fields[f.Name]; twice {
			return fmt.Errorf("field %q is described already", f.Name)
		}
		c.fields[f.Name] = f
	}
	i := slices.IndexFunc(c.domains, func(have Domain) bool { return have.Name == d.Name })
	if i < 0 {
		d.Fields = slices.Clone(d.Fields)
		c.domains = append(c.domains, d)
		return nil
	}
	c.domains[i].Fields = append(c.domains[i].Fields, d.Fields...)
	return nil
}

// Domains lists the domains in order. The caller owns the list.
func (c *Catalogue) Domains() []Domain {
	out := slices.Clone(c.domains)
	for i := range out {
		out[i].Fields = slices.Clone(out[i].Fields)
	}
	return out
}

// Field is the description of the field of that name, and whether there is one.
func (c *Catalogue) Field(name string) (Field, bool) {
	f, ok := c.fields[name]
	return f, ok
}

// Names lists the names of all fields in alphabetical order.
func (c *Catalogue) Names() []string { return slices.Sorted(maps.Keys(c.fields)) }

// typeWords lists the types for an error message.
func typeWords() string {
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = string(t)
	}
	return strings.Join(words, ", ")
}

package convention

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The default limits of EV09. They are calibrated on 578 names in use, of which they report 12.
const (
	DefaultMaxLength = 40
	DefaultMaxWords  = 6
)

// Config holds the settings of a [Checker]. The zero value is the convention as it is published.
type Config struct {
	// VendorPrefixes are the prefixes that EV06 refuses, each with its underscore: mod_. Nil means those of
	// [DefaultVendorPrefixes]; an empty list means none.
	VendorPrefixes []string
	// ModulePrefixes maps a module to the short prefix that is suggested in its place: mod_mam to mam. They are added
	// to the built-in ones. They make suggestions better and never change what is reported.
	ModulePrefixes map[string]string
	// AllowedModules are modules whose complete name may be a prefix, because it is short: EV07 passes them.
	AllowedModules []string
	// MaxLength is the number of characters that a name may have, by EV09; 0 means DefaultMaxLength.
	MaxLength int
	// MaxWords is the number of words that a name may have, by EV09; 0 means DefaultMaxWords.
	MaxWords int
	// Levels are words that RC07 takes besides the eight of RFC 5424, such as trace.
	Levels []string
	// ReservedKeys are the keys that RC03 refuses. Nil means those of the convention; an empty list means none, for
	// logs whose logger writes such keys itself.
	ReservedKeys []string
	// TextValues says that the values were read from a format that knows only text, such as logfmt: a text that reads
	// as a number, a truth or a list then passes for one.
	TextValues bool
	// Severities replaces the severities of rules by id. Off means that the rule is not evaluated.
	Severities map[string]Severity
	// Domains are further domains of fields. RC05 holds the types of their enforced fields.
	Domains []Domain
}

// DefaultVendorPrefixes lists the prefixes that EV06 refuses at default settings. The caller owns the list.
func DefaultVendorPrefixes() []string { return []string{"mod_", "mongoose_", "ejabberd_"} }

// modulePrefixes are the suggested prefixes of modules that the convention names.
var modulePrefixes = map[string]string{
	"mod_mam":            "mam",
	"mod_muc":            "muc",
	"ejabberd_sm":        "sm",
	"ejabberd_auth":      "auth",
	"ejabberd_s2s":       "s2s",
	"mongoose_wpool":     "pool",
	"mongoose_wpool_mgr": "pool",
}

// Checker reports where names and records break the convention. It never changes after [New], so any number of
// goroutines may use it at the same time.
type Checker struct {
	vendor     []string
	prefixes   map[string]string
	allowed    []string
	maxLength  int
	maxWords   int
	levels     []string
	reserved   []string
	textValues bool
	severities map[string]Severity
	catalogue  *Catalogue
}

// New makes a checker with the given settings and keeps nothing of c. All faults of the settings are reported at once.
func New(c Config) (*Checker, error) {
	k := &Checker{
		vendor: slices.Clone(c.VendorPrefixes), allowed: slices.Clone(c.AllowedModules), maxLength: c.MaxLength,
		maxWords: c.MaxWords, levels: slices.Concat(rfcLevels, c.Levels), reserved: slices.Clone(c.ReservedKeys),
		textValues: c.TextValues, prefixes: maps.Clone(modulePrefixes), severities: map[string]Severity{},
	}
	if c.VendorPrefixes == nil {
		k.vendor = DefaultVendorPrefixes()
	}
	if c.ReservedKeys == nil {
		k.reserved = reservedKeys
	}
	if c.MaxLength == 0 {
		k.maxLength = DefaultMaxLength
	}
	if c.MaxWords == 0 {
		k.maxWords = DefaultMaxWords
	}
	for _, r := range ruleTable {
		k.severities[r.ID] = r.Severity
	}
	catalogue, err := NewCatalogue(c.Domains...)
	k.catalogue = catalogue
	if err := errors.Join(err, k.take(c)); err != nil {
		return nil, err
	}
	return k, nil
}

// Default is the checker of the convention as it is published.
func Default() *Checker {
	k, err := New(Config{})
	if err != nil {
		panic("convention: the built-in settings are wrong: " + err.Error())
	}
	return k
}

// Catalogue is the set of fields that the checker knows.
func (k *Checker) Catalogue() *Catalogue { return k.catalogue }

// take validates the settings that may be wrong and takes in the maps.
func (k *Checker) take(c Config) error {
	var errs []error
	if c.MaxLength < 0 {
		errs = append(errs, fmt.Errorf("max_length is %d: must be at least 1, or 0 for the default", c.MaxLength))
	}
	if c.MaxWords < 0 {
		errs = append(errs, fmt.Errorf("max_words is %d: must be at least 1, or 0 for the default", c.MaxWords))
	}
	for _, p := range k.vendor {
		if !strings.HasSuffix(p, "_") || !snakeCase.MatchString(strings.TrimSuffix(p, "_")) {
			errs = append(errs, fmt.Errorf("vendor_prefixes has %q: must be lower snake case and end in _", p))
		}
	}
	for _, module := range slices.Sorted(maps.Keys(c.ModulePrefixes)) {
		prefix := c.ModulePrefixes[module]
		if !snakeCase.MatchString(prefix) {
			errs = append(errs, fmt.Errorf("module_prefixes has %q for %q: must be lower snake case", prefix, module))
		}
		k.prefixes[module] = prefix
	}
	for _, id := range slices.Sorted(maps.Keys(c.Severities)) {
		errs = append(errs, k.grade(id, c.Severities[id]))
	}
	return errors.Join(errs...)
}

// grade sets the severity of a rule.
func (k *Checker) grade(id string, s Severity) error {
	i := slices.IndexFunc(ruleTable, func(r Rule) bool { return r.ID == id })
	switch {
	case i < 0:
		return fmt.Errorf("severities has unknown rule %q: must be EV01 to EV11 or RC01 to RC13", id)
	case s < Off || s > Error:
		return fmt.Errorf("severities has %d for %s: must be off, info, warning or error", int(s), id)
	case ruleTable[i].Subject == SubjectPipeline && s != Off:
		return fmt.Errorf("severities has %s: that rule is about formatters and cannot be checked on records", id)
	}
	k.severities[id] = s
	return nil
}

// report collects findings at the severities of a checker.
type report struct {
	checker  *Checker
	findings []Finding
}

// on says whether the rule is evaluated.
func (r *report) on(rule string) bool { return r.checker.severities[rule] != Off }

// add takes in a finding, unless its rule is off.
func (r *report) add(f Finding) {
	f.Severity = r.checker.severities[f.Rule]
	if f.Severity != Off {
		r.findings = append(r.findings, f)
	}
}

// has says whether a rule has fired.
func (r *report) has(rule string) bool {
	return slices.ContainsFunc(r.findings, func(f Finding) bool { return f.Rule == rule })
}

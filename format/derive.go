package format

import (
	"strings"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/callsite"
)

// selectedKey is one key of the list of a pattern.
type selectedKey struct {
	name string
	// derivable says whether the place of the call gives a value where the metadata has none.
	derivable bool
}

// newSelectedKey returns the key of a name.
func newSelectedKey(name string) selectedKey {
	_, ok := SiteValue(name, callsite.Site{})
	return selectedKey{name: name, derivable: ok}
}

// values calls use with every value of a key, in order, or with what can be derived where there is none.
func (p *Pattern) values(e *event.Event, key *selectedKey, use func(event.Value)) {
	if v, ok := key.fromMFA(e.Metadata); ok {
		use(v)
		return
	}
	found := false
	for v := range e.Metadata.All(key.name) {
		found = true
		use(v)
	}
	if found || !key.derivable {
		return
	}
	if v, ok := p.fromSite(key.name, e.PC); ok {
		use(v)
	}
}

// fromMFA is the module or function of the metadata mfa, if it is an [MFA]. As in Elixir it wins against metadata of
// these names.
func (k *selectedKey) fromMFA(m event.Metadata) (event.Value, bool) {
	if k.name != "module" && k.name != "function" {
		return event.Value{}, false
	}
	v, _ := m.Get("mfa")
	mfa, ok := v.Any().(MFA)
	if !ok {
		return event.Value{}, false
	}
	if k.name == "module" {
		return event.String(mfa.module()), true
	}
	return event.String(mfa.function()), true
}

// fromSite is what the place of the call says about a key.
func (p *Pattern) fromSite(key string, pc uintptr) (event.Value, bool) {
	site := p.sites.Lookup(pc)
	if site.Function == "" {
		return event.Value{}, false
	}
	return SiteValue(key, site)
}

// SiteValue is the value of a key at a place in the code, and whether there is such a key: module, function, mfa, file,
// line and at.
func SiteValue(key string, site callsite.Site) (event.Value, bool) {
	switch key {
	case "module":
		return event.String(site.Namespace), true
	case "function":
		// A dot in the last element of a package's path is escaped, so the first dot ends it.
		_, name, _ := strings.Cut(site.Function[strings.LastIndexByte(site.Function, '/')+1:], ".")
		return event.String(name), true
	case "mfa":
		return event.String(site.Function), true
	case "file":
		return event.String(site.File), true
	case "line":
		return event.Int(int64(site.Line)), true
	case "at":
		return event.String(site.At), true
	}
	return event.Value{}, false
}

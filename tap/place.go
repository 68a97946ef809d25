package tap

import (
	"strings"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/callsite"
)

// place is what the place of the call says about a key that the metadata of e does not have: module, function, mfa,
// file, line and at, as the package format has them.
func (t *Tap) place(key string, e *event.Event) (event.Value, bool) {
	if e.PC == 0 || !isPlace(key) {
		return event.Value{}, false
	}
	site := t.sites.Lookup(e.PC)
	if site.Function == "" {
		return event.Value{}, false
	}
	return placeValue(key, &site), true
}

// isPlace says whether the place of a call has the key.
func isPlace(key string) bool {
	switch key {
	case "module", "function", "mfa", "file", "line", "at":
		return true
	}
	return false
}

// placeValue is the value of such a key.
func placeValue(key string, site *callsite.Site) event.Value {
	switch key {
	case "module":
		return event.String(site.Namespace)
	case "function":
		// A dot in the last element of a package's path is escaped, so the first dot ends it.
		_, name, _ := strings.Cut(site.Function[strings.LastIndexByte(site.Function, '/')+1:], ".")
		return event.String(name)
	case "mfa":
		return event.String(site.Function)
	case "file":
		return event.String(site.File)
	case "line":
		return event.Int(int64(site.Line))
	default:
		return event.String(site.At)
	}
}

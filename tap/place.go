package tap

import (
	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
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
	return format.SiteValue(key, site)
}

// isPlace says whether the place of a call has the key.
func isPlace(key string) bool {
	_, ok := format.SiteValue(key, callsite.Site{})
	return ok
}

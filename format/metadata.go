package format

import (
	"reflect"
	"strings"

	"github.com/spilelog/spile/event"
)

// pairs writes metadata as pairs, each with a space behind it.
type pairs struct {
	p    *Pattern
	dst  []byte
	open openGroups
}

// expectedDepth is how deep groups may nest before that costs memory.
const expectedDepth = 8

// openGroups are the keys of the groups around a pair.
type openGroups struct {
	keys  [expectedDepth]string
	more  []string
	count int
}

// push opens a group.
func (o *openGroups) push(key string) {
	if o.count < expectedDepth {
		o.keys[o.count] = key
	} else {
		o.more = append(o.more[:o.count-expectedDepth], key)
	}
	o.count++
}

// pop closes the innermost group.
func (o *openGroups) pop() { o.count-- }

// at is the key of group i from the outside.
func (o *openGroups) at(i int) string {
	if i < expectedDepth {
		return o.keys[i]
	}
	return o.more[i-expectedDepth]
}

// appendMetadata appends the selected metadata of e.
func (p *Pattern) appendMetadata(dst []byte, e *event.Event) []byte {
	w := pairs{p: p, dst: dst}
	if p.all {
		w.fields(e.Metadata)
		return w.dst
	}
	for i := range p.keys {
		w.selected(e, &p.keys[i])
	}
	return w.dst
}

// selected writes the values of one key of the list.
func (w *pairs) selected(e *event.Event, key *selectedKey) {
	w.p.values(e, key, func(v event.Value) { w.pair(key.name, v) })
}

// fields writes all of m.
func (w *pairs) fields(m event.Metadata) {
	for i := range m {
		w.pair(m[i].Key, m[i].Value)
	}
}

// pair writes one pair, or those of a group.
func (w *pairs) pair(key string, v event.Value) {
	kind := v.Kind()
	if kind == event.KindGroup {
		w.group(key, v.Fields())
		return
	}
	if w.open.count == 0 && hidden(key) || isNothing(v) {
		return
	}
	start := len(w.dst)
	for i := range w.open.count {
		w.dst = append(w.p.appendText(w.dst, w.open.at(i)), '.')
	}
	w.dst = append(w.p.appendText(w.dst, key), '=')
	if w.open.count > 0 {
		key = "" // The rules of keys are for the outermost ones.
	}
	dst, ok := w.p.appendValue(w.dst, key, v)
	if !ok {
		w.dst = w.dst[:start]
		w.p.dropped.Add(1)
		return
	}
	w.dst = append(dst, ' ')
}

// group writes the pairs of a group; one without a key adds nothing to theirs.
func (w *pairs) group(key string, m event.Metadata) {
	if key == "" {
		w.fields(m)
		return
	}
	w.open.push(key)
	w.fields(m)
	w.open.pop()
}

// hidden says whether a key is never printed: those that Elixir's Logger keeps to itself, and the colour.
func hidden(key string) bool {
	switch key {
	case "time", "gl", "report_cb", AnsiColorKey:
		return true
	}
	return false
}

// isNothing says whether v is nothing that could be printed: nil, null, or a nil pointer.
func isNothing(v event.Value) bool {
	switch v.Kind() {
	case event.KindNil:
		return true
	case event.KindJSON:
		return v.Text() == "null"
	case event.KindAny:
		a := reflect.ValueOf(v.Any())
		return a.Kind() == reflect.Pointer && a.IsNil()
	}
	return false
}

// appendValue appends a value under an outermost key, or under none. The second result is false if v has no text.
func (p *Pattern) appendValue(dst []byte, key string, v event.Value) ([]byte, bool) {
	switch v.Kind() {
	case event.KindString, event.KindJSON:
		return p.appendText(dst, v.Text()), true
	case event.KindFloat:
		return appendErlangFloat(dst, v.Float64()), true
	case event.KindAny:
		return p.appendAny(dst, key, v)
	}
	// The texts of numbers, truths, times and durations hold nothing to quote.
	return v.AppendText(dst), true
}

// appendAny is appendValue for a value of the program.
func (p *Pattern) appendAny(dst []byte, key string, v event.Value) ([]byte, bool) {
	if text, ok := textByKey(key, v.Any()); ok {
		return p.appendText(dst, text), true
	}
	if v.Printable() {
		return p.appendText(dst, v.Text()), true
	}
	if p.json {
		return p.appendText(dst, string(v.AppendJSON(nil))), true
	}
	return dst, false
}

// textByKey is the text of a value that has one under certain keys only.
func textByKey(key string, a any) (string, bool) {
	switch a := a.(type) {
	case []string:
		if key == "domain" && len(a) > 0 {
			return strings.Join(a, "."), true
		}
	case []rune:
		if key == "function" || key == "file" {
			return string(a), true
		}
	case MFA:
		if key == "mfa" || key == "initial_call" {
			return a.text(), true
		}
	}
	return "", false
}

// appendText appends a key or value that is a text: as it is, or so that it can be nothing else.
func (p *Pattern) appendText(dst []byte, s string) []byte {
	if p.exact {
		return append(dst, s...)
	}
	return appendQuoted(dst, s)
}

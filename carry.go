package spile

import (
	"log/slog"
	"slices"

	"github.com/spilelog/spile/event"
)

// carry is what a logger carries. It never changes, and shares no memory that could be appended to.
type carry struct {
	// namespace is what With gave by [Namespace]; empty means the caller's.
	namespace string
	// levels are the fields outside of all groups, then those of each open group within the one before. There is
	// none as long as nothing is carried.
	levels []level
}

// level is the fields of one group.
type level struct {
	name   string
	fields event.Metadata
	// unresolved are the fields whose values are to be resolved anew for each record.
	unresolved []unresolved
}

// unresolved is a value that is a [slog.LogValuer] or a group with one.
type unresolved struct {
	// at is the position of its field.
	at    int
	value slog.Value
}

// withAttrs is c with attrs in the innermost group.
func (c *carry) withAttrs(attrs []slog.Attr) carry {
	next := carry{namespace: c.namespace, levels: slices.Clone(c.levels)}
	if len(next.levels) == 0 {
		next.levels = make([]level, 1)
	}
	l, rec := &next.levels[len(next.levels)-1], &record{}
	l.fields, l.unresolved = slices.Grow(slices.Clip(l.fields), len(attrs)), slices.Clip(l.unresolved)
	for i := range attrs {
		if name, ok := namespaceOf(&attrs[i]); ok {
			next.namespace = name
			continue
		}
		l.add(rec, &attrs[i])
	}
	return next
}

// withGroup is c with one more group open.
func (c *carry) withGroup(name string) carry {
	levels := make([]level, max(1, len(c.levels)), len(c.levels)+2)
	copy(levels, c.levels)
	return carry{namespace: c.namespace, levels: append(levels, level{name: name})}
}

// add appends an attribute. The memory of its groups comes from rec, which nobody may use for a record.
func (l *level) add(rec *record, a *slog.Attr) {
	switch {
	case a.Value.Kind() == slog.KindGroup && a.Key == "":
		inner := a.Value.Group()
		for i := range inner {
			l.add(rec, &inner[i])
		}
	case resolvable(a.Value):
		l.unresolved = append(l.unresolved, unresolved{at: len(l.fields), value: a.Value})
		l.fields = append(l.fields, event.Field{Key: a.Key})
	default:
		l.fields = rec.appendAttr(l.fields, a)
	}
}

// resolvable says whether v has to be resolved for each record.
func resolvable(v slog.Value) bool {
	switch v.Kind() {
	case slog.KindLogValuer:
		return true
	case slog.KindGroup:
		return slices.ContainsFunc(v.Group(), func(a slog.Attr) bool { return resolvable(a.Value) })
	}
	return false
}

// known is the fields of l up to the first one that each record resolves anew.
func (l *level) known() event.Metadata {
	if len(l.unresolved) > 0 {
		return slices.Clip(l.fields[:l.unresolved[0].at])
	}
	return slices.Clip(l.fields)
}

// known is the metadata that every record begins with, whatever the call: what is carried, groups nested, up to the
// first value that each record resolves anew.
func (c *carry) known() event.Metadata {
	last := len(c.levels) - 1
	for i := range c.levels {
		if len(c.levels[i].unresolved) > 0 {
			last = i
			break
		}
	}
	var within event.Metadata
	for i := last; i >= 0; i-- {
		fields := c.levels[i].known()
		if i < last {
			group := within
			fields = appendGroup(fields, c.levels[i+1].name, &group)
		}
		within = fields
	}
	return within
}

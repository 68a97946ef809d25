package spile

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/spilelog/spile/event"
)

// What a record in the pool may hold on to: fields of one list, lists and memos.
const (
	maxKeptFields = 256
	maxKeptParts  = 256
)

// record is a record of slog as an event, with the memory that this takes.
type record struct {
	event event.Event
	// stale is how many fields of the record before are still in the memory of the event's metadata.
	stale int
	pool  *sync.Pool
	// lists are the fields of groups, and memos the values to be resolved. Events point to them, so they never move.
	lists     []*event.Metadata
	usedLists int
	memos     []*memo
	usedMemos int
}

// newRecord takes a record from the pool.
func (c *core) newRecord() *record {
	if rec, ok := c.records.Get().(*record); ok {
		return rec
	}
	return &record{pool: &c.records}
}

// free gives rec back. Nothing of the event may be used after it. The fields stay reachable until the next record takes
// their place, since to clear them first would cost much of what the pool saves; what that one does not overwrite is
// cleared with it.
func (rec *record) free() {
	rec.event = event.Event{Metadata: rec.reused()}
	for _, list := range rec.lists[:rec.usedLists] {
		*list = emptied(*list)
	}
	for _, m := range rec.memos[:rec.usedMemos] {
		*m = memo{rec: rec}
	}
	rec.usedLists, rec.usedMemos = 0, 0
	if len(rec.lists) > maxKeptParts || len(rec.memos) > maxKeptParts {
		return
	}
	rec.pool.Put(rec)
}

// reused is the memory of the event's metadata for the next record.
func (rec *record) reused() event.Metadata {
	m := rec.event.Metadata
	if cap(m) > maxKeptFields {
		rec.stale = 0
		return nil
	}
	if n := len(m); n < rec.stale {
		clear(m[n:rec.stale])
	}
	rec.stale = len(m)
	return m[:0]
}

// emptied is the memory of m for other fields.
func emptied(m event.Metadata) event.Metadata {
	if cap(m) > maxKeptFields {
		return nil
	}
	clear(m)
	return m[:0]
}

// fill makes rec the event of r: the metadata that the logger carries, that of the call, in the groups that are open,
// and that of the context. The source is the namespace that was given; it is empty if there is none.
func (rec *record) fill(ctx context.Context, c *carry, r *slog.Record) {
	e := &rec.event
	e.Time, e.Level, e.Message, e.PC = r.Time, event.Level(r.Level), r.Message, r.PC
	e.Source = c.namespace
	if len(c.levels) == 0 {
		e.Metadata = rec.appendCall(e.Metadata, r)
	} else {
		e.Metadata = rec.appendLevels(e.Metadata, c.levels, r)
	}
	if ctx == nil {
		return
	}
	if m, ok := ctx.Value(metadataKey{}).(*metadata); ok {
		e.Metadata = rec.appendContext(e.Metadata, m)
	}
}

// appendLevels appends what is carried, and the attributes of r in the innermost group.
func (rec *record) appendLevels(dst event.Metadata, levels []level, r *slog.Record) event.Metadata {
	innermost := len(levels) - 1
	var within *event.Metadata
	for i := innermost; i > 0; i-- {
		list := rec.list()
		*list = rec.appendLevel(*list, &levels[i])
		if i == innermost {
			*list = rec.appendCall(*list, r)
		} else {
			*list = appendGroup(*list, levels[i+1].name, within)
		}
		within = list
	}
	dst = rec.appendLevel(dst, &levels[0])
	if innermost == 0 {
		return rec.appendCall(dst, r)
	}
	return appendGroup(dst, levels[1].name, within)
}

// appendLevel appends the fields of one level.
func (rec *record) appendLevel(dst event.Metadata, l *level) event.Metadata {
	start := len(dst)
	dst = append(dst, l.fields...)
	for i := range l.unresolved {
		u := &l.unresolved[i]
		dst[start+u.at].Value = rec.value(u.value)
	}
	return dst
}

// appendCall appends the attributes of r, and takes out its namespace.
func (rec *record) appendCall(dst event.Metadata, r *slog.Record) event.Metadata {
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == namespaceKey {
			if name, ok := namespaceOf(&a); ok {
				rec.event.Source = name
				return true
			}
		}
		dst = rec.appendAttr(dst, &a)
		return true
	})
	return dst
}

// appendContext appends the metadata of a context, but for the keys that the record has itself.
func (rec *record) appendContext(dst event.Metadata, m *metadata) event.Metadata {
	own := len(dst)
	dst = rec.appendLevel(dst, &m.level)
	kept := own
	for i := own; i < len(dst); i++ {
		if !hasKey(dst[:own], dst[i].Key) {
			dst[kept] = dst[i]
			kept++
		}
	}
	clear(dst[kept:])
	return dst[:kept]
}

// hasKey says whether a field of m has this key.
func hasKey(m event.Metadata, key string) bool {
	for i := range m {
		if m[i].Key == key {
			return true
		}
	}
	return false
}

// appendAttr appends a by the rules of slog: no empty attribute, no empty group, and the fields of a group without a
// key in its place.
func (rec *record) appendAttr(dst event.Metadata, a *slog.Attr) event.Metadata {
	kind := a.Value.Kind()
	if kind == slog.KindGroup {
		attrs := a.Value.Group()
		if a.Key == "" {
			return rec.appendAttrs(dst, attrs)
		}
		list := rec.list()
		*list = rec.appendAttrs(*list, attrs)
		return appendGroup(dst, a.Key, list)
	}
	if a.Key == "" && none(a) {
		return dst
	}
	n := len(dst)
	if n == cap(dst) {
		dst = slices.Grow(dst, 1)
	}
	dst = dst[:n+1]
	f := &dst[n]
	f.Key = a.Key
	// The commonest kinds are not worth another call.
	switch kind {
	case slog.KindString:
		f.Value = event.String(a.Value.String())
	case slog.KindInt64:
		f.Value = event.Int(a.Value.Int64())
	default:
		rec.set(&f.Value, a.Value)
	}
	return dst
}

// appendAttrs is appendAttr for several.
func (rec *record) appendAttrs(dst event.Metadata, attrs []slog.Attr) event.Metadata {
	for i := range attrs {
		dst = rec.appendAttr(dst, &attrs[i])
	}
	return dst
}

// appendGroup appends a group, if it has fields.
func appendGroup(dst event.Metadata, name string, fields *event.Metadata) event.Metadata {
	if len(*fields) == 0 {
		return dst
	}
	return append(dst, event.Field{Key: name, Value: event.Group(fields)})
}

// value is v as an event has it. It looks at nothing that has to be resolved.
func (rec *record) value(v slog.Value) (out event.Value) {
	rec.set(&out, v)
	return out
}

// set makes dst the value v. It writes in place, because values are large and there is one for each attribute.
func (rec *record) set(dst *event.Value, v slog.Value) {
	switch v.Kind() {
	case slog.KindString:
		*dst = event.String(v.String())
	case slog.KindInt64:
		*dst = event.Int(v.Int64())
	case slog.KindUint64:
		*dst = event.Uint(v.Uint64())
	case slog.KindFloat64:
		*dst = event.Float(v.Float64())
	case slog.KindBool:
		*dst = event.Bool(v.Bool())
	case slog.KindDuration:
		*dst = event.Duration(v.Duration())
	case slog.KindTime:
		*dst = event.Time(v.Time())
	case slog.KindGroup:
		list := rec.list()
		*list = rec.appendAttrs(*list, v.Group())
		*dst = event.Group(list)
	case slog.KindLogValuer:
		*dst = event.Lazy(rec.memo(v.LogValuer()))
	default:
		*dst = event.Any(v.Any())
	}
}

// list is an empty list of fields.
func (rec *record) list() *event.Metadata {
	if rec.usedLists == len(rec.lists) {
		rec.lists = append(rec.lists, new(event.Metadata))
	}
	rec.usedLists++
	return rec.lists[rec.usedLists-1]
}

// memo is what resolves v.
func (rec *record) memo(v slog.LogValuer) *memo {
	if rec.usedMemos == len(rec.memos) {
		rec.memos = append(rec.memos, &memo{rec: rec})
	}
	m := rec.memos[rec.usedMemos]
	rec.usedMemos++
	m.valuer = v
	return m
}

package spile

import (
	"context"
	"log/slog"
	"slices"
)

// metadataKey is the key of the metadata in a context.
type metadataKey struct{}

// metadata is what a context carries. It never changes.
type metadata struct {
	attrs []slog.Attr
	level level
}

// WithMetadata returns a context whose records carry attrs too, as the process of an Elixir program does: what the
// call or the logger itself says under the same key hides them, open groups do not take them in. An attribute of a key
// that ctx carries already replaces it in its place; one whose value is nil removes it.
func WithMetadata(ctx context.Context, attrs ...slog.Attr) context.Context {
	if len(attrs) == 0 {
		return ctx
	}
	next := &metadata{attrs: merge(Metadata(ctx), attrs)}
	rec := &record{}
	for i := range next.attrs {
		next.level.add(rec, &next.attrs[i])
	}
	return context.WithValue(ctx, metadataKey{}, next)
}

// Metadata is what ctx carries, in order. The caller owns the list.
func Metadata(ctx context.Context) []slog.Attr {
	if m, ok := ctx.Value(metadataKey{}).(*metadata); ok {
		return slices.Clone(m.attrs)
	}
	return nil
}

// merge puts attrs into list.
func merge(list, attrs []slog.Attr) []slog.Attr {
	for i := range attrs {
		a := &attrs[i]
		if a.Key == "" && a.Value.Kind() == slog.KindGroup {
			list = merge(list, a.Value.Group())
			continue
		}
		if none(a) {
			continue
		}
		at := slices.IndexFunc(list, func(b slog.Attr) bool { return b.Key == a.Key })
		removes := a.Value.Kind() == slog.KindAny && a.Value.Any() == nil
		switch {
		case removes && at >= 0:
			list = slices.Delete(list, at, at+1)
		case removes:
		case at >= 0:
			list[at] = *a
		default:
			list = append(list, *a)
		}
	}
	return list
}

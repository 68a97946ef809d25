package convention

import (
	"context"
	"log/slog"
)

// NewExpander returns a handler that gives next its records with [Expand] applied to what a logger carries and to what
// a call gives, so that acc and exml_packet may be logged as they are:
//
//	logger := slog.New(convention.NewExpander(spile.New(console)))
//
// Attributes in groups stay as they are. A field that a call gives does not take the place of one of an accumulator
// that the logger carries; both are there.
func NewExpander(next slog.Handler) slog.Handler { return &expander{next: next} }

// expander expands until a group is open.
type expander struct {
	next slog.Handler
}

// Enabled asks next.
func (e *expander) Enabled(ctx context.Context, level slog.Level) bool {
	return e.next.Enabled(ctx, level)
}

// Handle gives next the expanded record.
func (e *expander) Handle(ctx context.Context, r slog.Record) error {
	return e.next.Handle(ctx, ExpandRecord(r))
}

// WithAttrs expands what the logger carries, once.
func (e *expander) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &expander{next: e.next.WithAttrs(Expand(attrs))}
}

// WithGroup opens a group, in which nothing is expanded.
func (e *expander) WithGroup(name string) slog.Handler {
	if name == "" {
		return e
	}
	return e.next.WithGroup(name)
}

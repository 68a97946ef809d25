package spile

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/format"
	"github.com/spilelog/spile/internal/namespace"
)

// LevelOff is a level that no record reaches.
const LevelOff = slog.Level(1 << 30)

// BaseOptions are what a backend has in common with the others. The zero value takes everything from info on.
type BaseOptions struct {
	// Level is the lowest level that the backend takes where no binding says otherwise; nil is info. A [slog.LevelVar]
	// or any other level that may change by itself works, at the price of being asked in each call; a plain
	// [slog.Level], changed by [Base.SetLevel], costs nothing.
	Level slog.Leveler
	// Formatter makes the text of a record; nil is the default of the backend.
	Formatter format.Formatter
}

// Base holds the name, level, formatter and bindings of a backend. All of them may be changed while records are logged,
// from any goroutine; a record sees them before or after a change, never in between.
type Base struct {
	name      atomic.Pointer[string]
	level     atomic.Pointer[slog.Leveler]
	formatter atomic.Pointer[format.Formatter]
	bindings  atomic.Pointer[namespace.Bindings] // nil while there are none
	failed    atomic.Uint64

	// mu serialises the changes and guards watchers: those who are told of each change, after it. A handler that the
	// program has forgotten is not kept for that.
	mu       sync.Mutex
	watchers []weak.Pointer[core]
}

// NewBase returns a Base of the given name.
func NewBase(name string, o BaseOptions) *Base {
	b := &Base{}
	b.name.Store(&name)
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	b.level.Store(&o.Level)
	b.formatter.Store(&o.Formatter)
	return b
}

// Settings is b itself; it makes what embeds b a [Backend].
func (b *Base) Settings() *Base { return b }

// Flush does nothing.
func (b *Base) Flush(context.Context) error { return nil }

// Close does nothing.
func (b *Base) Close(context.Context) error { return nil }

// Name is the name by which the backend is found and removed. [Handler.Rename] changes it.
func (b *Base) Name() string { return *b.name.Load() }

// Level is the lowest level that the backend takes where no binding says otherwise.
func (b *Base) Level() slog.Level { return (*b.level.Load()).Level() }

// SetLevel changes the level; see [BaseOptions]. Nil is info.
func (b *Base) SetLevel(level slog.Leveler) {
	if level == nil {
		level = slog.LevelInfo
	}
	b.change(func() { b.level.Store(&level) })
}

// Formatter makes the text of a record; nil where the backend has none.
func (b *Base) Formatter() format.Formatter { return *b.formatter.Load() }

// SetFormatter changes the formatter.
func (b *Base) SetFormatter(f format.Formatter) {
	b.change(func() { b.formatter.Store(&f) })
}

// Bind gives the namespaces that match pattern a level of their own, in place of the backend's, lower or higher. A
// pattern consists of parts between ::, / or dots: a name stands for itself, * for exactly one part, ** for any number.
// Of several patterns that match, the most specific decides; of equally specific ones, the one bound last. A pattern
// bound again takes its new level. The error of a pattern that cannot be says why.
func (b *Base) Bind(pattern string, level slog.Level) error {
	p, err := namespace.Parse(pattern)
	if err != nil {
		return fmt.Errorf("bind %q: %w", pattern, err)
	}
	b.change(func() { b.bindings.Store(b.bindings.Load().With(p, event.Level(level))) })
	return nil
}

// Unbind removes the binding of pattern, and says whether there was one.
func (b *Base) Unbind(pattern string) bool {
	p, err := namespace.Parse(pattern)
	if err != nil {
		return false
	}
	removed := false
	b.change(func() {
		var next *namespace.Bindings
		next, removed = b.bindings.Load().Without(p)
		b.bindings.Store(next)
	})
	return removed
}

// Binding is a level for the namespaces of a pattern.
type Binding struct {
	// Pattern says which namespaces; see [Base.Bind].
	Pattern string
	// Level is the lowest that passes.
	Level slog.Level
}

// Bindings lists the bindings in the order in which they were bound. The caller owns the list.
func (b *Base) Bindings() []Binding {
	var out []Binding
	for pattern, level := range b.bindings.Load().All() {
		out = append(out, Binding{Pattern: pattern, Level: slog.Level(level)})
	}
	return out
}

// SetBindings replaces all bindings at once. If one of the patterns cannot be, it changes nothing and says why.
func (b *Base) SetBindings(bindings []Binding) error {
	var next *namespace.Bindings
	for _, bind := range bindings {
		p, err := namespace.Parse(bind.Pattern)
		if err != nil {
			return fmt.Errorf("bind %q: %w", bind.Pattern, err)
		}
		next = next.With(p, event.Level(bind.Level))
	}
	b.change(func() { b.bindings.Store(next) })
	return nil
}

// ShouldLog says whether the backend takes e. A [Handler] asks before it calls Log.
func (b *Base) ShouldLog(e *event.Event) bool {
	return b.ShouldLogLevel(slog.Level(e.Level), e.Source)
}

// ShouldLogLevel says whether the backend takes records of this level and namespace.
func (b *Base) ShouldLogLevel(level slog.Level, namespace string) bool {
	if bindings := b.bindings.Load(); bindings != nil {
		if bound, ok := bindings.Level(namespace); ok {
			return level >= slog.Level(bound)
		}
	}
	return level >= b.Level()
}

// Failed counts the records that the backend lost: errors and panics of Log.
func (b *Base) Failed() uint64 { return b.failed.Load() }

// Touch tells the handlers that the backend's answers as a [Chooser] have changed. Changes of the settings do that by
// themselves.
func (b *Base) Touch() { b.change(func() {}) }

// change makes one change and tells the handlers.
func (b *Base) change(apply func()) {
	b.mu.Lock()
	apply()
	watchers := slices.Clone(b.watchers)
	b.mu.Unlock()
	for _, w := range watchers {
		if c := w.Value(); c != nil {
			c.refresh()
		}
	}
}

// watch makes c hear of changes.
func (b *Base) watch(c *core) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = slices.DeleteFunc(b.watchers, func(w weak.Pointer[core]) bool { return w.Value() == nil })
	b.watchers = append(b.watchers, weak.Make(c))
}

// unwatch ends what watch began, once.
func (b *Base) unwatch(c *core) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.watchers, weak.Make(c)); i >= 0 {
		b.watchers = slices.Delete(b.watchers, i, i+1)
	}
}

// fixedLowest is the lowest level that the backend could take in any namespace, as far as that cannot change by
// itself, and whether all of it cannot.
func (b *Base) fixedLowest() (event.Level, bool) {
	lowest, fixed := b.unboundLevel()
	if bindings := b.bindings.Load(); bindings != nil {
		lowest = min(lowest, bindings.Lowest())
	}
	return lowest, fixed
}

// unboundLevel is the level where no binding says otherwise and whether it cannot change by itself; LevelOff if it can.
func (b *Base) unboundLevel() (event.Level, bool) {
	if level, ok := (*b.level.Load()).(slog.Level); ok {
		return event.Level(level), true
	}
	return event.Level(LevelOff), false
}

package namespace

import (
	"iter"
	"math"
	"slices"

	"github.com/spilelog/spile/event"
)

// Bindings are levels for namespaces. A Bindings never changes; with and without a pattern it is another. Nil is the
// one without any. All methods may be called by any number of goroutines at once.
type Bindings struct {
	// bound is in the order of binding, ranked from the most specific to the least and from the last bound to the first.
	bound, ranked []binding
	lowest        event.Level
	known         cache
}

// binding is one pattern and its level.
type binding struct {
	pattern Pattern
	level   event.Level
}

// With is b with p bound to level, last of all. If p was bound already, that binding is gone.
func (b *Bindings) With(p Pattern, level event.Level) *Bindings {
	bound, _ := b.others(p)
	return newBindings(append(bound, binding{p, level}))
}

// Without is b without p, nil when none remains, and whether p was bound. If it was not, it is b itself.
func (b *Bindings) Without(p Pattern) (*Bindings, bool) {
	bound, found := b.others(p)
	switch {
	case !found:
		return b, false
	case len(bound) == 0:
		return nil, true
	}
	return newBindings(bound), true
}

// others copies all bindings but that of p, and says whether there was one.
func (b *Bindings) others(p Pattern) ([]binding, bool) {
	if b == nil {
		return nil, false
	}
	bound := slices.DeleteFunc(slices.Clone(b.bound), func(x binding) bool { return x.pattern.same(p) })
	return bound, len(bound) < len(b.bound)
}

// newBindings takes over a list that is not empty.
func newBindings(bound []binding) *Bindings {
	b := &Bindings{bound: bound, ranked: slices.Clone(bound), lowest: math.MaxInt}
	slices.Reverse(b.ranked)
	slices.SortStableFunc(b.ranked, func(x, y binding) int { return y.pattern.rank.Compare(x.pattern.rank) })
	for _, x := range bound {
		b.lowest = min(b.lowest, x.level)
	}
	return b
}

// Level is the level of the most specific pattern that matches the namespace, of several equally specific ones that of
// the last bound, and whether one matches. For a namespace asked for again it allocates nothing.
func (b *Bindings) Level(namespace string) (event.Level, bool) {
	if b == nil {
		return 0, false
	}
	table := b.known.table()
	home := table.home(namespace)
	if a := table.find(home, namespace); a != nil {
		return a.level, a.bound
	}
	level, bound := b.decide(namespace)
	table.keep(home, namespace, level, bound)
	return level, bound
}

// decide is Level without a memory.
func (b *Bindings) decide(namespace string) (event.Level, bool) {
	for i := range b.ranked {
		if b.ranked[i].pattern.Match(namespace) {
			return b.ranked[i].level, true
		}
	}
	return 0, false
}

// Lowest is the lowest level bound, above every level if none is.
func (b *Bindings) Lowest() event.Level {
	if b == nil {
		return math.MaxInt
	}
	return b.lowest
}

// All yields the patterns as they were written, and their levels, in the order of binding.
func (b *Bindings) All() iter.Seq2[string, event.Level] {
	return func(yield func(string, event.Level) bool) {
		if b == nil {
			return
		}
		for _, x := range b.bound {
			if !yield(x.pattern.text, x.level) {
				return
			}
		}
	}
}

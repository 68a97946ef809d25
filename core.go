package spile

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/spilelog/spile/event"
	"github.com/spilelog/spile/internal/callsite"
)

// alwaysAsk is a threshold below every level: no call can be decided by it alone.
const alwaysAsk = math.MinInt

// core is what a handler and all that were derived from it share.
type core struct {
	// threshold is below or at the lowest level that any backend could take. It alone decides most calls that log
	// nothing.
	threshold atomic.Int64
	// routes is who gets records. It is replaced at each change of a backend, never changed.
	routes atomic.Pointer[routes]
	sites  callsite.Cache
	// records are records out of use, of type *record.
	records sync.Pool
	// onError is told of lost records.
	onError atomic.Pointer[func(backend string, err error)]

	// mu serialises changes of the routes.
	mu sync.Mutex
}

// routes is one state of the backends.
type routes struct {
	backends []Backend
	// choosing says that one of them is a [Chooser], and bound that one has bindings. Without the first what a logger
	// carries makes no difference to what it wants, but for its namespace; without both, nothing does.
	choosing, bound bool
	// general is the verdict on loggers that make no difference.
	general atomic.Pointer[verdict]
}

// tells says whether what a logger carries could make a difference.
func (r *routes) tells(carried *carry) bool {
	return r.choosing && len(carried.levels) > 0 || (r.choosing || r.bound) && carried.namespace != ""
}

// newCore returns a core with the given backends, whose names must differ.
func newCore(backends []Backend) *core {
	c := &core{}
	c.routes.Store(&routes{})
	c.threshold.Store(int64(LevelOff))
	for _, b := range backends {
		if err := c.add(b); err != nil {
			panic("spile.New: " + err.Error())
		}
	}
	return c
}

// find is the position of the backend of a name, -1 if there is none.
func (r *routes) find(name string) int {
	return slices.IndexFunc(r.backends, func(b Backend) bool { return b.Settings().Name() == name })
}

// add makes b the last of the backends.
func (c *core) add(b Backend) error {
	name := b.Settings().Name()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.routes.Load()
	if r.find(name) >= 0 {
		return fmt.Errorf("add backend %q: the name is in use", name)
	}
	b.Settings().watch(c)
	c.publishLocked(append(slices.Clip(r.backends), b))
	return nil
}

// remove takes the backend of a name away; nil if there is none.
func (c *core) remove(name string) Backend {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.routes.Load()
	i := r.find(name)
	if i < 0 {
		return nil
	}
	b := r.backends[i]
	b.Settings().unwatch(c)
	c.publishLocked(slices.Delete(slices.Clone(r.backends), i, i+1))
	return b
}

// rename changes a backend's name.
func (c *core) rename(from, to string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.routes.Load()
	i := r.find(from)
	switch {
	case i < 0:
		return fmt.Errorf("rename backend %q: there is none of that name", from)
	case from != to && r.find(to) >= 0:
		return fmt.Errorf("rename backend %q: the name %q is in use", from, to)
	}
	r.backends[i].Settings().name.Store(&to)
	return nil
}

// refresh publishes the backends anew after a change of one.
func (c *core) refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publishLocked(c.routes.Load().backends)
}

// publishLocked makes backends those who get records.
func (c *core) publishLocked(backends []Backend) {
	next := &routes{backends: backends}
	threshold := int64(LevelOff)
	for _, b := range backends {
		_, choosing := b.(Chooser)
		next.choosing = next.choosing || choosing
		next.bound = next.bound || b.Settings().bindings.Load() != nil
		lowest, fixed := b.Settings().fixedLowest()
		if !fixed {
			lowest = alwaysAsk
		}
		threshold = min(threshold, int64(lowest))
	}
	// The routes go first: a call that passes a lower threshold must not find the old ones. A call that still passes
	// the old, lower threshold asks the new routes, so nothing is lost when it rises.
	c.routes.Store(next)
	c.threshold.Store(threshold)
}

// take says whether a backend takes a record. Without bindings it need not know the namespace: those of a change that
// has not reached r are left out, since they would not find one.
func (r *routes) take(b *Base, level slog.Level, namespace string) bool {
	if r.bound {
		return b.ShouldLogLevel(level, namespace)
	}
	return level >= b.Level()
}

// verdict is what one state of the backends says to all that a logger carries.
type verdict struct {
	routes *routes
	// lowest is the lowest level at which a backend might take a record of the logger, levels that may change by
	// themselves left out. Those are in ask.
	lowest event.Level
	ask    []asked
}

// asked is a level that may change by itself, and what its backend takes at the least whatever that level is.
type asked struct {
	leveler slog.Leveler
	lowest  event.Level
}

// judge works out the verdict on a logger that carries this.
func (r *routes) judge(carried *carry) *verdict {
	v := &verdict{routes: r, lowest: event.Level(LevelOff)}
	for _, b := range r.backends {
		base := b.Settings()
		floor := event.Level(alwaysAsk)
		if chooser, ok := b.(Chooser); ok {
			floor = choose(chooser, carried)
		}
		lowest, fixed := base.fixedLowest()
		if bindings := base.bindings.Load(); carried.namespace != "" && bindings != nil {
			if bound, ok := bindings.Level(carried.namespace); ok {
				lowest, fixed = bound, true
			} else {
				lowest, fixed = base.unboundLevel()
			}
		}
		v.lowest = min(v.lowest, max(lowest, floor))
		if !fixed {
			v.ask = append(v.ask, asked{leveler: *base.level.Load(), lowest: floor})
		}
	}
	return v
}

// takes says whether a backend might take a record of this level.
func (v *verdict) takes(level event.Level) bool {
	if level >= v.lowest {
		return true
	}
	for i := range v.ask {
		if a := &v.ask[i]; level >= a.lowest && slog.Level(level) >= a.leveler.Level() {
			return true
		}
	}
	return false
}

// choose asks a chooser. One that panics is taken to choose nothing, so that no record is lost by it.
func choose(c Chooser, carried *carry) (lowest event.Level) {
	defer func() {
		if recover() != nil {
			lowest = alwaysAsk
		}
	}()
	return c.Lowest(carried.namespace, carried.known())
}

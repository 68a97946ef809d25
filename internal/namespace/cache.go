package namespace

import (
	"hash/maphash"
	"strings"
	"sync/atomic"

	"github.com/spilelog/spile/event"
)

// The shape of a table of answers: a power of two of slots, in how many of them a name may stand, and the longest name
// that is remembered, in bytes. A full table holds about a quarter of a megabyte, mostly far less.
const (
	slots       = 1024
	ways        = 4
	longestName = 200
)

// cache is a table that is made when it is first needed, since most bindings live only until the next one is added.
type cache struct {
	made atomic.Pointer[table]
}

// table remembers answers. It is bounded and never locks: a slot is replaced whole, and the worst that a race does is
// that an answer is worked out twice.
type table struct {
	seed    maphash.Seed
	answers [slots]atomic.Pointer[answer]
}

// answer is what one namespace gets.
type answer struct {
	namespace string
	level     event.Level
	bound     bool
}

// table is the table of c.
func (c *cache) table() *table {
	if t := c.made.Load(); t != nil {
		return t
	}
	t := &table{seed: maphash.MakeSeed()}
	if !c.made.CompareAndSwap(nil, t) {
		return c.made.Load()
	}
	return t
}

// home is the first slot in which a namespace may stand.
func (t *table) home(namespace string) int {
	return int(maphash.String(t.seed, namespace) % slots)
}

// find is the answer for a namespace, nil if it is not known.
func (t *table) find(home int, namespace string) *answer {
	for way := range ways {
		if a := t.answers[(home+way)%slots].Load(); a != nil && a.namespace == namespace {
			return a
		}
	}
	return nil
}

// keep remembers an answer: in a free slot, else in place of the one at home.
func (t *table) keep(home int, namespace string, level event.Level, bound bool) {
	if len(namespace) > longestName {
		return
	}
	// The name may stand in a buffer of the caller.
	a := &answer{namespace: strings.Clone(namespace), level: level, bound: bound}
	for way := range ways {
		if t.answers[(home+way)%slots].CompareAndSwap(nil, a) {
			return
		}
	}
	t.answers[home].Store(a)
}

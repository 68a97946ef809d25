// Package callsite tells what a program counter of a log call stands for: its namespace and its place in the code.
package callsite

import (
	"runtime"
	"strconv"
	"sync/atomic"
)

// Site is the place of a log call. The zero value is the place of none.
type Site struct {
	// Namespace is the package path and, in a method, the type: github.com/acme/shop/db.Pool.
	Namespace string
	// At is package.function:line.
	At string
	// Function is the full name as the runtime gives it.
	Function string
	// File is the path of the source file as the compiler knew it.
	File string
	// Line is the line in the file, from 1.
	Line int
}

// The shape of a cache: its slots, as a power of two, and in how many of them a counter may stand.
const (
	slotBits = 12
	slots    = 1 << slotBits
	ways     = 4
)

// Cache remembers sites. It is bounded, it never locks, and the zero value is ready. It must not be copied.
type Cache struct {
	entries [slots]atomic.Pointer[entry]
}

// entry is what one slot holds.
type entry struct {
	pc   uintptr
	site Site
}

// Lookup is the site of pc. Of 0 and of a counter outside the program it is the zero Site.
func (c *Cache) Lookup(pc uintptr) Site {
	if pc == 0 {
		return Site{}
	}
	// Counters of calls differ in their low bits; the multiplier, a golden ratio, spreads them over the slots.
	home := int(uint64(pc) * 0x9e3779b97f4a7c15 >> (64 - slotBits))
	for way := range ways {
		e := c.entries[(home+way)%slots].Load()
		if e == nil {
			return c.fill((home+way)%slots, pc)
		}
		if e.pc == pc {
			return e.site
		}
	}
	return c.fill(home, pc)
}

// fill works out the site of pc and puts it into a slot. Two that do so at once work out the same.
func (c *Cache) fill(slot int, pc uintptr) Site {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	e := &entry{pc: pc}
	if frame.Function != "" {
		e.site = Site{
			Namespace: Namespace(frame.Function),
			At:        frame.Function + ":" + strconv.Itoa(frame.Line),
			Function:  frame.Function,
			File:      frame.File,
			Line:      frame.Line,
		}
	}
	c.entries[slot].Store(e)
	return e.site
}

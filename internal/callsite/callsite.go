// Package callsite tells what a program counter of a log call stands for: its namespace and its place in the code.
package callsite

import (
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
)

// Site is the place of a log call.
type Site struct {
	// Namespace is the package path and, in a method, the type: github.com/acme/shop/db.Pool.
	Namespace string
	// At is package.function:line.
	At string
	// Function is the whole name of the function: github.com/acme/shop/db.(*Pool).Get.
	Function string
	// File is the path of the source file as the compiler was given it.
	File string
	// Line is the line in the file.
	Line int
}

// slots and ways are the shape of a cache: a power of two of slots, and how many of them a counter may stand in.
const (
	slots = 4096
	ways  = 4
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
	// Counters of calls differ in their low bits; the multiplier spreads them over the slots.
	home := int(uint64(pc) * 0x9e3779b97f4a7c15 >> 52)
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

// fill works out the site of pc and puts it into a slot.
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

// Namespace is the package path and type in a function's name as the runtime gives it, without type parameters,
// function and closures.
func Namespace(function string) string {
	slash := strings.LastIndexByte(function, '/')
	path, last := function[:slash+1], function[slash+1:]
	pkg, rest, _ := strings.Cut(last, ".")
	// A dot in the last element of a package's path is escaped, so the first dot ends it.
	name := path + strings.ReplaceAll(pkg, "%2e", ".")
	if i := strings.IndexByte(rest, '['); i >= 0 {
		if end := strings.LastIndexByte(rest, ']'); end > i {
			rest = rest[:i] + rest[end+1:]
		}
	}
	if receiver, ok := strings.CutPrefix(rest, "("); ok {
		receiver, _, _ = strings.Cut(receiver, ")")
		return name + "." + strings.TrimPrefix(receiver, "*")
	}
	// Without parentheses T.Method and Function.func1 look alike; compilers name closures func1, gowrap1 and the like.
	receiver, method, ok := strings.Cut(rest, ".")
	if !ok || receiver == "init" || receiver == "glob" || generated(method) {
		return name
	}
	return name + "." + receiver
}

// generated says whether a part of a function's name was made by the compiler.
func generated(name string) bool {
	name, _, _ = strings.Cut(name, ".")
	name = strings.TrimSuffix(name, "-range")
	word := strings.TrimRight(name, "0123456789")
	return word == "" || word != name && (word == "func" || word == "gowrap" || word == "deferwrap" || word == "func-range")
}

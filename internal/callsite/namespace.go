package callsite

import (
	"slices"
	"strconv"
	"strings"
)

// Namespace is the package path and type in a function's name as the runtime gives it, without type parameters,
// function and closures.
//
// The compiler names a closure after the functions that it stands in, and if it has put one of them into its caller,
// after that caller too, with nothing between the names but dots. Then the type is that of the inner function as far as
// the name tells, and the package is the caller's, for no other is named. X.Y.func1 may mean a method Y of X or a
// function Y put into X; it is taken for the method.
func Namespace(function string) string {
	// Type parameters may name packages too.
	plain, _, _ := strings.Cut(function, "[")
	slash := strings.LastIndexByte(plain, '/')
	path, last := function[:slash+1], function[slash+1:]
	// A dot in the last element of a package's path is escaped, so the first dot ends it.
	pkg, rest, _ := strings.Cut(last, ".")
	name := unescape(path + pkg)
	if receiver := receiver(innermost(split(rest)), name == "main"); receiver != "" {
		return name + "." + receiver
	}
	return name
}

// unescape reads the bytes that stand as %2e in the name of a package.
func unescape(name string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(name, "%")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if code, err := strconv.ParseUint(after[:min(2, len(after))], 16, 8); err == nil && len(after) >= 2 {
			b.WriteByte(byte(code))
			name = after[2:]
			continue
		}
		b.WriteByte('%')
		name = after
	}
}

// split cuts a function's name at its dots and leaves out type parameters, which may have dots of their own.
func split(name string) []string {
	var plain strings.Builder
	depth := 0
	for _, r := range name {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case depth == 0:
			plain.WriteRune(r)
		}
	}
	return strings.Split(plain.String(), ".")
}

// innermost is the last run of parts that people named. The first part always is.
func innermost(parts []string) []string {
	for len(parts) > 1 && generated(parts[len(parts)-1]) {
		parts = parts[:len(parts)-1]
	}
	for i := len(parts) - 1; i > 0; i-- {
		if generated(parts[i]) {
			parts = parts[i+1:]
			break
		}
	}
	// A closure put into the function that it stands in has the name of that function twice.
	if half := len(parts) / 2; half > 0 && len(parts)%2 == 0 && slices.Equal(parts[:half], parts[half:]) {
		return parts[half:]
	}
	return parts
}

// receiver is the type of the method that ends a list of functions and methods, empty if a function ends it.
func receiver(parts []string, inMain bool) string {
	for i := len(parts) - 1; i >= 0; i-- {
		if pointer, ok := strings.CutPrefix(parts[i], "("); ok {
			if i+2 < len(parts) {
				return "" // A function was put into the method.
			}
			return strings.TrimPrefix(strings.TrimSuffix(pointer, ")"), "*")
		}
	}
	// No type is called init, and in the package main none is called main.
	if len(parts) > 1 && (parts[0] == "init" || inMain && parts[0] == "main") {
		parts = parts[1:]
	}
	if len(parts) != 2 {
		return ""
	}
	return parts[0]
}

// generated says whether a part of a function's name was made by the compiler: func1, gowrap2, a bare number.
func generated(part string) bool {
	if i := strings.Index(part, "-range"); i >= 0 {
		part = part[:i]
	}
	switch word := strings.TrimRight(part, "0123456789"); word {
	case "":
		return true
	case "func", "gowrap", "deferwrap":
		return word != part
	}
	return false
}
